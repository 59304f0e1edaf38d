"""From a net's anchors to PriorBox layers that every reader computes alike, and what the predictors absorb.

Caffe truncates min_size and max_size to whole numbers, OpenCV and ncnn do not; so only whole numbers are written. The
decoder computes

    cx = var_x·tx·w + px,    w' = exp(var_w·tw)·w

for a prior (px, py, w, h), and likewise for y and h. With a prior of center (px - dx, ·) and size w₂ instead, the
result is the same if tx is replaced by tx·w/w₂ + dx/(w₂·var_x) and tw by tw + log(w/w₂)/var_w. These are a scale and a
bias per channel of the box predictor, and another order of the boxes is a permutation of the channels of both
predictors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.description import Floats, Head

Doubles = npt.NDArray[np.float64]
# Largest distance of a prior from the net's own anchor, as a part of the image.
TOLERANCE = 1e-5
# Aspect ratios closer than this count as one in some readers.
DISTINCT = 1e-2
# Parts that two computations in float32 may differ by: such a difference is none.
ROUNDING = 1e-6


@dataclass(frozen=True)
class PriorBox:
    """The parameters of a PriorBox layer; sizes and steps in pixels, `aspect_ratios` without the implied 1."""

    min_size: int
    max_size: int | None
    aspect_ratios: tuple[float, ...]
    step: tuple[float, float]
    offset: float
    variances: tuple[float, float, float, float]

    def boxes(self) -> Doubles:
        """(boxes per cell, 2): widths and heights in the order of Caffe's PriorBoxLayer."""
        sizes = [(float(self.min_size),) * 2]
        if self.max_size is not None:
            sizes.append((float(np.sqrt(self.min_size * self.max_size)),) * 2)
        for ratio in self.aspect_ratios:
            root = float(np.sqrt(np.float32(ratio)))
            sizes.append((self.min_size * root, self.min_size / root))
        return np.array(sizes, np.float64)

    def centers(self, feature_shape: tuple[int, int]) -> tuple[Doubles, Doubles]:
        """Rows' y and columns' x of the centers, in pixels."""
        rows, columns = feature_shape
        return (np.arange(rows) + self.offset) * self.step[0], (np.arange(columns) + self.offset) * self.step[1]


@dataclass(frozen=True, eq=False)
class PriorPlan:
    """A PriorBox layer for one head, and what makes its predictors fit.

    Attributes:
        layer: the layer's parameters.
        order: box i of the layer is box order[i] of the net.
        scale: (boxes per cell, 4) factors of the box predictions, in the layer's order.
        bias: (boxes per cell, 4) added after that.
        bound: axes of the feature map (2 for rows, 3 for columns) whose lengths the layer holds for.
    """

    layer: PriorBox
    order: tuple[int, ...]
    scale: Doubles
    bias: Doubles
    bound: tuple[int, ...] = ()


def plan_prior_box(head: Head, image_size: tuple[int, int], variances: tuple[float, float, float, float]) -> PriorPlan:
    """Find the PriorBox layer for a head.

    Raises:
        SourceError: the head's anchors are no regular grid of the same boxes.
    """
    sizes, shifts, step, offset = _grid(head, image_size)
    order, min_size, max_size, ratios = _sizes(sizes)
    layer = PriorBox(min_size, max_size, ratios, step, offset, variances)
    own, written = sizes[list(order)], layer.boxes()
    own = np.where(np.isclose(own, written, rtol=ROUNDING, atol=0), written, own)
    shift = shifts[list(order)]
    var = np.array(variances, np.float64)
    scale = np.concatenate([own / written, np.ones_like(own)], axis=1)
    bias = np.concatenate([shift / (written * var[:2]), np.log(own / written) / var[2:]], axis=1)
    plan = PriorPlan(layer, order, scale, bias, _bound_axes(head))
    _require_same(plan, head, image_size)
    if head.beyond is not None and not _apart(plan, _longer(head), image_size) <= TOLERANCE:
        return replace(plan, bound=(2, 3))
    return plan


def _bound_axes(head: Head) -> tuple[int, ...]:
    """The axes along which there is one place, whose step could only be guessed."""
    return (
        ()
        if head.beyond is not None
        else tuple(axis + 2 for axis, count in enumerate(head.feature_shape) if count == 1)
    )


def _longer(head: Head) -> Head:
    """The head on a map of one more row and one more column."""
    assert head.beyond is not None
    rows, columns = head.beyond.shape[:2]
    return replace(head, anchors=head.beyond, feature_shape=(rows, columns), beyond=None)


