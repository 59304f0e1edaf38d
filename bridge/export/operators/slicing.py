"""Slices, with every bound written as a plain number."""

import numpy as np

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import expect_rank
from gluon2caffe.bridge.mxnet_files.graph import Shape

_BEFORE_FIRST = -(2**31)  # where a backward slice ends that takes in the first element

Cuts = dict[int, tuple[int, int, int]]  # axis -> start, end (exclusive), step


def _basic_cuts(op: NodeReader) -> Cuts:
    begin, end, step = (op.optional_integers(key) for key in ("begin", "end", "step"))
    step = step or (None,) * len(begin)
    if not len(begin) == len(end) == len(step) <= op.rank or 0 in step:
        raise ShapeError(f"begin {begin}, end {end}, step {step} do not fit the shape {op.shape}")
    return {
        axis: slice(begin[axis], end[axis], step[axis]).indices(op.shape[axis])
        for axis in range(len(begin))
        if (begin[axis], end[axis], step[axis]) != (None, None, None)
    }


def _basic_shape(op: NodeReader) -> list[Shape]:
    return [_cut_shape(op, _basic_cuts(op))]


@translates("slice", shape=_basic_shape)
def basic_slice(op: Operator) -> None:
    """The slice a[begin:end:step] of Python, axis by axis."""
    _finish_slice(op, _basic_cuts(op))


def _axis_cuts(op: NodeReader) -> Cuts:
    axis = op.axis(op.integer("axis"))
    end = op.integer("end") if op.has("end") else None
    return {axis: slice(op.integer("begin"), end).indices(op.shape[axis])}


def _axis_shape(op: NodeReader) -> list[Shape]:
    return [_cut_shape(op, _axis_cuts(op))]


@translates("slice_axis", shape=_axis_shape)
def slice_axis(op: Operator) -> None:
    """The slice along one axis."""
    _finish_slice(op, _axis_cuts(op))


def _like_cuts(op: NodeReader) -> Cuts:
    like = op.input(1).shape
    axes = [op.axis(axis) for axis in op.integers("axes", tuple(range(op.rank)))]
    if any(axis >= len(like) or like[axis] > op.shape[axis] for axis in axes):
        raise ShapeError(f"shape {op.shape} cannot be cut to {like} along axes {axes}")
    return {axis: (0, like[axis], 1) for axis in axes}


def _like_shape(op: NodeReader) -> list[Shape]:
    return [_cut_shape(op, _like_cuts(op))]


@translates("slice_like", shape=_like_shape)
def slice_like(op: Operator) -> None:
    """The first elements, as many as the second input has, along some axes or all."""
    cuts = _like_cuts(op)
    spatial = {axis for axis, cut in cuts.items() if axis > 1 or cut != (0, op.shape[axis], 1)}
    _cut_like(op, op.rank == len(op.input(1).shape) == 4 and spatial == {2, 3})
    _finish_slice(op, cuts)


def _crop_shape(op: NodeReader) -> list[Shape]:
    expect_rank(op, 4)
    sizes = op.inputs[1].shape[2:] if len(op.inputs) > 1 else op.integers("h_w")
    if len(sizes) != 2 or not all(0 < want <= have for want, have in zip(sizes, op.shape[2:], strict=True)):
        raise ShapeError(f"shape {op.shape} cannot be cropped to {sizes}")
    return [(*op.shape[:2], *sizes)]


