"""Which number of a detection each column of a detector's outputs holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gluon2caffe.ssd_heads.description import Floats
from gluon2caffe.ssd_heads.detections import Detections
from gluon2caffe.ssd_heads.kinds.onnx_nms.rules import Chosen, as_corners
from gluon2caffe.ssd_heads.kinds.onnx_nms.tail import Array


class Column(NamedTuple):
    """A column of an output that is seen as rows."""

    output: int
    flat: bool
    number: int


@dataclass(frozen=True)
class Columns:
    """Where the outputs hold what.

    Attributes:
        score: of a detection; rows of no score are padding.
        label: of its class; None where there is one class only.
        shift: what is added to the class for it.
        corners: four columns: the two corners of the box, or its centre and size.
        centers: whether it is centre and size.
        coordinates: which coordinate of the net's own box each of them is.
        image: of the batch; None where images are told apart by their place, or there is one.
    """

    score: Column
    label: Column | None
    shift: int
    corners: tuple[Column, ...]
    centers: bool
    coordinates: tuple[int, ...]
    image: Column | None

    def read(self, outputs: Mapping[int, Array], images: int) -> Detections:
        """The detections that the outputs hold."""
        score = _values(outputs, self.score)
        real = score > 0
        label = np.zeros(len(score)) if self.label is None else _values(outputs, self.label) - self.shift
        boxes = np.stack([_values(outputs, column) for column in self.corners], axis=-1).astype(np.float32)
        per_image = max(1, len(score) // images)
        image = np.arange(len(score)) // per_image if self.image is None else _values(outputs, self.image)
        order = np.lexsort((-score, image))
        order = order[real[order]]
        corners = as_corners(boxes) if self.centers else boxes
        return Detections(
            ids=label[order].astype(np.int64),
            scores=score[order].astype(np.float32),
            boxes=corners[order],
            images=image[order].astype(np.int64),
        )


BOXES, SCORES = -1, -2
"""Places that the boxes (N, boxes, 4) and the scores (N, boxes, classes) have among the outputs."""


@dataclass(frozen=True)
class Indices:
    """An output that holds image, class and box of each detection.

    Attributes:
        output: its place.
        centers: whether the boxes are centres and sizes.
    """

    output: int
    centers: bool
    coordinates: tuple[int, ...] = (0, 1, 2, 3)

    def read(self, outputs: Mapping[int, Array], images: int) -> Detections:
        """The detections that the indices choose among the boxes and scores."""
        image, label, box = np.asarray(outputs[self.output], np.int64).reshape(-1, 3).T
        scores = outputs[SCORES][image, box, label]
        order = np.lexsort((-scores, image))
        corners = as_corners(outputs[BOXES]) if self.centers else outputs[BOXES]
        return Detections(ids=label[order], scores=scores[order], boxes=corners[image, box][order], images=image[order])


def find_reading(
    outputs: Mapping[int, Array], chosen: Chosen, boxes: Floats, scores: Floats, *, centers: bool
) -> Columns | Indices | None:
    """How the outputs hold these detections of boxes (N, boxes, 4) and scores (N, boxes, classes); None if they do not.

    All scores must be different, and above 0.
    """
    wanted = sorted(zip(chosen.image.tolist(), chosen.label.tolist(), chosen.box.tolist(), strict=True))
    for place, output in outputs.items():
        if place < 0 or output.dtype.kind not in "iu" or output.shape[-1:] != (3,):
            continue
        if sorted(map(tuple, output.reshape(-1, 3).tolist())) == wanted:
            return Indices(place, centers)
    return _find_columns({place: each for place, each in outputs.items() if place >= 0}, chosen, boxes, scores, centers)


def _find_columns(
    outputs: Mapping[int, Array], chosen: Chosen, boxes: Floats, scores: Floats, centers: bool
) -> Columns | None:
    expected = scores[chosen.image, chosen.box, chosen.label]
    images, classes = len(boxes), scores.shape[-1]
    rank = {float(value): number for number, value in enumerate(expected)}
    for column in _all_columns(outputs):
        values = _values(outputs, column)
        real = np.flatnonzero(values > 0)
        if sorted(values[real].tolist()) != sorted(rank):
            continue
        order = [rank[float(value)] for value in values[real]]
        wanted = Chosen(*(part[order] for part in chosen))
        others = {
            other: _values(outputs, other)[real]
            for other in _all_columns(outputs)
            if other != column and len(_values(outputs, other)) == len(values)
        }
        label = next((each for each, held in others.items() if _is_shifted(held, wanted.label)), None)
        own = boxes[wanted.image, wanted.box]
        box = _box(others, own, centers)
        image = next((each for each, held in others.items() if np.array_equal(held, wanted.image)), None)
        if box is None or (label is None and classes > 1):
            continue
        shift = 0 if label is None else int(others[label][0] - wanted.label[0])
        by_place = np.array_equal(real // max(1, len(values) // images), wanted.image)
        if images > 1 and image is None and not by_place:
            continue
        return Columns(column, label, shift, *box, image if images > 1 else None)
    return None


def _is_shifted(held: Array, label: Array) -> bool:
    difference = held - label
    return len(label) > 0 and len(np.unique(label)) > 1 and bool((difference == np.round(difference[0])).all())


def _box(
    others: Mapping[Column, Array], own: Floats, centers: bool
) -> tuple[tuple[Column, ...], bool, tuple[int, ...]] | None:
    """Four columns in a row that hold the box, as it is or as corners, in any order of its coordinates."""
    forms: list[tuple[bool, Floats]] = [(centers, own)]
    if centers:
        forms.append((False, as_corners(own)))
    for is_center, form in forms:
        found: dict[int, Column] = {}
        for column, held in others.items():
            for coordinate in range(4):
                if coordinate not in found and np.allclose(held, form[:, coordinate], rtol=1e-5, atol=1e-4):
                    found[coordinate] = column
        if len(found) < 4:
            continue
        places = sorted(found.items(), key=lambda item: item[1])
        order = tuple(coordinate for coordinate, _ in places)
        if {*order[:2]} == {0, 1}:
            return tuple(column for _, column in places), is_center, order
    return None


def _all_columns(outputs: Mapping[int, Array]) -> Sequence[Column]:
    found = []
    for place, output in outputs.items():
        if output.ndim > 1:
            found += [Column(place, False, number) for number in range(min(output.shape[-1], 16))]
        if output.ndim > 0:
            found.append(Column(place, True, 0))
    return found


def _values(outputs: Mapping[int, Array], column: Column) -> Array:
    output = np.asarray(outputs[column.output], np.float64)
    if column.flat:
        return output.reshape(-1)
    return output.reshape(-1, output.shape[-1])[:, column.number]
