"""By which rules the end of a detector suppresses boxes: found out by running it on chosen boxes and scores.

Exporters write the same suppression in dozens of ways: classes kept apart by moving their boxes, candidates taken by
NonZero or TopK, results gathered, sorted, padded. What counts is what comes out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

from gluon2caffe.ssd_heads.description import Floats
from gluon2caffe.ssd_heads.kinds.onnx_nms.columns import BOXES, SCORES, Columns, Indices, find_reading
from gluon2caffe.ssd_heads.kinds.onnx_nms.rules import Rules, choose
from gluon2caffe.ssd_heads.kinds.onnx_nms.tail import Array, Tail, other_form

Extent = tuple[float, float]
Doubles = npt.NDArray[np.float64]

# Few enough that no usual limit of the number of detections matters.
_FEW = 7
# More boxes than this are not tried at once, since pairs of them are compared: a limit beyond it is not noticed.
_MANY = 3000


@dataclass(frozen=True)
class Recognised:
    """The rules, and where the outputs hold what comes of them."""

    rules: Rules
    columns: Columns | Indices


@dataclass(frozen=True)
class _Probe:
    """Boxes (N, boxes, 4), scores (N, boxes, classes), and the outputs for them."""

    boxes: Floats
    scores: Floats
    outputs: dict[int, Array]


def recognise(tail: Tail, extent: Extent) -> Recognised:
    """Find the rules by which a tail suppresses boxes.

    Args:
        tail: of the graph.
        extent: (height, width) that boxes lie in.

    Raises:
        SourceError: there are none that explain what comes out.
    """
    generator = np.random.default_rng(0)
    overlap = _overlap(tail)
    for centers in (tail.node.attrs.get("center_point_box", 0) == 1, True, False):
        probe, *others = [_run(tail, _few(tail, extent, generator), centers) for _ in range(4)]
        for rules in _basic_rules(tail, overlap, centers=centers):
            columns = find_reading(
                probe.outputs, choose(probe.boxes, probe.scores, rules), probe.boxes, probe.scores, centers=centers
            )
            if columns is not None and all(_explains(tail, rules, columns, other) for other in others):
                return _with_limits(tail, Recognised(rules, columns), extent, generator)
    raise other_form(tail.node, "what comes out of it is not what suppression within each class gives")


def _overlap(tail: Tail) -> float:
    inputs = tail.node.inputs
    if len(inputs) < 4 or not inputs[3].name:
        return 0.0
    if not isinstance(inputs[3], gs.Constant):
        raise other_form(tail.node, "its overlap is computed")
    return float(inputs[3].values.reshape(-1)[0])


def _basic_rules(tail: Tail, overlap: float, *, centers: bool) -> Iterator[Rules]:
    """All that may hold where few boxes are suppressed, the usual ones first."""
    width = tail.scores.width
    backgrounds = (None, 0, width - 1) if width > 1 else (None,)
    own = tail.node.inputs[4] if len(tail.node.inputs) > 4 else None
    thresholds = {0.0, *(value for value in tail.numbers("f") if 0 < value < 1)}
    first = [float(own.values.reshape(-1)[0])] if isinstance(own, gs.Constant) else []
    ordered = [value for value in first if value > 0] + sorted(thresholds - set(first), reverse=True)
    for across, background, best, threshold in product(
        (False, True), backgrounds, (False, True) if width > 1 else (False,), ordered
    ):
        if not (across and width == 1):
            yield Rules(centers, best, background, across, threshold, overlap)


def _with_limits(tail: Tail, found: Recognised, extent: Extent, generator: np.random.Generator) -> Recognised:
    """Add how many boxes enter and leave, and check everything on many boxes."""
    basic, columns, width = found.rules, found.columns, tail.scores.width
    apart, scores = _apart(tail, extent, basic)
    one_class = _run(tail, (apart, scores), basic.centers)
    all_classes = _run(tail, (apart, _all_scored(tail, generator)), basic.centers)
    crowds = [
        _crowded(tail, extent, (members, classes), basic, generator)
        for members, classes in product((9, 4, 2), (1, width))
    ]
    crowds.append((crowds[-1][0], _all_scored(tail, generator)))
    probes = [one_class, all_classes, *(_run(tail, crowd, basic.centers) for crowd in crowds)]
    for limits in _limits(tail, basic, columns, one_class, all_classes):
        rules = replace(basic, **limits)
        if all(_explains(tail, rules, columns, probe) for probe in probes):
            return Recognised(rules, columns)
    raise other_form(tail.node, "how many boxes enter and leave it is not by a rule that is known")


def _limits(
    tail: Tail, basic: Rules, columns: Columns | Indices, one_class: _Probe, all_classes: _Probe
) -> Iterator[dict[str, Any]]:
    """The limits that may be the cause of how many of the boxes came out, the simplest first."""
    of_class, of_all = (_found(tail, columns, probe) for probe in (one_class, all_classes))
    limits: list[dict[str, Any]] = [{}]
    if of_class < min(_chosen_count(one_class, basic), of_all):
        limits = [{"class_topk": of_class}, {"class_limit": of_class}]
    entering = [int(value) for value in tail.numbers("iu", before=True) if 1 < value <= _MANY]
    for limit, topk, keep in product(limits, (0, *entering), (0, of_all)):
        if not keep or of_all < _chosen_count(all_classes, replace(basic, **limit)):
            yield {**limit, "topk": topk, "keep": keep}


def _chosen_count(probe: _Probe, rules: Rules) -> int:
    """How many detections the rules choose in the first image."""
    return int((choose(probe.boxes, probe.scores, rules).image == 0).sum())


def _explains(tail: Tail, rules: Rules, columns: Columns | Indices, probe: _Probe) -> bool:
    """Whether the outputs hold just what the rules choose."""
    chosen = choose(probe.boxes, probe.scores, rules)
    found = columns.read(probe.outputs, tail.boxes.images)
    scores = probe.scores[chosen.image, chosen.box, chosen.label]
    if len(scores) != len(found.scores) or not np.array_equal(scores, found.scores):
        return False
    one_class = isinstance(columns, Columns) and columns.label is None
    return one_class or np.array_equal(chosen.label, found.ids)


def _found(tail: Tail, columns: Columns | Indices, probe: _Probe) -> int:
    """How many detections come out for the first image."""
    return int((columns.read(probe.outputs, tail.boxes.images).images == 0).sum())


def _run(tail: Tail, probe: tuple[Floats, Floats], centers: bool) -> _Probe:
    """Run the tail on corners and scores."""
    corners, scores = probe
    boxes = corners
    if centers:
        boxes = np.concatenate(
            [(corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]], axis=-1
        ).astype(np.float32)
    return _Probe(boxes, scores, {**tail(boxes, scores), BOXES: boxes, SCORES: scores})


def _few(tail: Tail, extent: Extent, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Some overlapping boxes with scores of some classes; a box may have several."""
    images, count, width = tail.boxes.images, tail.boxes.boxes, tail.scores.width
    size = np.array(extent[::-1])
    sides = generator.uniform(0.2, 0.5, (images, count, 2)) * size
    first = generator.uniform(0, 1, (images, count, 2)) * (size - sides)
    corners = np.concatenate([first, first + sides], axis=-1)
    chosen = set()
    for image in range(images):
        places = generator.choice(count, min(count, _FEW), replace=False).tolist()
        for before, place in zip(places[::2], places[1::2], strict=False):
            # By how much two boxes overlap is left to chance; that they do, is not.
            corners[image, place] = corners[image, before] + generator.uniform(0, 0.15, 4) * sides[image, before].min()
        for label in range(min(3, width)):
            chosen |= {(image, place, int(generator.integers(0, width))) for place in places[label::2]}
    return corners.astype(np.float32), _scored(tail, sorted(chosen), generator)


