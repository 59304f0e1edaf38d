"""Nets that other people published as MXNet's files, and what MXNet computes with them.

`python -m tests.unit.mxnet_files.wild` writes `wild.json` anew with MXNet, in the root of the repository. The nets
themselves lie in a folder beside the clone, ``../shared/checkpoints``.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[3]
FOLDER = ROOT.parent / "shared" / "checkpoints"
RECORD = Path(__file__).parent / "wild.json"
SAMPLES = 48  # values kept of each output

# Where nets that end in a loss, or in a detector's own operators, are cut.
ENDS = {
    "mobilefacedet_yolo3": ["yolov30_concat2"],
    "mobilefacenet_train_mario": ["fc1"],
    "ssd300_train_ellinier": ["cls_prob", "multibox_loc_pred"],
    "ssd_sagemaker_boats": ["cls_prob", "multibox_loc_pred"],
    "djl_ssd512_resnet50": ["ssd0_concat23"],
}


@dataclass(frozen=True)
class WildNet:
    """A published net: its files (no parameters where only the symbol was published) and the shape of its input."""

    name: str
    symbol: Path
    params: Path | None
    shape: tuple[int, ...]

    @property
    def ends(self) -> list[str] | None:
        return ENDS.get(self.name)


def wild_nets() -> list[WildNet]:
    if not FOLDER.is_dir():
        return []
    lines = [line.split() for line in (FOLDER / "list").read_text().splitlines() if line[:1] not in ("#", "")]
    return [
        WildNet(name, FOLDER / symbol, None if params == "-" else FOLDER / params, tuple(map(int, shape.split(","))))
        for name, symbol, params, shape, _ in lines
    ]


def generator(purpose: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(purpose.encode()))


def picture(net: WildNet) -> np.ndarray:
    return generator(net.name).standard_normal(net.shape, dtype=np.float32)


def random_parameter(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values that keep activations in range; constants that Gluon keeps among the parameters are small and positive."""
    rng = generator(name)
    if name.endswith("weight") and len(shape) > 1:
        return (rng.standard_normal(shape) * np.sqrt(1 / np.prod(shape[1:]))).astype(np.float32)
    low, high = {"gamma": (0.3, 0.6), "var": (0.7, 1.3), "scale": (0.7, 1.3), "anchor": (0.1, 0.9)}.get(
        next((key for key in ("gamma", "var", "scale", "anchor") if key in name), ""), (-0.1, 0.1)
    )
    return rng.uniform(low, high, shape).astype(np.float32)


def sampled(net: WildNet, values: np.ndarray) -> dict[str, Any]:
    """Some values of an output, at places that depend on its size alone, and its largest."""
    places = generator(f"{net.name} {values.size}").integers(0, values.size, SAMPLES)
    return {
        "shape": list(values.shape),
        "largest": float(np.abs(values).max()),
        "values": [float(value) for value in values.ravel()[places]],
    }


def save_params(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a parameter file of MXNet 2, which needs no MXNet."""
    np.savez(path.open("wb"), **arrays)


def _record(mx: Any, net: WildNet) -> dict[str, Any]:
    from gluon2caffe.bridge.export import mxnet_symbol
    from gluon2caffe.bridge.export.cleanup import replace_losses
    from gluon2caffe.bridge.export.cut import cut_graph
    from gluon2caffe.bridge.mxnet_files import read_symbol

    graph = read_symbol(net.symbol)
    replace_losses(graph)
    graph = cut_graph(graph, net.ends, net.name) if net.ends else graph.with_heads(graph.heads)
    symbol = mxnet_symbol(graph, mx)
    arguments, _, states = symbol.infer_shape(data=net.shape)
    shapes = dict(zip(symbol.list_arguments(), arguments, strict=True))
    shapes.update(zip(symbol.list_auxiliary_states(), states, strict=True))
    del shapes["data"]
    if net.params:
        stored = {key.split(":")[1]: array for key, array in mx.nd.load(str(net.params)).items()}
        params = {name: stored[name].asnumpy() for name in shapes}
    else:
        params = {name: random_parameter(name, shape) for name, shape in shapes.items()}
    block = mx.gluon.SymbolBlock(symbol, [mx.sym.var("data")])
    for name, parameter in block.collect_params().items():
        parameter.shape = params[name].shape
        parameter.initialize()
        parameter.set_data(mx.nd.array(params[name]))
    made = block(mx.nd.array(picture(net)))
    outputs = [array.asnumpy() for array in (made if isinstance(made, (list, tuple)) else [made])]
    return {
        "parameters": {} if net.params else {name: list(shape) for name, shape in shapes.items()},
        "outputs": [sampled(net, values) for values in outputs],
    }


if __name__ == "__main__":
    from gluon2caffe.bridge.export import load_mxnet

    recorded = {net.name: _record(load_mxnet(), net) for net in wild_nets()}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in recorded.items())
    RECORD.write_text(f"{{\n{lines}\n}}\n")
