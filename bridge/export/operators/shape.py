"""Operators that only rearrange: every size is a constant here, since MXNet's shape inference knows it."""

from math import prod

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.reshape_codes import like_shape, reshape_shape
from gluon2caffe.bridge.export.operators.shape_rules import broadcast_shape, elementwise, expect_rank
from gluon2caffe.bridge.mxnet_files.graph import Shape


def _flat_shape(op: NodeReader) -> list[Shape]:
    return [(op.shape[0], prod(op.shape[1:]))]


@translates("Flatten", shape=_flat_shape)
def flatten(op: Operator) -> None:
    """Merge all axes but the first."""
    op.result("Flatten", [op.inputs[0].name])


@translates("reshape_like", shape=like_shape)
@translates("Reshape", shape=reshape_shape)
def reshape(op: Operator) -> None:
    """Reshape to the inferred shape, which settles all of MXNet's codes 0, -1, -2, -3, -4."""
    if prod(op.shape) != prod(op.output_shape):  # MXNet infers it all the same, and reads beyond its memory
        raise NotExactError(f"reshape to {op.output_shape}, which has another number of values")
    if op.kind == "reshape_like":
        op.binds_size("reshaped like another tensor")
    op.result("Reshape", [op.inputs[0].name, op.shape_constant("shape", _open_lengths(op))])


def _open_lengths(op: Operator) -> Shape:
    """The lengths with those left open that the codes 0 and -1 leave open, which mean the same in ONNX."""
    codes = op.integers("shape")
    if op.kind != "Reshape" or op.flag("reverse", False) or any(code < -1 for code in codes):
        return op.output_shape
    return codes or op.output_shape


def _expanded_shape(op: NodeReader) -> list[Shape]:
    axis = op.axis(op.integer("axis"), op.rank + 1)
    return [(*op.shape[:axis], 1, *op.shape[axis:])]


@translates("expand_dims", shape=_expanded_shape)
def expand_dims(op: Operator) -> None:
    """Insert one axis."""
    axis = op.axis(op.integer("axis"), op.rank + 1)
    op.result("Unsqueeze", [op.inputs[0].name, op.shape_constant("axes", (axis,))])


def _squeezed_shape(op: NodeReader) -> list[Shape]:
    ones = tuple(axis for axis, size in enumerate(op.shape) if size == 1)
    axes = {op.axis(axis) for axis in op.integers("axis")} or set(ones)
    if not axes.issubset(ones):
        raise ShapeError(f"axes {sorted(axes)} of shape {op.shape} are not all of size 1")
    return [tuple(size for axis, size in enumerate(op.shape) if axis not in axes) or (1,)]


@translates("squeeze", shape=_squeezed_shape)
def squeeze(op: Operator) -> None:
    """Drop axes of size one: those named, or all. MXNet keeps one axis when nothing else is left."""
    ones = tuple(axis for axis, size in enumerate(op.shape) if size == 1)
    axes = tuple(sorted(op.axis(axis) for axis in op.integers("axis"))) or ones
    if op.rank - len(axes) != len(op.output_shape):
        op.result("Reshape", [op.inputs[0].name, op.shape_constant("shape", op.output_shape)])
    else:
        op.result("Squeeze", [op.inputs[0].name, op.shape_constant("axes", axes)])


def _transposed_shape(op: NodeReader) -> list[Shape]:
    axes = op.integers("axes", tuple(range(op.rank))[::-1])
    perm = [op.axis(axis) for axis in axes]
    if sorted(perm) != list(range(op.rank)):
        raise ShapeError(f"axes {axes} of shape {op.shape}")
    return [tuple(op.shape[axis] for axis in perm)]


@translates("transpose", shape=_transposed_shape)
def transpose(op: Operator) -> None:
    """Reorder axes; all reversed unless given."""
    axes = op.integers("axes", tuple(range(op.rank))[::-1])
    op.result("Transpose", [op.inputs[0].name], perm=[op.axis(axis) for axis in axes])


def _swapped_shape(op: NodeReader) -> list[Shape]:
    sizes = list(op.shape)
    first, second = op.axis(op.integer("dim1", 0)), op.axis(op.integer("dim2", 0))
    sizes[first], sizes[second] = sizes[second], sizes[first]
    return [tuple(sizes)]


