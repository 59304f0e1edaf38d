"""Operators whose output does not depend on the net's input."""

import numpy as np

from gluon2caffe.bridge.export.operators.operator import NotExactError, Operator
from gluon2caffe.bridge.export.operators.registry import translates

_FILLED = {"_ones": 1.0, "ones_like": 1.0, "_zeros": 0.0, "zeros_like": 0.0, "_full": None}
# Readers for which one number does as well as a tensor full of it.
_BROADCASTING = frozenset(
    f"{form}_{function}" for form in ("elemwise", "broadcast") for function in ("add", "sub", "mul", "div")
)


@translates(*_FILLED)
def filled(op: Operator) -> None:
    """One number everywhere; kept as a single one where all readers broadcast anyway."""
    value = _FILLED[op.kind]
    number = op.number("value") if value is None else value
    single = op.kind.endswith("_like") and op.readers and _BROADCASTING.issuperset(op.readers)
    shape = (1,) * len(op.output_shape) if single else op.output_shape
    op.constant_result(np.full(shape, number, np.float32))


@translates("_arange")
def arange(op: Operator) -> None:
    """Evenly spaced numbers, each repeated as asked."""
    repeat = op.integer("repeat", 1)
    count = op.output_shape[0] // repeat
    numbers = op.number("start", 0.0) + op.number("step", 1.0) * np.arange(count)
    op.constant_result(np.repeat(numbers, repeat).astype(np.float32))


@translates("_linspace")
def linspace(op: Operator) -> None:
    """Numbers at equal distances between two ends."""
    count = op.output_shape[0]
    ends = op.number("start", 0.0), op.number("stop")
    op.constant_result(np.linspace(*ends, count, endpoint=op.flag("endpoint", True)).astype(np.float32))


@translates("shape_array", "size_array")
def measured(op: Operator) -> None:
    """A shape as data: whole numbers, which nothing in an exported float net can use."""
    raise NotExactError("a shape used as data")
