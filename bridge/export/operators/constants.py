"""Operators whose output does not depend on the net's input."""

from math import ceil, prod

import numpy as np

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError, OpenShapeError, ShapeError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import same
from gluon2caffe.bridge.mxnet_files.graph import Shape
from gluon2caffe.onnx2caffe import growth

_FILLED = {"_ones": 1.0, "_zeros": 0.0, "_zeros_without_dtype": 0.0, "_full": None}
_FILLED_LIKE = {"ones_like": 1.0, "zeros_like": 0.0}
_LARGEST = growth.MOST_BYTES // 4  # values of a constant
# Readers for which one number does as well as a tensor full of it.
_BROADCASTING = frozenset(
    f"{form}_{function}" for form in ("elemwise", "broadcast") for function in ("add", "sub", "mul", "div")
)


def _declared_shape(op: NodeReader) -> list[Shape]:
    shape = op.integers("shape")
    if not shape or min(shape) <= 0:
        raise OpenShapeError(f"its shape {shape} is left open, expected positive sizes")
    return [shape]


@translates(*_FILLED, shape=_declared_shape)
def filled(op: Operator) -> None:
    """One number everywhere."""
    value = _FILLED[op.kind]
    _fill(op, op.output_shape, op.number("value") if value is None else value)


@translates(*_FILLED_LIKE, shape=same)
def filled_like(op: Operator) -> None:
    """One number everywhere; kept as a single one where all readers broadcast anyway."""
    single = op.readers and _BROADCASTING.issuperset(op.readers)
    _fill(op, (1,) * op.rank if single else op.output_shape, _FILLED_LIKE[op.kind])


def _fill(op: Operator, shape: Shape, number: float) -> None:
    if prod(shape) > _LARGEST:
        raise NotExactError(f"a constant of shape {shape}")
    op.constant_result(np.full(shape, number, np.float32))


def _bounds(op: NodeReader) -> tuple[float, float]:
    """Read start and stop; ``start`` alone is the end of a range from 0."""
    start = op.number("start", 0.0)
    if op.has("stop"):
        return start, op.number("stop")
    if op.flag("infer_range", False):
        raise NotExactError("a range whose length is left open")
    return 0.0, start


def _arange_shape(op: NodeReader) -> list[Shape]:
    start, stop = _bounds(op)
    step = op.number("step", 1.0)
    count = ceil((stop - start) / step) * op.integer("repeat", 1) if step else 0
    if not 0 < count <= _LARGEST:
        raise ShapeError(f"a range from {start} to {stop} by {step}")
    return [(count,)]


@translates("_arange", shape=_arange_shape)
def arange(op: Operator) -> None:
    """Evenly spaced numbers, each repeated as asked."""
    repeat = op.integer("repeat", 1)
    count = op.output_shape[0] // repeat
    numbers = _bounds(op)[0] + op.number("step", 1.0) * np.arange(count)
    op.constant_result(np.repeat(numbers, repeat).astype(np.float32))


def _arange_like_shape(op: NodeReader) -> list[Shape]:
    return [(op.shape[op.axis(op.integer("axis"))],)] if op.has("axis") else [op.shape]


@translates("_contrib_arange_like", shape=_arange_like_shape)
def arange_like(op: Operator) -> None:
    """Evenly spaced numbers in the shape of the input, or as many as one of its axes has."""
    count, repeat = prod(op.output_shape), op.integer("repeat", 1)
    if count > _LARGEST:
        raise NotExactError(f"a constant of shape {op.output_shape}")
    numbers = op.number("start", 0.0) + op.number("step", 1.0) * (np.arange(count) // repeat)
    op.constant_result(numbers.reshape(op.output_shape).astype(np.float32))


def _eye_shape(op: NodeReader) -> list[Shape]:
    rows = op.integer("N")
    shape = rows, op.integer("M", 0) or rows
    if min(shape) < 1 or prod(shape) > _LARGEST:
        raise ShapeError(f"a matrix of {shape}")
    return [shape]


@translates("_eye", shape=_eye_shape)
def eye(op: Operator) -> None:
    """Ones on a diagonal."""
    rows, columns = op.output_shape
    op.constant_result(np.eye(rows, columns, k=op.integer("k", 0), dtype=np.float32))


def _linspace_shape(op: NodeReader) -> list[Shape]:
    count = op.integer("num")
    if not 0 < count <= _LARGEST:
        raise ShapeError(f"it has {count} values")
    return [(count,)]


@translates("_linspace", shape=_linspace_shape)
def linspace(op: Operator) -> None:
    """Numbers at equal distances between two ends."""
    count = op.output_shape[0]
    ends = op.number("start", 0.0), op.number("stop")
    op.constant_result(np.linspace(*ends, count, endpoint=op.flag("endpoint", True)).astype(np.float32))
