"""MXNet's detections and a Caffe's as plain lists, and whether they are the same; nothing of ssd_heads is used here."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gluon2caffe import load_mxnet
from gluon2caffe.bridge.conversion import Conversion

SCORE = 1e-4
CORNER = 0.05  # pixels


class Found(NamedTuple):
    """One detection; the box in pixels."""

    image: int
    label: int
    score: float
    box: tuple[float, ...]


def of_mxnet(net: Any, x: np.ndarray) -> list[Found]:
    """What `net(x)` gives, by image and falling score."""
    ids, scores, boxes = (part.asnumpy() for part in net(load_mxnet().nd.array(x)))
    found = [
        Found(image, int(ids[image, k, 0]), float(scores[image, k, 0]), tuple(boxes[image, k].tolist()))
        for image in range(len(ids))
        for k in range(ids.shape[1])
        if ids[image, k, 0] >= 0
    ]
    return sorted(found, key=lambda one: (one.image, -one.score))


def of_rows(rows: np.ndarray, size: tuple[int, int], threshold: float = 0.01) -> list[Found]:
    """What a DetectionOutput blob holds: rows of image, label, score and corners as parts of the image."""
    height, width = size
    found = [
        Found(int(row[0]), int(row[1]) - 1, float(row[2]), tuple((row[3:] * [width, height, width, height]).tolist()))
        for row in np.asarray(rows, np.float64).reshape(-1, 7)
        if row[1] >= 1 and row[2] > threshold - 1e-6
    ]
    return sorted(found, key=lambda one: (one.image, -one.score))


def of_opencv(model: Conversion, x: np.ndarray, folder: Path, blob: str = "detection_out") -> np.ndarray:
    """The blob as OpenCV computes it, in this process."""
    import cv2

    saved = model.save(folder / "by_hand")
    net = cv2.dnn.readNetFromCaffe(str(saved.prototxt), str(saved.caffemodel))
    net.setInput(np.ascontiguousarray(x, np.float32))
    return np.asarray(net.forward(blob))


def of_onnx(model: Any, x: np.ndarray) -> np.ndarray:
    """The first output of an ONNX model in onnxruntime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (value, *_) = session.run(None, {session.get_inputs()[0].name: x})
    return np.asarray(value)


def without(found: list[Found], reference: list[Found]) -> list[Found]:
    """Take each detection of `reference` out of `found`, once, and return what is left.

    Raises:
        AssertionError: one is not there, by image, class, score and corners.
    """
    left = list(found)
    for wanted in reference:
        near = [
            one
            for one in left
            if (one.image, one.label) == (wanted.image, wanted.label)
            and abs(one.score - wanted.score) <= SCORE
            and np.abs(np.subtract(one.box, wanted.box)).max() <= CORNER
        ]
        assert near, f"{wanted} is not among {len(found)} detections"
        left.remove(min(near, key=lambda one: np.abs(np.subtract(one.box, wanted.box)).max()))
    return left


def assert_same(found: list[Found], reference: list[Found]) -> None:
    """Assert that both lists hold the same detections, in the same order by score."""
    assert len(found) == len(reference)
    assert without(found, reference) == []
    np.testing.assert_allclose([one.score for one in found], [one.score for one in reference], atol=SCORE)
