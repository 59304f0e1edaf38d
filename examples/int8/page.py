"""The page docs/int8.md: what to type for Sophgo's and Rockchip's chips, and what becomes of the two trained nets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from examples.int8.toolchains import CHIP, rockchip_lines, sophgo_commands

DOCS = Path(__file__).parents[2] / "docs"
MEASUREMENTS, PAGE = DOCS / "int8.json", DOCS / "int8.md"

HEAD = """# From Gluon to a chip, in INT8

The classifier of digits and the detector of scenes (`examples/`) on Sophgo's and Rockchip's toolchains, quantised with
a calibration set of training data that this package writes. `python -m examples.int8.measure` runs all of it and writes
this page.
"""


def load() -> dict[str, Any]:
    """What was measured; empty before the first time."""
    found: dict[str, Any] = json.loads(MEASUREMENTS.read_text(encoding="utf-8")) if MEASUREMENTS.exists() else {}
    return found


def store(measured: dict[str, Any]) -> None:
    """Write it."""
    MEASUREMENTS.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")


def render(measured: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "| run by | version | numbers | accuracy | mAP |",
        "|---|---|---|--:|--:|",
    ]
    for name, row in measured.items():
        for kind in ("float", "int8"):
            if kind in row:
                figures = row[kind]
                words = "half precision" if (name, kind) == ("Rockchip", "float") else kind
                cells = f"{name} | {row.get('version', '')} | {words}"
                lines.append(f"| {cells} | {figures['accuracy']:.2%} | {figures['precision']:.2%} |")
    return "\n".join([HEAD, *lines, "", _sophgo(), "", _rockchip()]) + "\n"


def _sophgo() -> str:
    commands = "\n".join(f"    {command}" for command in sophgo_commands("scenes"))
    return f"""## Sophgo: tpu-mlir

    gluon2caffe convert scenes-symbol.json scenes-0000.params -o scenes --target sophgo
    gluon2caffe ranges scenes --samples photos/ --calibration scenes-set
{commands}

`model_transform` takes `--mean`, `--scale` and `--pixel_format` where preprocessing is not in the net; `gluon2caffe
convert` prints the line. `--dataset` is a folder with the `.npz` files of the calibration set and nothing else.
`run_calibration` imports scikit-learn. The detector keeps its `DetectionOutput`: rows of seven, as in Caffe. INT8 was
run in the interpreter for the quantised model of a {CHIP}, which `--debug` leaves there."""


def _rockchip() -> str:
    lines = "\n".join(f"    {line}" for line in rockchip_lines("scenes"))
    return f"""## Rockchip: rknn-toolkit2

    gluon2caffe convert scenes-symbol.json scenes-0000.params -o scenes --target rockchip --heads raw
    gluon2caffe ranges scenes --samples photos/ --calibration scenes-set

In Python:

    rknn = RKNN()
{lines}

`mean_values` and `std_values` are for images of 0 to 255 that are not preprocessed in the net. There is no
`DetectionOutput`: the detector ends at its raw predictions, and `gluon2caffe.decode` finishes them from
`scenes.heads.json`. It was run in the simulator for an rk3588."""
