"""Non-maximum suppression as detectors do it, by rules that are data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gluon2caffe.ssd_heads.decoding import Places, first_of_classes, survivors
from gluon2caffe.ssd_heads.description import Floats


@dataclass(frozen=True)
class Rules:
    """What becomes of boxes and scores. A number of boxes of 0 means all.

    Attributes:
        centers: whether a box is centre and size instead of two corners.
        best_class: whether a box has a score for its best class only.
        background: the class that is not reported; None for none.
        across_classes: whether a box suppresses those of other classes.
        threshold: a box enters for scores above this.
        overlap: overlap above which the weaker box goes.
        topk: number of boxes of all classes together that enter.
        class_topk: number of boxes of each class that enter.
        class_limit: number of boxes of each class that suppression lets through.
        keep: number of boxes that are reported.
    """

    centers: bool
    best_class: bool
    background: int | None
    across_classes: bool
    threshold: float
    overlap: float
    topk: int = 0
    class_topk: int = 0
    class_limit: int = 0
    keep: int = 0


class Chosen(NamedTuple):
    """Detections by falling score, image by image; labels are columns of the scores."""

    image: Places
    box: Places
    label: Places


def choose(boxes: Floats, scores: Floats, rules: Rules) -> Chosen:
    """Apply the rules to boxes (N, boxes, 4) and scores (N, boxes, classes)."""
    corners = as_corners(boxes) if rules.centers else boxes
    parts = [_chosen(corners[image], scores[image], rules) for image in range(len(boxes))]
    image = np.repeat(np.arange(len(parts)), [len(box) for box, _ in parts])
    return Chosen(image, *(np.concatenate([part[k] for part in parts]) for k in range(2)))


def as_corners(boxes: Floats) -> Floats:
    """Centre and size as corners."""
    half = boxes[..., 2:] / 2
    return np.concatenate([boxes[..., :2] - half, boxes[..., :2] + half], axis=-1)


def _chosen(corners: Floats, scores: Floats, rules: Rules) -> tuple[Places, Places]:
    allowed = scores > rules.threshold
    if rules.best_class:
        allowed &= scores == scores.max(axis=-1, keepdims=True)
    if rules.background is not None:
        allowed[:, rules.background] = False
    box, label = np.nonzero(allowed)
    order = np.argsort(-scores[box, label], kind="stable")
    box, label = box[order][: rules.topk or None], label[order][: rules.topk or None]
    box, label = first_of_classes(box, label, rules.class_topk)
    groups = np.zeros_like(label) if rules.across_classes else label
    stays = survivors(corners[box], groups, rules.overlap)
    box, label = first_of_classes(box[stays], label[stays], rules.class_limit)
    return box[: rules.keep or None], label[: rules.keep or None]