@translates("Crop", shape=_crop_shape)
def crop(op: Operator) -> None:
    """A window of the spatial axes, of the second input's size or of ``h_w``, at an offset or centred."""
    sizes = op.output_shape[2:]
    offsets = op.integers("offset", (0, 0))
    if op.flag("center_crop", False):
        offsets = tuple((have - want) // 2 for have, want in zip(op.shape[2:], sizes, strict=True))
    named = len(op.inputs) > 1 and offsets == (0, 0) and not op.flag("center_crop", False)
    _cut_like(op, named and not op.inputs[1].is_parameter)
    if any(start + want > have for start, want, have in zip(offsets, sizes, op.shape[2:], strict=True)):
        raise NotExactError(f"a window of {sizes} at {offsets} of {op.shape}")
    _finish_slice(
        op, {axis: (start, start + size, 1) for axis, start, size in zip((2, 3), offsets, sizes, strict=True)}
    )


def _same(op: NodeReader) -> list[Shape]:
    return [op.shape]


@translates("reverse", shape=_same)
def reverse(op: Operator) -> None:
    """Turn axes around."""
    _finish_slice(op, {op.axis(axis): (op.shape[op.axis(axis)] - 1, -1, -1) for axis in op.integers("axis")})


def _image_crop_cuts(op: NodeReader) -> Cuts:
    width, height = op.integer("width"), op.integer("height")
    x, y = op.integer("x"), op.integer("y")
    if op.rank < 3 or x < 0 or y < 0 or x + width > op.shape[-2] or y + height > op.shape[-3]:
        raise ShapeError(f"a window of {height}×{width} at {(y, x)} of {op.shape}")
    return {op.rank - 3: (y, y + height, 1), op.rank - 2: (x, x + width, 1)}


@translates("_image_crop", shape=lambda op: [_cut_shape(op, _image_crop_cuts(op))])
def image_crop(op: Operator) -> None:
    """A window of (…, H, W, C)."""
    _finish_slice(op, _image_crop_cuts(op))


def _sequence_shape(op: NodeReader) -> list[Shape]:
    return [op.shape[1:]] if op.integer("axis", 0) == 0 else [op.shape[:1] + op.shape[2:]]


@translates("SequenceLast", shape=_sequence_shape)
def sequence_last(op: Operator) -> None:
    """The last step of sequences of one length."""
    _refuse_lengths(op)
    axis = op.integer("axis", 0)
    place = op.constant("last", op.shape[axis] - 1, np.int64)
    op.result("Gather", [op.inputs[0].name, place], axis=axis)


@translates("SequenceReverse", shape=_same)
def sequence_reverse(op: Operator) -> None:
    """Sequences of one length, turned around."""
    _refuse_lengths(op)
    _finish_slice(op, {0: (op.shape[0] - 1, -1, -1)})


@translates("SequenceMask", shape=_same)
def sequence_mask(op: Operator) -> None:
    """Sequences of one length, as they are."""
    _refuse_lengths(op)
    op.result("Identity", [op.inputs[0].name])


def _refuse_lengths(op: Operator) -> None:
    if op.flag("use_sequence_length", False):
        raise NotExactError("sequence lengths that are data")


def _parts_shape(op: NodeReader) -> list[Shape]:
    """Cut in `sections` parts, of which the first are longer by one where they are not equal, or at `indices`."""
    axis = op.axis(op.integer("axis", 1))
    size, sections = op.shape[axis], op.integer("sections", 0)
    if sections > size:
        raise ShapeError(f"axis {axis} of shape {op.shape} does not split into {sections} parts")
    starts = op.integers("indices")
    if sections > 0:
        starts = tuple(part * (size // sections) + min(part, size % sections) for part in range(sections))
    ends = (*starts[1:], size)
    if not starts or any(not 0 <= start < end <= size for start, end in zip(starts, ends, strict=True)):
        raise ShapeError(f"axis {axis} of shape {op.shape} does not split at {starts}")
    dropped = op.flag("squeeze_axis", False)
    sizes = [end - start for start, end in zip(starts, ends, strict=True)]
    return [(*op.shape[:axis], *(() if dropped else (part,)), *op.shape[axis + 1 :]) for part in sizes]


@translates("_split_v2", shape=_parts_shape)
def split_at(op: Operator) -> None:
    """Cut along one axis at given places, or into equal parts."""
    if op.flag("squeeze_axis", False):
        raise NotExactError("split that also drops the axis")
    axis = op.axis(op.integer("axis", 1))
    sizes = [shape[axis] for shape in op.output_shapes]
    if sum(sizes) != op.shape[axis]:
        raise NotExactError("split whose parts are not the whole")
    op.results("Split", [op.inputs[0].name, op.shape_constant("split", sizes)], axis=axis)


def _cut_shape(op: NodeReader, cuts: Cuts) -> Shape:
    sizes = list(op.shape)
    for axis, cut in cuts.items():
        sizes[axis] = len(range(*cut))
    if min(sizes) < 1:
        raise ShapeError(f"nothing is left of shape {op.shape}")
    return tuple(sizes)


def _cut_like(op: Operator, by_reference: bool) -> None:
    """Note to which tensor's rows and columns it cuts, from the first on, or that it holds for one size."""
    if by_reference and not op.inputs[1].is_parameter:
        op.cut_like = op.inputs[1].name
    else:
        op.binds_size("cut to the size of another tensor")


def _finish_slice(op: Operator, cuts: Cuts) -> None:
    """Slice each axis from start to end (exclusive) by step."""
    taken = {axis: cut for axis, cut in cuts.items() if cut != (0, op.shape[axis], 1)}
    if not taken:
        if op.cut_like is None and any(axis > 1 for axis in cuts):
            op.binds_size("a slice that takes everything")
        op.result("Identity", [op.inputs[0].name])
        return
    starts, ends, steps = zip(*taken.values(), strict=True)
    ends = tuple(_BEFORE_FIRST if end < 0 else end for end in ends)
    inputs = [
        op.inputs[0].name,
        op.shape_constant("starts", starts),
        op.shape_constant("ends", ends),
        op.shape_constant("axes", tuple(taken)),
    ]
    if any(step != 1 for step in steps):
        inputs.append(op.shape_constant("steps", steps))
    op.result("Slice", inputs)
