"""Detections from the raw predictions of a net, in numpy, as its decoder and suppression would give them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from gluon2caffe.ssd_heads.detections import Detections, Floats, rows_of

Places = npt.NDArray[np.int64]


class DecoderDocument(TypedDict, total=False):
    """What PREFIX.heads.json holds.

    Attributes:
        kind: "priors" for predictions relative to priors, "corners" for boxes as they are, "centers" for peaks of a
            heat map.
        outputs: the names of the outputs: scores (N, boxes, classes + 1), the background's first, and boxes
            (N, boxes, 4); for centers the heat map (N, classes, H, W), sizes and offsets (N, 2, H, W).
        image_size: (height, width) in pixels.
        score_threshold: a box enters for scores above this.
        nms_threshold: overlap above which the weaker box goes; None where there is no suppression.
        nms_topk: number of boxes of all classes that enter; 0 or less for all.
        class_topk: number of boxes of each class that enter; 0 for all.
        class_limit: number of boxes of each class that suppression lets through; 0 for all.
        post_nms: number of boxes reported; 0 or less for all.
        best_class: whether a box has a score for its best class only.
        across_classes: whether a box suppresses those of other classes.
        clips: whether boxes are clipped to the picture before suppression.
        largest_growth: upper bound of the logarithm by which a prior grows; None for none.
        scale: pixels of the picture per cell of the heat map.
    """

    kind: str
    outputs: list[str]
    image_size: list[int]
    score_threshold: float
    nms_threshold: float | None
    nms_topk: int
    class_topk: int
    class_limit: int
    post_nms: int
    best_class: bool
    across_classes: bool
    clips: bool
    largest_growth: float | None
    scale: float


def decode(
    outputs: Mapping[str, npt.ArrayLike],
    heads: DecoderDocument | Mapping[str, Any] | str | PathLike[str],
    priors: npt.ArrayLike | None = None,
) -> Detections:
    """Decode and suppress the raw predictions of a detector that was converted with `heads="raw"`.

    Args:
        outputs: name -> float32 array, as any reader gives them.
        heads: the path of PREFIX.heads.json, or what it holds.
        priors: (1, 2, 4·boxes) for heads that have priors; read from PREFIX.priors.npy beside the file where left out.

    Raises:
        ValueError: an output is missing or has another shape, or there are no priors.
    """
    document: Mapping[str, Any]
    if isinstance(heads, Mapping):
        document = heads
    else:
        path = Path(fspath(heads))
        document = json.loads(path.read_text(encoding="utf-8"))
        if priors is None and document["kind"] == "priors":
            priors = np.load(path.with_name(path.name.removesuffix("heads.json") + "priors.npy"))
    if document["kind"] == "centers":
        heat, sizes, offsets = (_output(outputs, name, 4) for name in document["outputs"])
        return _peaks(heat, sizes, offsets, document)
    scores, boxes = (_output(outputs, name, 3) for name in document["outputs"])
    if document["kind"] == "priors":
        if priors is None:
            raise ValueError("these heads have priors: give them, as PREFIX.priors.npy holds them")
        scores, boxes = _softmax(scores), _from_priors(boxes, np.asarray(priors, np.float32), document)
    else:
        height, width = document["image_size"]
        boxes = boxes / np.array([width, height] * 2, np.float32)
    if document["clips"]:
        boxes = np.clip(boxes, 0, 1)
    return _suppressed(scores[..., 1:], boxes, document)


def _output(outputs: Mapping[str, npt.ArrayLike], name: str, axes: int) -> Floats:
    if name not in outputs:
        raise ValueError(f"the output {name!r} is missing: found {', '.join(outputs)}")
    array = np.asarray(outputs[name], np.float32)
    if array.ndim != axes:
        raise ValueError(f"the output {name!r} has shape {array.shape}, expected {axes} axes")
    return array


def _peaks(heat: Floats, sizes: Floats, offsets: Floats, document: Mapping[str, Any]) -> Detections:
    """The best cells that no neighbour exceeds, as CenterNetDecoder in gluoncv/nn/coder.py."""
    images, _, height, width = heat.shape
    padded = np.pad(heat, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    shifted = [padded[:, :, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    peaks = np.where(np.max(shifted, axis=0) == heat, heat, 0).reshape(images, -1)
    best = np.argsort(-peaks, axis=1, kind="stable")[:, : document["post_nms"]]
    label, cell = np.divmod(best, height * width)
    row, column = np.divmod(cell, width)
    image = np.arange(images)[:, None]
    centre = np.stack([column, row], axis=-1) + np.moveaxis(offsets, 1, -1)[image, row, column]
    half = np.moveaxis(sizes, 1, -1)[image, row, column] / 2
    corners = np.concatenate([centre - half, centre + half], axis=-1) * document["scale"]
    return rows_of(label, peaks[image, best], np.asarray(corners, np.float32))


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def _from_priors(predictions: Floats, priors: Floats, document: Mapping[str, Any]) -> Floats:
    """Corners as parts of the picture."""
    corners, variances = priors.reshape(2, -1, 4)
    size = corners[:, 2:] - corners[:, :2]
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    scaled = predictions * variances
    growth = scaled[..., 2:]
    if document["largest_growth"] is not None:
        growth = np.minimum(growth, np.float32(document["largest_growth"]))
    middle, half = scaled[..., :2] * size + centre, np.exp(growth) * size / 2
    return np.asarray(np.concatenate([middle - half, middle + half], axis=-1), np.float32)


def _suppressed(scores: Floats, boxes: Floats, document: Mapping[str, Any]) -> Detections:
    """As MXNet's box_nms: the best `nms_topk` of all classes, then suppression, then the best `post_nms`."""
    height, width = document["image_size"]
    if document["best_class"]:
        scores = np.where(scores == scores.max(axis=-1, keepdims=True), scores, 0)
    kept = []
    for image_scores, image_boxes in zip(scores, boxes, strict=True):
        box, label = np.nonzero(image_scores > document["score_threshold"])
        order = np.argsort(-image_scores[box, label], kind="stable")
        if document["nms_topk"] > 0:
            order = order[: document["nms_topk"]]
        box, label = first_of_classes(box[order], label[order], document.get("class_topk", 0))
        if document["nms_threshold"] is not None:
            groups = np.zeros_like(label) if document["across_classes"] else label
            stays = survivors(image_boxes[box], groups, document["nms_threshold"])
            box, label = first_of_classes(box[stays], label[stays], document.get("class_limit", 0))
        most = document["post_nms"] if document["post_nms"] > 0 else len(box)
        kept.append((label[:most], image_scores[box[:most], label[:most]], image_boxes[box[:most]]))
    longest = max((len(label) for label, _, _ in kept), default=0)
    ids, values, corners = (
        np.full((len(kept), longest, *more), fill, np.float32) for more, fill in (((), -1), ((), 0), ((4,), 0))
    )
    for image, (label, value, corner) in enumerate(kept):
        ids[image, : len(label)], values[image, : len(label)], corners[image, : len(label)] = label, value, corner
    return rows_of(ids, values, corners * np.array([width, height] * 2, np.float32))


def first_of_classes(box: Places, label: Places, most: int) -> tuple[Places, Places]:
    """The first `most` boxes of each class; all where that is 0."""
    if not most:
        return box, label
    kept = np.sort(np.concatenate([np.flatnonzero(label == each)[:most] for each in np.unique(label)] or [label]))
    return box[kept], label[kept]


def survivors(boxes: Floats, groups: Places, threshold: float) -> list[int]:
    """Places of the boxes, best first, that no better one of their group overlaps by more than `threshold`."""
    area = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1)
    alive = np.ones(len(boxes), bool)
    stays = []
    for place in range(len(boxes)):
        if not alive[place]:
            continue
        stays.append(place)
        rest = np.arange(place + 1, len(boxes))[alive[place + 1 :] & (groups[place + 1 :] == groups[place])]
        first = np.maximum(boxes[place, :2], boxes[rest, :2])
        shared = np.clip(np.minimum(boxes[place, 2:], boxes[rest, 2:]) - first, 0, None).prod(axis=1)
        union = area[place] + area[rest] - shared
        overlap = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
        alive[rest[overlap > threshold]] = False
    return stays
