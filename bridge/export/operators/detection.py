"""Operators of detectors, kept as they are for whoever knows what a whole head computes.

Where an operator is arithmetic or depends on shapes alone, it becomes that. Any other is one ONNX node of the domain
``mxnet``, called like the operator, with MXNet's attributes as strings. Nothing runs such a node: one that is still
there when the heads have been looked for is refused.
"""

from math import prod

import numpy as np
import onnx

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import expect_rank, same
from gluon2caffe.bridge.mxnet_files.graph import Shape

DOMAIN = "mxnet"


def keep(op: Operator) -> None:
    """Make one node that says what MXNet's says."""
    attrs = {key: value for key, value in op.attrs.items() if not key.startswith("__")}
    op.results(op.kind, [tensor.name for tensor in op.inputs], domain=DOMAIN, **attrs)


def _prior_shape(op: NodeReader) -> list[Shape]:
    """Give one anchor for the first ratio with every size, and for the first size with every other ratio."""
    expect_rank(op, 4)
    count = len(op.numbers("sizes", (1.0,))) + len(op.numbers("ratios", (1.0,))) - 1
    return [(1, op.shape[2] * op.shape[3] * count, 4)]


@translates("_contrib_MultiBoxPrior", shape=_prior_shape)
def multibox_prior(op: Operator) -> None:
    """Anchors of one feature map: (1, H·W·anchors, 4), corners as parts of the image; they depend on its size alone.

    As MultiBoxPriorForward in MXNet's src/operator/contrib/multibox_prior.cc, in single precision as there.
    """
    single = np.float32
    height, width = op.shape[2:]
    sizes, ratios = op.numbers("sizes", (1.0,)), op.numbers("ratios", (1.0,))
    steps, offsets = op.numbers("steps", (-1.0, -1.0)), op.numbers("offsets", (0.5, 0.5))
    step_y, step_x = (single(step if step > 0 else 1 / n) for step, n in zip(steps, (height, width), strict=True))
    centre_y = (np.arange(height, dtype=single) + single(offsets[0])) * step_y
    centre_x = (np.arange(width, dtype=single) + single(offsets[1])) * step_x
    pairs = [(size, ratios[0]) for size in sizes] + [(sizes[0], ratio) for ratio in ratios[1:]]
    size, ratio = np.array(pairs, single).T
    root = np.sqrt(ratio)
    half_w, half_h = size * single(height) / single(width) * root / 2, size / root / 2
    y, x = centre_y[:, None, None], centre_x[None, :, None]
    corners = np.broadcast_arrays(x - half_w, y - half_h, x + half_w, y + half_h)
    anchors = np.stack(corners, axis=-1).reshape(1, -1, 4)
    op.constant_result(np.clip(anchors, 0, 1) if op.flag("clip", False) else anchors)


def _detection_shape(op: NodeReader) -> list[Shape]:
    expect_rank(op, 3)
    count, _, anchors = op.shape
    if prod(op.input(1).shape) != count * anchors * 4 or op.input(2).shape != (1, anchors, 4):
        raise ShapeError(f"scores {op.shape}, boxes {op.input(1).shape} and anchors {op.input(2).shape}")
    return [(count, anchors, 6)]


@translates("_contrib_MultiBoxDetection", shape=_detection_shape)
def multibox_detection(op: Operator) -> None:
    """Decoded and suppressed boxes: (N, anchors, 6) of class, score and corners; class -1 is none."""
    keep(op)


@translates("_contrib_box_nms", shape=same)
def box_nms(op: Operator) -> None:
    """Rows of class, score and corners, those that are suppressed filled with -1."""
    keep(op)


@translates("_contrib_box_decode", shape=same)
def box_decode(op: Operator) -> None:
    """Boxes (N, anchors, 4) as corners, from predictions and anchors: arithmetic like any other.

    As BoxDecode in MXNet's src/operator/contrib/bounding_box-inl.h.
    """
    anchors, deltas = op.input(1), op.input(0)
    stds = [op.number(f"std{number}", 1.0) for number in range(4)]
    place, size = _halves(op, anchors.name, anchors.shape, "anchor")
    centre_shape = (*anchors.shape[:-1], 2)
    if op.text("format", "corner") == "corner":
        size = op.add_node("Sub", [size, place], centre_shape)
        half = op.add_node("Mul", [size, op.constant("half", 0.5)], centre_shape)
        place = op.add_node("Add", [place, half], centre_shape)
    shift, growth = _halves(op, deltas.name, deltas.shape, "delta")
    shape = (*deltas.shape[:-1], 2)
    shift = op.add_node("Mul", [shift, op.constant("std_place", stds[:2])], shape)
    shift = op.add_node("Mul", [shift, size], shape)
    centre = op.add_node("Add", [shift, place], shape)
    growth = op.add_node("Mul", [growth, op.constant("std_size", stds[2:])], shape)
    if op.number("clip", -1.0) > 0:
        growth = op.add_node("Min", [growth, op.constant("clip", op.number("clip"))], shape)
    extent = op.add_node("Mul", [op.add_node("Exp", [growth], shape), size], shape)
    half_extent = op.add_node("Mul", [extent, op.constant("half_size", 0.5)], shape)
    first = op.add_node("Sub", [centre, half_extent], shape)
    last = op.add_node("Add", [centre, half_extent], shape)
    op.result("Concat", [first, last], axis=len(shape) - 1)


def _halves(op: Operator, name: str, shape: Shape, label: str) -> tuple[str, str]:
    """The first two and the last two numbers of each box."""
    axis, pace = op.shape_constant(f"{label}_axis", [len(shape) - 1]), (*shape[:-1], 2)
    bounds = [op.shape_constant(f"{label}_bound{bound}", [bound]) for bound in (0, 2, 4)]
    first = op.add_node("Slice", [name, bounds[0], bounds[1], axis], pace)
    return first, op.add_node("Slice", [name, bounds[1], bounds[2], axis], pace)


def _topk_shape(op: NodeReader) -> list[Shape]:
    kind = op.text("ret_typ", "indices")
    if not op.has("axis") and "axis" in op.attrs:
        raise NotExactError("topk of the flattened input")
    axis = op.axis(op.integer("axis", -1))
    count = op.integer("k", 1)
    shape = (*op.shape[:axis], count or op.shape[axis], *op.shape[axis + 1 :])
    if not 0 <= count <= op.shape[axis]:
        raise ShapeError(f"{count} values of shape {op.shape} along axis {axis}")
    return [op.shape] if kind == "mask" else [shape] * (2 if kind == "both" else 1)


@translates("topk", shape=_topk_shape)
def topk(op: Operator) -> None:
    """The largest value along an axis, or the smallest, and its place; more than one value is kept for the heads."""
    kind, axis = op.text("ret_typ", "indices"), op.axis(op.integer("axis", -1))
    if op.integer("k", 1) != 1 or kind == "mask":
        keep(op)
        return
    ascends = op.flag("is_ascend", False)
    if kind in ("value", "both"):
        op.result("ReduceMin" if ascends else "ReduceMax", [op.inputs[0].name], axes=[axis], keepdims=1)
    if kind in ("indices", "both"):
        place = op.add_node(
            "ArgMin" if ascends else "ArgMax",
            [op.inputs[0].name],
            op.output_shapes[-1],
            dtype=np.int64,
            axis=axis,
            keepdims=1,
        )
        op.result("Cast", [place], index=len(op.output_shapes) - 1, to=onnx.TensorProto.FLOAT)
