"""Slices, with every bound written as a plain number."""

from gluon2caffe.bridge.export.operators.operator import NotExactError, Operator
from gluon2caffe.bridge.export.operators.registry import translates

_BEFORE_FIRST = -(2**31)  # where a backward slice ends that takes in the first element


@translates("slice")
def basic_slice(op: Operator) -> None:
    """The slice a[begin:end:step] of Python, axis by axis."""
    begin, end, step = (op.optional_integers(key) for key in ("begin", "end", "step"))
    step = step or (None,) * len(begin)
    cuts = {
        axis: slice(begin[axis], end[axis], step[axis]).indices(op.shape[axis])
        for axis in range(len(begin))
        if (begin[axis], end[axis], step[axis]) != (None, None, None)
    }
    _finish_slice(op, cuts)


@translates("slice_axis")
def slice_axis(op: Operator) -> None:
    """The slice along one axis."""
    axis = op.axis(op.integer("axis"))
    end = op.integer("end") if op.has("end") else None
    _finish_slice(op, {axis: slice(op.integer("begin"), end).indices(op.shape[axis])})


@translates("slice_like")
def slice_like(op: Operator) -> None:
    """The first elements, as many as the second input has, along some axes or all."""
    axes = op.integers("axes", tuple(range(op.rank)))
    like = op.inputs[1].shape
    _finish_slice(op, {op.axis(axis): (0, like[op.axis(axis)], 1) for axis in axes})


@translates("Crop")
def crop(op: Operator) -> None:
    """A window of the spatial axes, of the second input's size or of ``h_w``, at an offset or centred."""
    sizes = op.output_shape[2:]
    offsets = op.integers("offset", (0, 0))
    if op.flag("center_crop", False):
        offsets = tuple((have - want) // 2 for have, want in zip(op.shape[2:], sizes, strict=True))
    _finish_slice(
        op, {axis: (start, start + size, 1) for axis, start, size in zip((2, 3), offsets, sizes, strict=True)}
    )


@translates("reverse")
def reverse(op: Operator) -> None:
    """Turn axes around."""
    _finish_slice(op, {op.axis(axis): (op.shape[op.axis(axis)] - 1, -1, -1) for axis in op.integers("axis")})


@translates("_split_v2")
def split_at(op: Operator) -> None:
    """Cut along one axis at given places, or into equal parts."""
    if op.flag("squeeze_axis", False):
        raise NotExactError("split that also drops the axis")
    axis = op.axis(op.integer("axis", 1))
    sizes = [shape[axis] for shape in op.output_shapes]
    if sum(sizes) != op.shape[axis]:
        raise NotExactError("split whose parts are not the whole")
    op.results("Split", [op.inputs[0].name, op.shape_constant("split", sizes)], axis=axis)


def _finish_slice(op: Operator, cuts: dict[int, tuple[int, int, int]]) -> None:
    """Slice each axis from start to end (exclusive) by step."""
    taken = {axis: cut for axis, cut in cuts.items() if cut != (0, op.shape[axis], 1)}
    if not taken:
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
