"""Quantise and measure: `python -m examples.int8.measure [sophgo] [rockchip]` writes docs/int8.json and docs/int8.md.

A few minutes for each toolchain, which `gluon2caffe readers setup sophgo rockchip` makes ready.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from examples.digits.classifier import accuracy_of, load_classifier, scores_of
from examples.digits.data import load_digit_sets
from examples.int8 import page
from examples.int8.files import write_files
from examples.int8.toolchains import run_rockchip, run_sophgo
from examples.scenes.data import CANVAS, held_out_scenes
from examples.scenes.demo import joined
from examples.scenes.detector import detect, load_detector, mean_average_precision
from gluon2caffe import detections
from gluon2caffe.bridge.verification.readers import installed_readers
from gluon2caffe.onnx2caffe.prototxt import outline, read_net
from gluon2caffe.ssd_heads import decode

RUN = {"sophgo": run_sophgo, "rockchip": run_rockchip}


def by_mxnet() -> dict[str, float]:
    """MXNet's own figures."""
    _, digits = load_digit_sets()
    scenes = held_out_scenes()
    return {
        "accuracy": accuracy_of(scores_of(load_classifier(), digits.pictures), digits.labels),
        "precision": mean_average_precision(detect(load_detector(), scenes.inputs()), scenes),
    }


def measure(toolchain: str, folder: Path) -> dict[str, Any]:
    """The figures of a toolchain, in float and in INT8."""
    write_files(folder, toolchain)
    _, digits = load_digit_sets()
    scenes = held_out_scenes()
    found: dict[str, Any] = {"float": {}, "int8": {}}
    for kind, file in RUN[toolchain](folder, "digits").items():
        (scores,) = np.load(file).values()
        found[kind]["accuracy"] = accuracy_of(scores.reshape(len(digits), -1), digits.labels)
    outputs = outline(read_net(folder / "scenes.prototxt")).outputs
    for kind, file in RUN[toolchain](folder, "scenes").items():
        arrays = dict(np.load(file))
        if toolchain == "rockchip":
            named = {name: arrays[str(place)] for place, name in enumerate(outputs)}
            each = [
                decode({name: array[i : i + 1] for name, array in named.items()}, str(folder / "scenes.heads.json"))
                for i in range(len(scenes))
            ]
        else:
            (rows,) = arrays.values()
            each = [detections(rows[i : i + 1], image_size=(CANVAS, CANVAS)) for i in range(len(scenes))]
        found[kind]["precision"] = mean_average_precision(joined(each), scenes)
    return found


def main() -> int:
    """Measure and write; the exit status is 1 where a toolchain asked for is not ready."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*RUN, []], help="toolchains; default: both")
    names = parser.parse_args().names or list(RUN)
    measured = {**page.load(), "MXNet": {"float": by_mxnet()}}
    missing = 0
    for name in names:
        ready = installed_readers([name])
        for reader, reason in ready.missing.items():
            missing += 1
            print(f"{reader} SKIPPED: {reason}", file=sys.stderr)
        for one in ready:
            with tempfile.TemporaryDirectory() as folder:
                measured[one.name] = {"version": one.version, **measure(name, Path(folder))}
            print(one.name, measured[one.name], flush=True)
    page.store(measured)
    page.PAGE.write_text(page.render(measured), encoding="utf-8")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