@translates("SwapAxis", shape=_swapped_shape)
def swap_axes(op: Operator) -> None:
    """Exchange two axes."""
    perm = list(range(op.rank))
    first, second = op.axis(op.integer("dim1", 0)), op.axis(op.integer("dim2", 0))
    perm[first], perm[second] = perm[second], perm[first]
    op.result("Transpose", [op.inputs[0].name], perm=perm)


def _broadcast_like_shape(op: NodeReader) -> list[Shape]:
    like = op.input(1).shape
    if not op.has("lhs_axes") and not op.has("rhs_axes"):
        return [_widened(op.shape, like)]
    sizes = list(op.shape)
    for axis, source in zip(op.integers("lhs_axes"), op.integers("rhs_axes"), strict=False):
        sizes[op.axis(axis)] = like[op.axis(source, len(like))]
    return [_widened(op.shape, tuple(sizes))]


def _broadcast_to_shape(op: NodeReader) -> list[Shape]:
    shape = op.integers("shape")
    if len(shape) != op.rank:
        raise ShapeError(f"its shape {shape} has other axes than its input {op.shape}")
    return [_widened(op.shape, tuple(wanted or size for wanted, size in zip(shape, op.shape, strict=True)))]


def _broadcast_axis_shape(op: NodeReader) -> list[Shape]:
    sizes = list(op.shape)
    for axis, size in zip(op.integers("axis"), op.integers("size"), strict=False):
        sizes[op.axis(axis)] = size
    return [_widened(op.shape, tuple(sizes))]


def _widened(shape: Shape, wanted: Shape) -> Shape:
    if len(shape) != len(wanted) or broadcast_shape(shape, wanted) != wanted:
        raise ShapeError(f"shape {shape} does not broadcast to {wanted}")
    return wanted


@translates("broadcast_axis", shape=_broadcast_axis_shape)
@translates("broadcast_to", shape=_broadcast_to_shape)
@translates("broadcast_like", shape=_broadcast_like_shape)
def broadcast(op: Operator) -> None:
    """Expand to the inferred shape."""
    op.binds_size("repeated to a size")
    op.result("Expand", [op.inputs[0].name, op.shape_constant("shape", op.output_shape)])


def _joined_shape(op: NodeReader) -> list[Shape]:
    axis = op.axis(op.integer("dim", 1))
    for tensor in op.inputs:
        if len(tensor.shape) != op.rank or _without(tensor.shape, axis) != _without(op.shape, axis):
            raise ShapeError(f"{tensor.name} of shape {tensor.shape} does not join {op.shape} along axis {axis}")
    return [(*op.shape[:axis], sum(tensor.shape[axis] for tensor in op.inputs), *op.shape[axis + 1 :])]


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


@translates("Concat", "_rnn_param_concat", shape=_joined_shape)
def concat(op: Operator) -> None:
    """Join along one axis."""
    op.result("Concat", [tensor.name for tensor in op.inputs], axis=op.axis(op.integer("dim", 1)))


def _stacked_shape(op: NodeReader) -> list[Shape]:
    (shape,) = elementwise(op)
    axis = op.axis(op.integer("axis", 0), op.rank + 1)
    return [(*shape[:axis], len(op.inputs), *shape[axis:])]


@translates("stack", shape=_stacked_shape)
def stack(op: Operator) -> None:
    """Join along a new axis."""
    axis = op.axis(op.integer("axis", 0), op.rank + 1)
    shape = (*op.shape[:axis], 1, *op.shape[axis:])
    axes = op.shape_constant("axes", (axis,))
    parts = [op.add_node("Unsqueeze", [tensor.name, axes], shape) for tensor in op.inputs]
    op.result("Concat", parts, axis=axis)


