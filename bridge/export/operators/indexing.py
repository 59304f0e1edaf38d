"""Looking values up by indices that are constants, and one-hot codes of indices that need not be."""

import numpy as np
import onnx

from gluon2caffe.bridge.export.operators.detection import keep
from gluon2caffe.bridge.export.operators.node_reader import Input, NodeReader, NotExactError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.mxnet_files.graph import Shape


def _one_hot_shape(op: NodeReader) -> list[Shape]:
    return [(*op.shape, op.integer("depth"))]


@translates("one_hot", shape=_one_hot_shape)
def one_hot(op: Operator) -> None:
    """`on_value` where the last axis counts to the index, else `off_value`; indices are whole numbers."""
    on, off = op.number("on_value", 1.0), op.number("off_value", 0.0)
    if (on, off) == (1.0, 0.0):
        op.result("Cast", [_is_index(op, op.inputs[0].name, op.output_shape)], to=onnx.TensorProto.FLOAT)
        return
    truth = _is_index(op, op.inputs[0].name, op.output_shape)
    hot = op.add_node("Cast", [truth], op.output_shape, to=onnx.TensorProto.FLOAT)
    spread = op.add_node("Mul", [hot, op.constant("spread", on - off)], op.output_shape)
    op.result("Add", [spread, op.constant("off", off)])


def _is_index(op: Operator, indices: str, shape: Shape) -> str:
    """Compare indices with 0, 1, … along a new last axis."""
    thin = (*shape[:-1], 1)
    column = op.add_node("Reshape", [indices, op.shape_constant("column", thin)], thin)
    return op.add_node("Equal", [column, op.constant("places", np.arange(shape[-1]))], shape, dtype=np.bool_)


def _embedding_shape(op: NodeReader) -> list[Shape]:
    table = op.input(1).shape
    if len(table) != 2:
        raise ShapeError(f"its weight has shape {table}, expected two axes")
    return [(*op.shape, table[1])]


@translates("Embedding", shape=_embedding_shape)
def embedding(op: Operator) -> None:
    """Rows of the weight; indices beyond it mean its first or last row."""
    data, table = op.inputs[:2]
    if data.is_parameter:
        op.result("Gather", [table.name, _whole(op, data, table.shape[0])], axis=0)
        return
    codes = (*data.shape, table.shape[0])
    truth = _is_index(op, _clipped(op, data, table.shape[0]), codes)
    op.result("MatMul", [op.add_node("Cast", [truth], codes, to=onnx.TensorProto.FLOAT), table.name])


def _take_shape(op: NodeReader) -> list[Shape]:
    axis = op.axis(op.integer("axis", 0))
    return [(*op.shape[:axis], *op.input(1).shape, *op.shape[axis + 1 :])]


@translates("take", shape=_take_shape)
def take(op: Operator) -> None:
    """Slices along an axis at constant places; those out of range mean the first or the last."""
    indices = op.inputs[1]
    axis = op.axis(op.integer("axis", 0))
    if not indices.is_parameter:
        raise NotExactError("take at places that are computed")
    if op.text("mode", "clip") != "clip":
        raise NotExactError(f"take with mode {op.text('mode', '')}")
    op.result("Gather", [op.inputs[0].name, _whole(op, indices, op.shape[axis])], axis=axis)


def _pick_shape(op: NodeReader) -> list[Shape]:
    axis = op.axis(op.integer("axis", -1))
    kept = (1,) if op.flag("keepdims", False) else ()
    return [(*op.shape[:axis], *kept, *op.shape[axis + 1 :]) or (1,)]


@translates("pick", shape=_pick_shape)
def pick(op: Operator) -> None:
    """One value along an axis, at constant places."""
    indices = op.inputs[1]
    if not indices.is_parameter:
        raise NotExactError("pick at places that are computed")
    if op.text("mode", "clip") != "clip":
        raise NotExactError(f"pick with mode {op.text('mode', '')}")
    axis = op.axis(op.integer("axis", -1))
    thin = (*op.shape[:axis], 1, *op.shape[axis + 1 :])
    places = _whole(op, indices, op.shape[axis])
    column = op.add_node("Reshape", [places, op.shape_constant("column", thin)], thin, dtype=np.int64)
    found = op.add_node("GatherElements", [op.inputs[0].name, column], thin, axis=axis)
    op.result("Reshape", [found, op.shape_constant("shape", op.output_shape)])


def _gather_shape(op: NodeReader) -> list[Shape]:
    indices = op.input(1).shape
    if not indices or indices[0] > op.rank:
        raise ShapeError(f"indices of shape {indices} into {op.shape}")
    return [(*indices[1:], *op.shape[indices[0] :]) or (1,)]


@translates("gather_nd", shape=_gather_shape)
def gather_nd(op: Operator) -> None:
    """Values at constant places, whose coordinates are along the first axis; places that are data are kept."""
    data, indices = op.inputs
    if not indices.is_parameter or len(indices.shape) < 2:
        keep(op)
        return
    rank = len(indices.shape)
    perm = (*range(1, rank), 0)
    turned = tuple(indices.shape[axis] for axis in perm)
    places = op.add_node("Transpose", [indices.name], turned, perm=perm)
    whole = op.add_node("Cast", [places], turned, dtype=np.int64, to=onnx.TensorProto.INT64)
    op.result("GatherND", [data.name, whole])


def _clipped(op: Operator, indices: Input, size: int) -> str:
    bounds = [op.constant("first", 0), op.constant("last", size - 1)]
    return op.add_node("Clip", [indices.name, *bounds], indices.shape)


def _whole(op: Operator, indices: Input, size: int) -> str:
    """Make indices integers within 0 … size - 1."""
    return op.add_node("Cast", [_clipped(op, indices, size)], indices.shape, dtype=np.int64, to=onnx.TensorProto.INT64)
