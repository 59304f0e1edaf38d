"""What the toolchains are given: the Caffe files, a calibration set of training data, and the held-out inputs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from examples.digits.classifier import INPUT_SHAPE, load_classifier
from examples.digits.data import load_digit_sets
from examples.scenes.data import CANVAS, held_out_scenes, make_scenes
from examples.scenes.detector import load_detector
from gluon2caffe import to_caffe
from gluon2caffe.bridge.verification.ranges import write_calibration

CALIBRATION_DIGITS = 100
CALIBRATION_SCENES = 50
CALIBRATION_SEED = 7  # of scenes that neither the training nor the test has


def write_files(folder: Path, target: str) -> None:
    """Write ``digits`` and ``scenes`` as Caffe files for a target, each with NAME-set/ and NAME.npy, its inputs.

    The detector of Rockchip's files ends at its raw predictions, since there is no DetectionOutput.
    """
    training, held_out = load_digit_sets()
    raw: dict[str, Any] = {"heads": "raw"} if target == "rockchip" else {}
    to_caffe(load_classifier(), INPUT_SHAPE, target=target).save(folder / "digits")
    to_caffe(load_detector(), target=target, **raw).save(folder / "scenes")
    scenes = make_scenes(training, CALIBRATION_SCENES, CALIBRATION_SEED)
    for name, calibration, shape, inputs in (
        ("digits", training.pictures[:CALIBRATION_DIGITS], INPUT_SHAPE, held_out.pictures),
        ("scenes", scenes.inputs(), (1, 3, CANVAS, CANVAS), held_out_scenes().inputs()),
    ):
        listing = write_calibration(folder / f"{name}-set", {"data": calibration}, {"data": shape})
        # tpu-mlir reads every file of a folder, so it gets one with nothing else in it.
        (folder / f"{name}-npz").mkdir()
        for file in listing.parent.glob("*.npz"):
            shutil.copy(file, folder / f"{name}-npz")
        np.save(folder / f"{name}.npy", inputs)
