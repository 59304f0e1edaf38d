"""Reading what a DetectionOutput layer gives, from any reader."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Detections(NamedTuple):
    """Boxes found, by image and then by falling score.

    Attributes:
        ids: (K,) class index from 0, int64, as GluonCV counts (without background).
        scores: (K,) float32.
        boxes: (K, 4) float32 corners x1, y1, x2, y2 in pixels.
        images: (K,) index of the image in the batch, int64.
    """

    ids: npt.NDArray[np.int64]
    scores: Floats
    boxes: Floats
    images: npt.NDArray[np.int64]


def detections(output: npt.ArrayLike, image_size: int | tuple[int, int], *, score_threshold: float = 0.0) -> Detections:
    """Turn a DetectionOutput blob into class ids, scores and boxes in pixels, as `net(x)` gives them.

    Args:
        output: (1, 1, K, 7) or any shape of rows of seven: image, label (0 is background), score, corners as parts of
            the image. Caffe groups rows by class and gives a row of -1 where nothing is found; OpenCV sorts by score
            and pads with rows of zeros. Both are understood, and so are rows of six without the image, of one image,
            as ncnn and MNN give them.
        image_size: (height, width) of the net's input in pixels, or its side.
        score_threshold: rows below it are left out.

    Raises:
        ValueError: the output is not made of rows of seven or six.
    """
    array = np.asarray(output, np.float32)
    width = array.shape[-1] if array.ndim else 0
    if width not in (6, 7):
        raise ValueError(f"a DetectionOutput blob is made of rows of 7 or 6 numbers, not of shape {array.shape}")
    rows = array.reshape(-1, width)
    if width == 6:
        rows = np.concatenate([np.zeros((len(rows), 1), np.float32), rows], axis=1)
    rows = rows[(rows[:, 1] > 0) & (rows[:, 2] >= score_threshold)]
    rows = rows[np.lexsort((-rows[:, 2], rows[:, 0]))]
    height, width = np.broadcast_to(np.asarray(image_size), 2).tolist()
    extent = np.array([width, height, width, height], np.float32)
    return Detections(
        ids=rows[:, 1].astype(np.int64) - 1,
        scores=rows[:, 2],
        boxes=rows[:, 3:] * extent,
        images=rows[:, 0].astype(np.int64),
    )


def from_gluon(ids: npt.ArrayLike, scores: npt.ArrayLike, boxes: npt.ArrayLike) -> Detections:
    """What `net(x)` returns, (N, K, 1), (N, K, 1) and (N, K, 4) with ids of -1 for nothing, as `detections` does."""
    return rows_of(np.asarray(ids, np.float32)[..., 0], np.asarray(scores, np.float32)[..., 0], boxes)


def rows_of(ids: npt.NDArray[Any], scores: npt.NDArray[Any], boxes: npt.ArrayLike) -> Detections:
    """Detections of arrays (N, K), (N, K) and (N, K, 4) in pixels, where ids below 0 mean nothing."""
    values, corners = np.asarray(scores, np.float32), np.asarray(boxes, np.float32)
    image, place = np.nonzero(ids >= 0)
    order = np.lexsort((-values[image, place], image))
    image, place = image[order], place[order]
    return Detections(
        ids=ids[image, place].astype(np.int64),
        scores=values[image, place],
        boxes=corners[image, place],
        images=image.astype(np.int64),
    )
