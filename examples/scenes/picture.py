"""A picture of scenes with the boxes of MXNet and of Caffe drawn over each other."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from examples.scenes.data import CANVAS, CLASSES, Scenes
from examples.scenes.detector import in_picture
from gluon2caffe.onnx2caffe.errors import OutputError
from gluon2caffe.ssd_heads import Detections

COLUMNS, ROWS = 3, 2
LEAST_DIGITS = 4
ZOOM = 3
GAP = 12  # pixels between the scenes
LEGEND = 40  # pixels below them
SHOWN_FROM = 0.5  # the score

Colour = tuple[int, int, int]  # blue, green, red, as OpenCV wants them
PAPER: Colour = (255, 255, 255)
TEXT: Colour = (60, 40, 30)
MXNET: Colour = (90, 40, 10)
CAFFE: Colour = (60, 220, 255)
THICK, THIN = 7, 2

FONT = cv2.FONT_HERSHEY_SIMPLEX
# The canvases' noise is hard to compress.
SMALLEST_FILE = (cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_FILTERED)
FRACTION_BITS = 4  # OpenCV draws at sixteenths of a pixel


def save_picture(path: Path, scenes: Scenes, by_mxnet: Detections, by_caffe: Detections) -> None:
    """Draw the first six scenes that hold at least four digits, MXNet's boxes as thick outlines, Caffe's as thin ones.

    Boxes with a score of at least a half are drawn, labelled with the class and score that MXNet gives.

    Raises:
        OutputError: the picture cannot be written.

    """
    side = CANVAS * ZOOM
    sheet = np.full((ROWS * (side + GAP) + GAP + LEGEND, COLUMNS * (side + GAP) + GAP, 3), PAPER, np.uint8)
    (full,) = np.nonzero((scenes.labels[:, :, 4] >= 0).sum(axis=1) >= LEAST_DIGITS)
    for place, index in enumerate(full[: ROWS * COLUMNS]):
        row, column = divmod(place, COLUMNS)
        top, left = GAP + row * (side + GAP), GAP + column * (side + GAP)
        drawn = draw_scene(scenes.pictures[index], in_picture(by_mxnet, index), in_picture(by_caffe, index))
        sheet[top : top + side, left : left + side] = drawn
    _draw_legend(sheet)
    if not cv2.imwrite(str(path), sheet, SMALLEST_FILE):
        raise OutputError(f"{path} cannot be written")


def draw_scene(picture: np.ndarray, by_mxnet: Detections, by_caffe: Detections) -> np.ndarray:
    """Return one scene, uint8 RGB (128, 128, 3), three times as large in BGR with both sets of boxes."""
    drawn: np.ndarray = cv2.resize(picture[:, :, ::-1], None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    for found, colour, thickness in ((by_mxnet, MXNET, THICK), (by_caffe, CAFFE, THIN)):
        for box in found.boxes[found.scores >= SHOWN_FROM]:
            # A box is bounded by edges of pixels, a line is drawn through their middles.
            corners = np.round((box.astype(np.float64) * ZOOM - 0.5) * 2**FRACTION_BITS).astype(int).tolist()
            cv2.rectangle(drawn, corners[:2], corners[2:], colour, thickness, cv2.LINE_AA, FRACTION_BITS)
    labels = np.zeros(drawn.shape[:2], dtype=bool)  # where labels stand already
    for digit, score, box, _ in zip(*by_mxnet, strict=True):
        if score >= SHOWN_FROM:
            _draw_label(drawn, labels, f"{CLASSES[digit]}  {score:.2f}", box * ZOOM)
    return drawn


def _draw_label(drawn: np.ndarray, labels: np.ndarray, text: str, box: np.ndarray) -> None:
    """Write a label above a box, given in pixels of the drawing; below it where there is no room above."""
    (width, height), _ = cv2.getTextSize(text, FONT, 0.42, 1)
    width, height = width + 8, height + 8
    left, top, _, bottom = (round(float(edge)) for edge in box)
    left = min(max(left - THICK // 2, 0), drawn.shape[1] - width)
    above, below = top - THICK // 2 - height, min(bottom + THICK // 2, drawn.shape[0] - height)
    free = above >= 0 and not labels[above : above + height, left : left + width].any()
    top = above if free else below
    labels[top : top + height, left : left + width] = True
    cv2.rectangle(drawn, (left, top), (left + width - 1, top + height - 1), MXNET, cv2.FILLED)
    cv2.putText(drawn, text, (left + 4, top + height - 4), FONT, 0.42, PAPER, 1, cv2.LINE_AA)


def _draw_legend(sheet: np.ndarray) -> None:
    """Show below the scenes whose line is whose."""
    middle = sheet.shape[0] - GAP // 2 - LEGEND // 2
    left = GAP
    for text, lines in (
        ("MXNet", [(MXNET, THICK)]),
        ("Caffe files in OpenCV", [(CAFFE, THIN)]),
        ("both in one place", [(MXNET, THICK), (CAFFE, THIN)]),
    ):
        for colour, thickness in lines:
            cv2.line(sheet, (left + 4, middle), (left + 48, middle), colour, thickness, cv2.LINE_AA)
        cv2.putText(sheet, text, (left + 60, middle + 5), FONT, 0.55, TEXT, 1, cv2.LINE_AA)
        left += 60 + cv2.getTextSize(text, FONT, 0.55, 1)[0][0] + 40
