"""The commands of each toolchain, as a person types them, and what runs them."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from examples.digits.classifier import INPUT_SHAPE
from examples.scenes.data import CANVAS
from gluon2caffe.bridge.verification.readers.environment import read_marker, readers_folder
from gluon2caffe.bridge.verification.readers.process import clean_environment
from gluon2caffe.bridge.verification.readers.sophgo_reader import KIND as SOPHGO

PROGRAMS = Path(__file__).parent
SIDES = {"digits": INPUT_SHAPE[2], "scenes": CANVAS}
CHIP = "bm1684x"


def sophgo_commands(name: str) -> list[str]:
    """What to type for PREFIX `name`; model_deploy keeps the quantised model for its interpreter with --debug."""
    side = SIDES[name]
    return [
        f"model_transform.py --model_name {name} --model_def {name}.prototxt --model_data {name}.caffemodel"
        f" --input_shapes [[1,3,{side},{side}]] --mlir {name}.mlir",
        f"run_calibration.py {name}.mlir --dataset {name}-npz --input_num {50 if name == 'scenes' else 100}"
        f" -o {name}_cali",
        f"model_deploy.py --mlir {name}.mlir --quantize INT8 --calibration_table {name}_cali --processor {CHIP}"
        f" --model {name}_int8.bmodel --debug",
    ]


def rockchip_lines(name: str) -> list[str]:
    """The lines of Python that build the quantised model."""
    return [
        "rknn.config(mean_values=[[0, 0, 0]], std_values=[[1, 1, 1]], target_platform='rk3588')",
        f"rknn.load_caffe(model='{name}.prototxt', blobs='{name}.caffemodel')",
        f"rknn.build(do_quantization=True, dataset='{name}-set/dataset.txt')",
        f"rknn.export_rknn('{name}.rknn')",
    ]


def run_sophgo(folder: Path, name: str) -> dict[str, Path]:
    """Quantise and run; "float" and "int8" -> the outputs of all inputs."""
    environment = {**clean_environment(), **SOPHGO.variables(readers_folder() / SOPHGO.name), "OMP_NUM_THREADS": "1"}
    for command in sophgo_commands(name):
        _run(["sh", "-c", command], folder, environment)
    models = {"float": f"{name}.mlir", "int8": f"{name}_{CHIP}_int8_sym_tpu.mlir"}
    for kind, model in models.items():
        program = [_python("sophgo"), str(PROGRAMS / "sophgo_program.py"), model, f"{name}.npy", f"{name}-{kind}.npz"]
        _run(program, folder, environment)
    return {kind: folder / f"{name}-{kind}.npz" for kind in models}


def run_rockchip(folder: Path, name: str) -> dict[str, Path]:
    """Quantise and run; "float" (half precision) and "int8" -> the outputs of all inputs."""
    environment = {**clean_environment(), "OMP_NUM_THREADS": "1"}
    for kind, dataset in (("float", "-"), ("int8", f"{name}-set/dataset.txt")):
        program = str(PROGRAMS / "rockchip_program.py")
        _run([_python("rockchip"), program, name, dataset, f"{name}.npy", f"{name}-{kind}.npz"], folder, environment)
    return {kind: folder / f"{name}-{kind}.npz" for kind in ("float", "int8")}


def _python(reader: str) -> str:
    """The interpreter of a toolchain; KeyError where it is not set up."""
    folder = readers_folder() / reader
    ready = read_marker(folder)
    if ready is None:
        raise KeyError(f"{reader} is not set up. Try: gluon2caffe readers setup {reader}")
    return str(folder / ready.python)


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(f"{shlex.join(command)} ended with status {found.returncode}: {found.stderr[-2000:]}")
