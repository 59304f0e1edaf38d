"""Time and memory of converting a large .onnx file, as ratios to reading it and writing its weights once.

`python -m tests.benchmarks.measure_onnx FORM` works in a process of its own and prints one JSON object. FORM is "raw"
(how almost all exporters write weights), "floats" (mx.onnx.export_model), "beside" (a file beside the model) or
"folded" (a batch norm after every convolution, which goes into its weights).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gluon2caffe import to_caffe
from tests.benchmarks.measure import compared

CHANNELS, CONVOLUTIONS, SIZES = 1024, 7, (2, 4)
WIDE = CHANNELS * 2 * 4


def _weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """About 530 MB: convolutions of 38 MB each and one fully connected layer of 268 MB."""
    made = {f"w{i}": (CHANNELS, CHANNELS, 3, 3) for i in range(CONVOLUTIONS)} | {"m": (WIDE, WIDE)}
    return {name: rng.uniform(-0.01, 0.01, shape).astype(np.float32) for name, shape in made.items()}


def write_model(path: Path, form: str) -> int:
    """Write the model; return the bytes of its weights."""
    weights = _weights(np.random.default_rng(0))
    nodes, last = [], "x"
    small = {
        name: np.full(CHANNELS, value, np.float32) for name, value in zip("sbuv", (1.1, 0.1, 0.2, 0.9), strict=True)
    }
    for index in range(CONVOLUTIONS):
        nodes.append(helper.make_node("Conv", [last, f"w{index}"], [f"c{index}"], pads=[1, 1, 1, 1]))
        last = f"c{index}"
        if form == "folded":
            nodes.append(helper.make_node("BatchNormalization", [last, "s", "b", "u", "v"], [f"n{index}"]))
            last = f"n{index}"
        nodes.append(helper.make_node("Relu", [last], [f"r{index}"]))
        last = f"r{index}"
    nodes += [helper.make_node("Flatten", [last], ["f"]), helper.make_node("Gemm", ["f", "m"], ["y"], transB=1)]
    tensors = [numpy_helper.from_array(values, name) for name, values in {**weights, **small}.items()]
    if form == "floats":
        for tensor in tensors:
            values = np.frombuffer(tensor.raw_data, np.float32)
            tensor.ClearField("raw_data")
            tensor.float_data.extend(values)
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CHANNELS, *SIZES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDE])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path, save_as_external_data=form == "beside", location="weights.data")
    return sum(values.nbytes for values in weights.values())


def _floor(source: Path, path: Path) -> None:
    content = source.read_bytes()
    with path.open("wb") as file:
        file.write(content)


def _settle_disk(folder: Path) -> None:
    """Remove what was written and wait for the disk, so that no round pays for the last one."""
    for path in (folder / "floor", *folder.glob("converted.*")):
        path.unlink(missing_ok=True)
    os.sync()


def measure(form: str, folder: Path) -> dict[str, object]:
    """The row of a form."""
    source, prefix, floor = folder / "net.onnx", folder / "converted", folder / "floor"
    large = folder / "weights.data" if form == "beside" else source
    size = large.stat().st_size
    shape = (1, CHANNELS, *SIZES)

    def convert() -> None:
        to_caffe(source, shape).save(prefix)

    ratios = compared(convert, lambda: _floor(large, floor), size, before=lambda: _settle_disk(folder))
    return {"form": form, "file_bytes": size, **ratios}


if __name__ == "__main__":
    if len(sys.argv) == 3:  # in a process that has not written the model, so that its memory is clean
        json.dump(measure(sys.argv[1], Path(sys.argv[2])), sys.stdout)
    else:
        with tempfile.TemporaryDirectory() as made:
            write_model(Path(made) / "net.onnx", sys.argv[1])
            again = [sys.executable, "-m", "tests.benchmarks.measure_onnx", sys.argv[1], made]
            sys.exit(subprocess.run(again, check=False).returncode)