def _split_shape(op: NodeReader) -> list[Shape]:
    axis, count = op.axis(op.integer("axis", 1)), op.integer("num_outputs")
    size = op.shape[axis]
    if count < 1 or size % count or (op.flag("squeeze_axis", False) and size != count):
        raise ShapeError(f"axis {axis} of shape {op.shape} does not split into {count} parts")
    part = () if op.flag("squeeze_axis", False) else (size // count,)
    return [(*op.shape[:axis], *part, *op.shape[axis + 1 :])] * count


@translates("SliceChannel", shape=_split_shape)
def split(op: Operator) -> None:
    """Cut into equal parts along one axis, dropping the axis on request."""
    axis, count = op.axis(op.integer("axis", 1)), op.integer("num_outputs")
    sizes = (op.shape[axis] // count,) * count
    if not op.flag("squeeze_axis", False):
        op.results("Split", [op.inputs[0].name, op.shape_constant("split", sizes)], axis=axis)
        return
    drop = op.shape_constant("axes", (axis,))
    for index in range(count):
        part_shape = (*op.shape[:axis], 1, *op.shape[axis + 1 :])
        bounds = [op.shape_constant(label, (value,)) for label, value in (("starts", index), ("ends", index + 1))]
        part = op.add_node("Slice", [op.inputs[0].name, *bounds, op.shape_constant("axis", (axis,))], part_shape)
        op.result("Squeeze", [part, drop], index=index)


def _tiled_shape(op: NodeReader) -> list[Shape]:
    reps = op.integers("reps")
    rank = max(len(reps), op.rank)
    sizes = (1,) * (rank - op.rank) + op.shape
    return [tuple(size * count for size, count in zip(sizes, (1,) * (rank - len(reps)) + reps, strict=True))]


@translates("tile", shape=_tiled_shape)
def tile(op: Operator) -> None:
    """Repeat whole axes; missing leading axes are added first."""
    reps = op.integers("reps")
    rank = max(len(reps), op.rank)
    shape = (1,) * (rank - op.rank) + op.shape
    source = op.inputs[0].name
    if shape != op.shape:
        source = op.add_node("Reshape", [source, op.shape_constant("shape", shape)], shape)
    op.result("Tile", [source, op.shape_constant("repeats", (1,) * (rank - len(reps)) + reps)])


def _repeated_shape(op: NodeReader) -> list[Shape]:
    count = op.integer("repeats")
    if not op.has("axis"):
        return [(prod(op.shape) * count,)]
    axis = op.axis(op.integer("axis"))
    return [(*op.shape[:axis], op.shape[axis] * count, *op.shape[axis + 1 :])]


@translates("repeat", shape=_repeated_shape)
def repeat(op: Operator) -> None:
    """Repeat every element along one axis: a new axis of size one, expanded, merged again."""
    if not op.has("axis"):
        raise NotExactError("repeat of the flattened input")
    axis, count = op.axis(op.integer("axis")), op.integer("repeats")
    thin = (*op.shape[: axis + 1], 1, *op.shape[axis + 1 :])
    wide = (*op.shape[: axis + 1], count, *op.shape[axis + 1 :])
    column = op.add_node("Reshape", [op.inputs[0].name, op.shape_constant("thin", thin)], thin)
    copies = op.add_node("Expand", [column, op.shape_constant("wide", wide)], wide)
    op.result("Reshape", [copies, op.shape_constant("shape", op.output_shape)])


def _padded_shape(op: NodeReader) -> list[Shape]:
    widths = op.integers("pad_width")
    if len(widths) != 2 * op.rank or min(widths, default=-1) < 0:
        raise ShapeError(f"its pad_width {widths} does not fit the shape {op.shape}")
    return [tuple(size + a + b for size, a, b in zip(op.shape, widths[::2], widths[1::2], strict=True))]


@translates("Pad", shape=_padded_shape)
def pad(op: Operator) -> None:
    """Pad; MXNet lists (before, after) per axis, ONNX all befores and then all afters."""
    mode = op.text("mode", "constant")
    widths = op.integers("pad_width")
    inputs = [op.inputs[0].name, op.shape_constant("pads", widths[::2] + widths[1::2])]
    if mode == "constant":
        inputs.append(op.constant("value", op.number("constant_value", 0.0)))
    op.result("Pad", inputs, mode=mode)


def _blocks_shape(op: NodeReader) -> list[Shape]:
    expect_rank(op, 4)
    block = op.integer("block_size")
    count, channels, height, width = op.shape
    if op.kind == "depth_to_space" and block > 0 and channels % block**2 == 0:
        return [(count, channels // block**2, height * block, width * block)]
    if op.kind == "space_to_depth" and block > 0 and height % block == 0 and width % block == 0:
        return [(count, channels * block**2, height // block, width // block)]
    raise ShapeError(f"blocks of {block} in shape {op.shape}")


@translates("depth_to_space", "space_to_depth", shape=_blocks_shape)
def blocks(op: Operator) -> None:
    """Move channels into space, or back, block index first."""
    kind = {"depth_to_space": "DepthToSpace", "space_to_depth": "SpaceToDepth"}[op.kind]
    op.result(kind, [op.inputs[0].name], blocksize=op.integer("block_size"))