def _grid(head: Head, image_size: tuple[int, int]) -> tuple[Doubles, Doubles, tuple[float, float], float]:
    """Sizes (n, 2) and center shifts (n, 2) of the boxes of a cell, the steps (y, x) and the offset of the grid."""
    anchors = head.anchors.astype(np.float64)
    rows, columns = head.feature_shape
    first = anchors[0, 0, 0]
    down = anchors[:, 0, 0, 1] if rows > 1 or head.beyond is None else head.beyond[:2, 0, 0, 1].astype(np.float64)
    right = anchors[0, :, 0, 0] if columns > 1 or head.beyond is None else head.beyond[0, :2, 0, 0].astype(np.float64)
    step_y = (down[-1] - down[0]) / (len(down) - 1) if len(down) > 1 else 2 * first[1]
    step_x = (right[-1] - right[0]) / (len(right) - 1) if len(right) > 1 else 2 * first[0]
    # A step of 0 would mean "image / feature map" to Caffe.
    step = (
        _clean(step_y) if step_y > 0 else image_size[0] / rows,
        _clean(step_x) if step_x > 0 else image_size[1] / columns,
    )
    offset = _clean(first[0] / step[1])
    cell = anchors[0, 0]
    origin = np.array([offset * step[1], offset * step[0]])
    return cell[:, 2:].copy(), cell[:, :2] - origin, step, offset


def _clean(value: float) -> float:
    """The shortest number that float32 cannot tell from `value`, so that files read well."""
    return float(np.format_float_positional(np.float32(value), unique=True))


def _sizes(sizes: Doubles) -> tuple[tuple[int, ...], int, int | None, tuple[float, ...]]:
    """(order, min_size, max_size, aspect ratios) that give as many boxes as there are, close to them."""
    if not np.all(sizes > 0):
        raise SourceError("An anchor has no area.")
    square = [k for k in range(len(sizes)) if abs(sizes[k, 0] / sizes[k, 1] - 1) < 1e-6]
    first = square[0] if square else 0
    min_size = max(1, round(np.sqrt(sizes[first].prod())))
    larger = [k for k in square if sizes[k, 0] > sizes[first, 0] and k != first]
    order, max_size = [first], None
    if larger:
        order.append(larger[0])
        max_size = max(min_size + 1, round(sizes[larger[0], 0] ** 2 / sizes[first, 0]))
    rest = [k for k in range(len(sizes)) if k not in order]
    ratios: list[float] = []
    for k in rest:
        ratio = _clean_ratio(sizes[k, 0] / sizes[k, 1])
        while any(abs(ratio / other - 1) < DISTINCT for other in (1.0, *ratios)):
            ratio = float(np.float32(ratio * (1 + 2 * DISTINCT)))
        ratios.append(ratio)
    return (*order, *rest), min_size, max_size, tuple(ratios)


def _clean_ratio(value: float) -> float:
    """`value` as float32; the fraction of small numbers that it is but for rounding, where there is one."""
    near = float(Fraction(value).limit_denominator(100))
    return float(np.float32(near if np.isclose(near, value, rtol=ROUNDING, atol=0) else value))


def absorbed_anchors(plan: PriorPlan, head: Head) -> Doubles:
    """The anchors (rows, columns, n, 4) that the layer and the absorbed differences stand for, in the net's order."""
    written = plan.layer.boxes()
    y, x = plan.layer.centers(head.feature_shape)
    var = np.array(plan.layer.variances)
    shift = plan.bias[:, :2] * var[:2] * written
    sizes = written * np.exp(plan.bias[:, 2:] * var[2:])
    made = np.empty((*head.feature_shape, len(written), 4))
    made[..., 0] = x[None, :, None] + shift[:, 0]
    made[..., 1] = y[:, None, None] + shift[:, 1]
    made[..., 2:] = sizes
    return made[:, :, np.argsort(plan.order)]


def _require_same(plan: PriorPlan, head: Head, image_size: tuple[int, int]) -> None:
    apart = _apart(plan, head, image_size)
    if not apart <= TOLERANCE:
        kind = f"{head.generator}, clipped" if head.clip else head.generator
        raise SourceError(
            f"The anchors of feature map {head.index} ({kind}) are no regular grid of equal boxes: a PriorBox layer "
            f"would be off by {apart:.1g} of the image. priors='constant' writes them as constants."
        )


def _apart(plan: PriorPlan, head: Head, image_size: tuple[int, int]) -> float:
    """The largest distance of the layer's boxes from the net's own, as a part of the image."""
    extent = np.array([image_size[1], image_size[0], image_size[1], image_size[0]], np.float64)
    return float(np.max(np.abs(absorbed_anchors(plan, head) - head.anchors) / extent))


def constant_priors(heads: tuple[Head, ...], image_size: tuple[int, int], variances: tuple[float, ...]) -> Floats:
    """(1, 2, 4·boxes) as PriorBox layers give them: corners as parts of the image, and the variances."""
    anchors = np.concatenate([head.anchors.reshape(-1, 4) for head in heads]).astype(np.float64)
    height, width = image_size
    half = anchors[:, 2:] / 2
    corners = np.concatenate([anchors[:, :2] - half, anchors[:, :2] + half], axis=1) / [width, height, width, height]
    rows = np.stack([corners, np.broadcast_to(np.array(variances), corners.shape)])
    return np.asarray(rows.reshape(1, 2, -1), np.float32)
