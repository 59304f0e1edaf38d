"""Reductions over axes that are known when the net is exported."""

from typing import Any

import numpy as np
import onnx

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.mxnet_files.graph import Shape

_REDUCTIONS = {
    "sum": "ReduceSum",
    "mean": "ReduceMean",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "prod": "ReduceProd",
}
_NORMS = {1: "ReduceL1", 2: "ReduceL2"}


def _reduction_shape(op: NodeReader) -> list[Shape]:
    return [_reduced(op.shape, _axes(op), op.flag("keepdims", False)) or (1,)]


@translates(*_REDUCTIONS, shape=_reduction_shape)
def reduction(op: Operator) -> None:
    """Sum, mean, maximum, minimum or product."""
    _reduce(op, _REDUCTIONS[op.kind])


@translates("norm", shape=_reduction_shape)
def norm(op: Operator) -> None:
    """Sum of absolute values, or root of the sum of squares."""
    order = op.integer("ord", 2)
    if order not in _NORMS:
        raise NotExactError(f"norm of order {order}")
    _reduce(op, _NORMS[order])


def _arg_shape(op: NodeReader) -> list[Shape]:
    axes = (op.axis(op.integer("axis")),) if op.has("axis") else tuple(range(op.rank))
    return [_reduced(op.shape, axes, op.flag("keepdims", False)) or (1,)]


@translates("argmax", "argmin", shape=_arg_shape)
def arg_reduction(op: Operator) -> None:
    """Position of the extreme value along one axis, as a float."""
    if not op.has("axis"):
        raise NotExactError(f"{op.kind} over the flattened input")
    kind = {"argmax": "ArgMax", "argmin": "ArgMin"}[op.kind]
    axis = op.axis(op.integer("axis"))
    keep = op.flag("keepdims", False)
    shape = _reduced(op.shape, (axis,), keep)
    where = op.add_node(kind, [op.inputs[0].name], shape, dtype=np.int64, axis=axis, keepdims=int(keep))
    op.result("Cast", [where], to=onnx.TensorProto.FLOAT)


def _channel_shape(op: NodeReader) -> list[Shape]:
    return [_reduced(op.shape, (1,), False)]


@translates("argmax_channel", shape=_channel_shape)
def argmax_channel(op: Operator) -> None:
    """Position of the largest value along axis 1, as a float."""
    where = op.add_node("ArgMax", [op.inputs[0].name], op.output_shape, dtype=np.int64, axis=1, keepdims=0)
    op.result("Cast", [where], to=onnx.TensorProto.FLOAT)


def _moments_shape(op: NodeReader) -> list[Shape]:
    return [_reduced(op.shape, _moment_axes(op), op.flag("keepdims", False)) or (1,)] * 2


def _moment_axes(op: NodeReader) -> tuple[int, ...]:
    return tuple(op.axis(axis) for axis in op.integers("axes", tuple(range(op.rank))))


@translates("moments", shape=_moments_shape)
def moments(op: Operator) -> None:
    """Mean and variance."""
    axes = _moment_axes(op)
    single = _reduced(op.shape, axes, True)
    mean = op.add_node("ReduceMean", [op.inputs[0].name], single, axes=axes, keepdims=1)
    centred = op.add_node("Sub", [op.inputs[0].name, mean], op.shape)
    variance = op.add_node("ReduceMean", [op.add_node("Mul", [centred] * 2, op.shape)], single, axes=axes, keepdims=1)
    shape = op.shape_constant("shape", op.output_shape)
    for index, tensor in enumerate((mean, variance)):
        op.result("Reshape", [tensor, shape], index=index)


def _axes(op: NodeReader) -> tuple[int, ...]:
    axes = tuple(op.axis(axis) for axis in op.integers("axis", tuple(range(op.rank))))
    if op.flag("exclude", False) and op.integers("axis"):
        return tuple(axis for axis in range(op.rank) if axis not in axes)
    return axes


def _reduced(shape: Shape, axes: tuple[int, ...], keep: bool) -> Shape:
    if keep:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def _reduce(op: Operator, kind: str) -> None:
    axes, keep = _axes(op), op.flag("keepdims", False)
    inputs, attrs = [op.inputs[0].name], dict[str, Any](keepdims=int(keep))
    if kind == "ReduceSum":  # the one reduction whose axes are an input in opset 13
        inputs.append(op.shape_constant("axes", axes))
    else:
        attrs["axes"] = axes
    shape = _reduced(op.shape, axes, keep)
    if shape == op.output_shape:
        op.result(kind, inputs, **attrs)
        return
    # MXNet gives one number the shape (1,), ONNX the shape ().
    number = op.add_node(kind, inputs, shape, **attrs)
    op.result("Reshape", [number, op.shape_constant("shape", op.output_shape)])