def _apart(tail: Tail, extent: Extent, rules: Rules) -> tuple[Floats, Floats]:
    """Boxes that do not touch, each with a score of one class: how many come out is a limit."""
    images, count, width = tail.boxes.images, tail.boxes.boxes, tail.scores.width
    first, side = _cells(count, extent)
    corners = np.concatenate([first, first + 0.6 * side], axis=-1).astype(np.float32)
    scores = np.zeros((images, count, width), np.float32)
    used = min(count, _MANY)
    label = max(label for label in range(width) if label != rules.background)
    scores[:, :used, label] = np.linspace(0.999, max(rules.threshold, 0.3) + 0.01, used)
    return np.broadcast_to(corners, (images, count, 4)).copy(), scores


def _crowded(
    tail: Tail, extent: Extent, kind: tuple[int, int], rules: Rules, generator: np.random.Generator
) -> tuple[Floats, Floats]:
    """Groups of so many boxes of a class, one of so many classes, apart from each other.

    All members of large groups overlap: those that are suppressed take the place of others where only some enter. In
    pairs the overlap is near the limit, on both sides of it, but not so near that rounding matters.
    """
    images, count, (members, classes) = tail.boxes.images, tail.boxes.boxes, kind
    used = min(count, _MANY)
    group = np.arange(count) // members
    first, side = _cells(int(group[-1]) + 1, extent)
    shift = np.zeros(count)
    limit = min(max(rules.overlap, 0.05), 0.95)
    if members > 2:
        shift = generator.uniform(0, (1 - limit) / 4, count)
    else:
        # Two boxes of side 1, one moved by d, overlap by (1 - d) / (1 + d).
        wanted = np.clip(limit + generator.choice([-1, 1], count) * generator.uniform(0.005, 0.2, count), 0.02, 0.98)
        shift[1::2] = ((1 - wanted) / (1 + wanted))[1::2]
    begin = first[group] + np.stack([shift, np.zeros(count)], axis=-1) * 0.45 * side
    corners = np.concatenate([begin, begin + 0.45 * side], axis=-1).astype(np.float32)
    labels = tail.scores.width - 1 - generator.integers(0, classes, (images, int(group[-1]) + 1))
    chosen = [(image, box, int(labels[image, group[box]])) for image in range(images) for box in range(used)]
    return np.broadcast_to(corners, (images, count, 4)).copy(), _scored(tail, chosen, generator)


def _all_scored(tail: Tail, generator: np.random.Generator) -> Floats:
    """A score of every class for every box."""
    count = min(tail.boxes.boxes, max(1, _MANY // tail.scores.width))
    return _scored(tail, list(product(range(tail.boxes.images), range(count), range(tail.scores.width))), generator)


def _cells(count: int, extent: Extent) -> tuple[Doubles, Doubles]:
    """The first corners of equal cells of a picture, and the sides of a cell."""
    number = math.ceil(math.sqrt(count))
    row, column = np.divmod(np.arange(count), number)
    side = np.array(extent[::-1]) / number
    return np.stack([column, row], axis=-1) * side, side


def _scored(tail: Tail, chosen: list[tuple[int, int, int]], generator: np.random.Generator) -> Floats:
    """Different scores between 0 and 1 at places (image, box, class), in any order; 0 elsewhere."""
    scores = np.zeros((tail.boxes.images, tail.boxes.boxes, tail.scores.width), np.float32)
    scores[tuple(np.array(chosen).T)] = generator.permutation(np.linspace(0.003, 0.997, len(chosen)))
    return scores
