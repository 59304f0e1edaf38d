"""Operators that only rearrange: every size is a constant here, since MXNet's shape inference knows it."""

from math import prod

from gluon2caffe.bridge.export.operators.operator import NotExactError, Operator
from gluon2caffe.bridge.export.operators.registry import translates


@translates("Reshape", "reshape_like")
def reshape(op: Operator) -> None:
    """Reshape to the inferred shape, which settles all of MXNet's codes 0, -1, -2, -3, -4."""
    if prod(op.shape) != prod(op.output_shape):  # MXNet infers it all the same, and reads beyond its memory
        raise NotExactError(f"reshape to {op.output_shape}, which has another number of values")
    op.result("Reshape", [op.inputs[0].name, op.shape_constant("shape", op.output_shape)])


@translates("expand_dims")
def expand_dims(op: Operator) -> None:
    """Insert one axis."""
    axis = op.axis(op.integer("axis"), op.rank + 1)
    op.result("Unsqueeze", [op.inputs[0].name, op.shape_constant("axes", (axis,))])


@translates("squeeze")
def squeeze(op: Operator) -> None:
    """Drop axes of size one: those named, or all. MXNet keeps one axis when nothing else is left."""
    ones = tuple(axis for axis, size in enumerate(op.shape) if size == 1)
    axes = tuple(sorted(op.axis(axis) for axis in op.integers("axis"))) or ones
    if op.rank - len(axes) != len(op.output_shape):
        op.result("Reshape", [op.inputs[0].name, op.shape_constant("shape", op.output_shape)])
    else:
        op.result("Squeeze", [op.inputs[0].name, op.shape_constant("axes", axes)])


@translates("transpose")
def transpose(op: Operator) -> None:
    """Reorder axes; all reversed unless given."""
    axes = op.integers("axes", tuple(range(op.rank))[::-1])
    op.result("Transpose", [op.inputs[0].name], perm=[op.axis(axis) for axis in axes])


@translates("SwapAxis")
def swap_axes(op: Operator) -> None:
    """Exchange two axes."""
    perm = list(range(op.rank))
    first, second = op.axis(op.integer("dim1", 0)), op.axis(op.integer("dim2", 0))
    perm[first], perm[second] = perm[second], perm[first]
    op.result("Transpose", [op.inputs[0].name], perm=perm)


@translates("broadcast_like", "broadcast_to", "broadcast_axis")
def broadcast(op: Operator) -> None:
    """Expand to the inferred shape."""
    op.result("Expand", [op.inputs[0].name, op.shape_constant("shape", op.output_shape)])


@translates("Concat")
def concat(op: Operator) -> None:
    """Join along one axis."""
    op.result("Concat", [tensor.name for tensor in op.inputs], axis=op.axis(op.integer("dim", 1)))


@translates("stack")
def stack(op: Operator) -> None:
    """Join along a new axis."""
    axis = op.axis(op.integer("axis", 0), op.rank + 1)
    shape = (*op.shape[:axis], 1, *op.shape[axis:])
    axes = op.shape_constant("axes", (axis,))
    parts = [op.step("Unsqueeze", [tensor.name, axes], shape) for tensor in op.inputs]
    op.result("Concat", parts, axis=axis)


@translates("SliceChannel")
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
        part = op.step("Slice", [op.inputs[0].name, *bounds, op.shape_constant("axis", (axis,))], part_shape)
        op.result("Squeeze", [part, drop], index=index)


@translates("tile")
def tile(op: Operator) -> None:
    """Repeat whole axes; missing leading axes are added first."""
    reps = op.integers("reps")
    rank = max(len(reps), op.rank)
    shape = (1,) * (rank - op.rank) + op.shape
    source = op.inputs[0].name
    if shape != op.shape:
        source = op.step("Reshape", [source, op.shape_constant("shape", shape)], shape)
    op.result("Tile", [source, op.shape_constant("repeats", (1,) * (rank - len(reps)) + reps)])


@translates("repeat")
def repeat(op: Operator) -> None:
    """Repeat every element along one axis: a new axis of size one, expanded, merged again."""
    if not op.has("axis"):
        raise NotExactError("repeat of the flattened input")
    axis, count = op.axis(op.integer("axis")), op.integer("repeats")
    thin = (*op.shape[: axis + 1], 1, *op.shape[axis + 1 :])
    wide = (*op.shape[: axis + 1], count, *op.shape[axis + 1 :])
    column = op.step("Reshape", [op.inputs[0].name, op.shape_constant("thin", thin)], thin)
    copies = op.step("Expand", [column, op.shape_constant("wide", wide)], wide)
    op.result("Reshape", [copies, op.shape_constant("shape", op.output_shape)])


@translates("Pad")
def pad(op: Operator) -> None:
    """Pad; MXNet lists (before, after) per axis, ONNX all befores and then all afters."""
    mode = op.text("mode", "constant")
    widths = op.integers("pad_width")
    inputs = [op.inputs[0].name, op.shape_constant("pads", widths[::2] + widths[1::2])]
    if mode == "constant":
        inputs.append(op.constant("value", op.number("constant_value", 0.0)))
    op.result("Pad", inputs, mode=mode)


@translates("depth_to_space", "space_to_depth")
def blocks(op: Operator) -> None:
    """Move channels into space, or back, block index first."""
    kind = {"depth_to_space": "DepthToSpace", "space_to_depth": "SpaceToDepth"}[op.kind]
    op.result(kind, [op.inputs[0].name], blocksize=op.integer("block_size"))
