"""The shapes of blobs: what a Caffe layer makes of its bottoms, by its own fields.

The rules are those of the layers' Reshape functions in BVLC Caffe and its SSD branch (src/caffe/layers). They serve the
layers that are being written and those that stand in anyone's files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

from gluon2caffe.onnx2caffe.caffe_pb2 import ConvolutionParameter, LayerParameter, PoolingParameter

Shape: TypeAlias = tuple[int, ...]
Rule: TypeAlias = Callable[[LayerParameter, Sequence[Shape]], list[Shape]]


class UnknownShapeError(Exception):
    """The shapes that a layer makes do not follow from its fields and its bottoms."""


class MisfitError(UnknownShapeError):
    """A layer's fields and its bottoms do not fit together: no reader could load it."""


@dataclass(frozen=True)
class LayerShapes:
    """The shapes of a layer's bottoms and tops, in their order; None for those that are not known."""

    bottoms: tuple[Shape | None, ...]
    tops: tuple[Shape | None, ...]


def top_shapes(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    """The shapes of a layer's tops, where its bottoms have these.

    Raises:
        UnknownShapeError: the type has no rule here, such as DetectionOutput, whose top depends on the numbers.
        MisfitError: its fields and its bottoms do not fit together.
    """
    rule = _RULES.get(layer.type)
    if rule is None:
        raise UnknownShapeError(f"the shapes that a layer of type {layer.type} makes are not known")
    try:
        return rule(layer, bottoms)
    except (IndexError, ValueError, ZeroDivisionError) as error:
        shapes = ", ".join(map(str, bottoms))
        raise MisfitError(f"the fields of {layer.type} {layer.name!r} do not fit {shapes}: {error}") from error


def has_shape_rule(kind: str) -> bool:
    """Whether `top_shapes` knows the type of layer."""
    return kind in _RULES


def keeps_shape(kind: str) -> bool:
    """Whether a layer of this type always makes a blob of the shape of its first bottom."""
    return kind in _OF_ONE_SHAPE


def net_shapes(inputs: Mapping[str, Shape], layers: Iterable[LayerParameter]) -> Iterator[LayerShapes]:
    """The shapes at each layer of a net, Input layers left out of it; what follows an unknown shape is unknown too.

    Args:
        inputs: input blob -> shape.
        layers: in the order of the net; a layer may write a blob anew.
    """
    known: dict[str, Shape | None] = dict(inputs)
    for layer in layers:
        bottoms = tuple(known.get(name) for name in layer.bottom)
        tops = _known_tops(layer, bottoms)
        known.update(zip(layer.top, tops, strict=True))
        yield LayerShapes(bottoms, tops)


def _known_tops(layer: LayerParameter, bottoms: tuple[Shape | None, ...]) -> tuple[Shape | None, ...]:
    unknown = (None,) * len(layer.top)
    given = [shape for shape in bottoms if shape is not None]
    if len(given) < len(bottoms):
        return unknown
    try:
        made = top_shapes(layer, given)
    except UnknownShapeError:
        return unknown
    # A file may say of itself what cannot be.
    fits = len(made) == len(layer.top) and all(length > 0 for shape in made for length in shape)
    return tuple(made) if fits else unknown


def kernel_lengths(fields: ConvolutionParameter, axes: int) -> list[int]:
    """The lengths of a convolution's kernel along so many axes of the picture."""
    return _lengths(list(fields.kernel_size), fields.kernel_h, fields.kernel_w, axes)


def pooled_size(size: int, kernel: int, stride: int, pad: int) -> int:
    """Caffe's pooled length: ceil, less a last window that would start at or beyond size + pad (only when padded).

    From PoolingLayer::Reshape of BVLC Caffe.
    """
    return _pooled_size(size, kernel, stride, pad, padded=bool(pad), down=False)


def _pooled_size(size: int, kernel: int, stride: int, pad: int, *, padded: bool, down: bool) -> int:
    room = size + 2 * pad - kernel
    out = (room // stride if down else -(-room // stride)) + 1
    if padded and (out - 1) * stride >= size + pad:
        out -= 1
    return out


def _lengths(repeated: list[int], first: int, second: int, axes: int, default: int = 0) -> list[int]:
    """A length for each axis, from a repeated field or from the pair of fields that pictures have."""
    if first or second:
        repeated = [first, second]
    if len(repeated) <= 1:
        repeated = (repeated or [default]) * axes
    if len(repeated) != axes:
        raise ValueError(f"{len(repeated)} lengths for {axes} axes")
    return repeated


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise IndexError(f"axis {axis} of {rank}")
    return axis % rank


def _one_shape(bottoms: Sequence[Shape]) -> Shape:
    if len(set(bottoms)) != 1:
        raise ValueError("they are not of one shape")
    return bottoms[0]


def _same(_layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    return [bottoms[0]]


def _eltwise(_layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    return [_one_shape(bottoms)]


def _convolution(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    return _convolved(layer.convolution_param, bottoms, _convolved_size)


def _deconvolution(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    return _convolved(layer.convolution_param, bottoms, _deconvolved_size)


def _convolved(
    fields: ConvolutionParameter, bottoms: Sequence[Shape], size: Callable[[int, int, int, int], int]
) -> list[Shape]:
    shape = _one_shape(bottoms)
    if fields.axis != 1 or shape[1] % fields.group:
        raise ValueError("axis other than 1, or channels that no group takes")
    axes = len(shape) - 2
    kernel = kernel_lengths(fields, axes)
    stride = _lengths(list(fields.stride), fields.stride_h, fields.stride_w, axes, 1)
    pad = _lengths(list(fields.pad), fields.pad_h, fields.pad_w, axes)
    dilation = _lengths(list(fields.dilation), 0, 0, axes, 1)
    extents = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    return [(shape[0], fields.num_output, *map(size, shape[2:], extents, stride, pad))] * len(bottoms)


def _convolved_size(size: int, extent: int, stride: int, pad: int) -> int:
    return (size + 2 * pad - extent) // stride + 1


def _deconvolved_size(size: int, extent: int, stride: int, pad: int) -> int:
    return stride * (size - 1) + extent - 2 * pad


def _pooling(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    fields = layer.pooling_param
    batch, channels, *sizes = bottoms[0]
    if len(sizes) != 2:
        raise ValueError("it takes four axes")
    if fields.global_pooling:
        return [(batch, channels, 1, 1)]
    kernel = _lengths([fields.kernel_size], fields.kernel_h, fields.kernel_w, 2)
    stride = _lengths([fields.stride], fields.stride_h, fields.stride_w, 2)
    pad = _lengths([fields.pad], fields.pad_h, fields.pad_w, 2)
    down = fields.round_mode == PoolingParameter.FLOOR or not fields.ceil_mode
    padded = any(pad)
    made = (_pooled_size(*each, padded=padded, down=down) for each in zip(sizes, kernel, stride, pad, strict=True))
    return [(batch, channels, *made)]


def _inner_product(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    fields = layer.inner_product_param
    return [(*bottoms[0][: _axis(fields.axis, len(bottoms[0]))], fields.num_output)]


def _concat(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    fields, first = layer.concat_param, bottoms[0]
    axis = fields.concat_dim if fields.HasField("concat_dim") else _axis(fields.axis, len(first))
    if len({(shape[:axis], shape[axis + 1 :]) for shape in bottoms}) != 1:
        raise ValueError("they differ along other axes")
    return [(*first[:axis], sum(shape[axis] for shape in bottoms), *first[axis + 1 :])]


def _slice(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    fields, shape = layer.slice_param, bottoms[0]
    axis = fields.slice_dim if fields.HasField("slice_dim") else _axis(fields.axis, len(shape))
    length = shape[axis]
    points = list(fields.slice_point) or [length * i // len(layer.top) for i in range(1, len(layer.top))]
    ends = zip([0, *points], [*points, length], strict=True)
    return [(*shape[:axis], end - start, *shape[axis + 1 :]) for start, end in ends]


def _reshape(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    fields, shape = layer.reshape_param, bottoms[0]
    # An axis counted from the end is a place between axes, the last one behind them all.
    start = fields.axis if fields.axis >= 0 else len(shape) + fields.axis + 1
    end = len(shape) if fields.num_axes == -1 else start + fields.num_axes
    made = [length or shape[start + index] for index, length in enumerate(fields.shape.dim)]
    if -1 in made:
        rest = -prod(made)
        made[made.index(-1)] = prod(shape[start:end]) // rest
    if prod(made) != prod(shape[start:end]):
        raise ValueError("another number of values")
    return [(*shape[:start], *made, *shape[end:])]


def _flatten(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    fields, shape = layer.flatten_param, bottoms[0]
    start, end = (_axis(axis, len(shape)) for axis in (fields.axis, fields.end_axis))
    return [(*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])]


def _permute(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    order, shape = list(layer.permute_param.order), bottoms[0]
    rest = [axis for axis in range(len(shape)) if axis not in order]
    return [tuple(shape[axis] for axis in (*order, *rest))]


def _crop(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    axis = _axis(layer.crop_param.axis, len(bottoms[0]))
    return [(*bottoms[0][:axis], *bottoms[1][axis:])]


def _split(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    return [bottoms[0]] * len(layer.top)


def _prior_box(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    fields = layer.prior_box_param
    ratios = [1.0]
    for ratio in fields.aspect_ratio:
        if all(abs(ratio - other) >= 1e-6 for other in ratios):
            ratios += [ratio, 1 / ratio] if fields.flip else [ratio]
    boxes = len(ratios) * len(fields.min_size) + len(fields.max_size)
    return [(1, 2, bottoms[0][2] * bottoms[0][3] * boxes * 4)]


def _roi_pooling(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    fields = layer.roi_pooling_param
    return [(bottoms[1][0], bottoms[0][1], fields.pooled_h, fields.pooled_w)]


def _arg_max(layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    fields = layer.argmax_param
    if fields.HasField("axis"):
        raise ValueError("along an axis")
    return [(bottoms[0][0], 1 + fields.out_max_val, fields.top_k)]


def _batch_reindex(_layer: LayerParameter, bottoms: Sequence[Shape]) -> list[Shape]:
    return [(*bottoms[1], *bottoms[0][1:])]


def _parameter(layer: LayerParameter, _bottoms: Sequence[Shape]) -> list[Shape]:
    return [tuple(layer.parameter_param.shape.dim)]


_OF_ONE_SHAPE = (
    *("AbsVal", "BNLL", "BatchNorm", "Bias", "Clip", "Dropout", "ELU", "Exp", "LRN", "Log", "MVN", "Mish", "Normalize"),
    *("PReLU", "Power", "ReLU", "ReLU6", "Scale", "Sigmoid", "Softmax", "Swish", "TanH", "Threshold"),
)
_RULES: dict[str, Rule] = {
    **dict.fromkeys(_OF_ONE_SHAPE, _same),
    "ArgMax": _arg_max,
    "BatchReindex": _batch_reindex,
    "Concat": _concat,
    "Convolution": _convolution,
    "Crop": _crop,
    "Deconvolution": _deconvolution,
    "Eltwise": _eltwise,
    "Flatten": _flatten,
    "InnerProduct": _inner_product,
    "Parameter": _parameter,
    "Permute": _permute,
    "Pooling": _pooling,
    "PriorBox": _prior_box,
    "ROIPooling": _roi_pooling,
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
}
