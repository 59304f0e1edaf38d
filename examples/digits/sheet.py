"""A picture of held-out digits with what MXNet and Caffe read in them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from examples.digits.data import DigitSet
from gluon2caffe.onnx2caffe.errors import OutputError

COLUMNS, ROWS = 8, 3
SIDE = 96  # pixels of one digit
CAPTION = 40  # pixels of the two lines below it
MARGIN = 12
BLACK, RED = (0, 0, 0), (0, 0, 200)  # blue, green, red, as OpenCV wants them


def save_sheet(path: Path, digits: DigitSet, by_mxnet: np.ndarray, by_caffe: np.ndarray) -> None:
    """Draw 24 digits, those that MXNet misreads first, with both labels (N,); a label is red when it is wrong.

    Raises:
        OutputError: the picture cannot be written.

    """
    misread_first = np.argsort(by_mxnet == digits.labels, kind="stable")
    cells = [
        _cell(digits.pictures[index, 0], digits.labels[index], by_mxnet[index], by_caffe[index])
        for index in misread_first[: COLUMNS * ROWS]
    ]
    rows = [np.hstack(cells[start : start + COLUMNS]) for start in range(0, COLUMNS * ROWS, COLUMNS)]
    if not cv2.imwrite(str(path), np.vstack(rows)):
        raise OutputError(f"{path} cannot be written")


def _cell(picture: np.ndarray, label: int, by_mxnet: int, by_caffe: int) -> np.ndarray:
    paper = np.uint8(255) - (picture * 255).round().astype(np.uint8)
    cell = np.full((SIDE + CAPTION + 2 * MARGIN, SIDE + 2 * MARGIN, 3), 255, np.uint8)
    enlarged = cv2.resize(paper, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    cell[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE] = enlarged[:, :, np.newaxis]
    for line, (reader, answer) in enumerate((("MXNet", by_mxnet), ("Caffe", by_caffe)), start=1):
        origin = (MARGIN, MARGIN + SIDE + line * CAPTION // 2)
        colour = BLACK if answer == label else RED
        cv2.putText(cell, f"{reader} {answer}", origin, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return cell
