"""Element-wise functions that ONNX has no single operator for, composed of those it has."""

from math import log, pi

import numpy as np
import onnx

from gluon2caffe.bridge.export.operators.node_reader import NotExactError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import broadcast, same

# MXNet operator -> the factor it multiplies by.
_FACTORS = {"degrees": 180 / pi, "radians": pi / 180}
_LOGARITHMS = {"log2": log(2), "log10": log(10)}
_LOGIC = {"and": "And", "or": "Or", "xor": "Xor"}
_LOGIC_OF_TWO = {f"{form}logical_{word}": kind for word, kind in _LOGIC.items() for form in ("broadcast_", "_")}
_LOGIC_WITH_NUMBER = {f"_logical_{word}_scalar": kind for word, kind in _LOGIC.items()}


@translates("square", shape=same)
def square(op: Operator) -> None:
    """x·x."""
    op.result("Mul", [op.inputs[0].name] * 2)


@translates(*_FACTORS, shape=same)
def angle_unit(op: Operator) -> None:
    """Multiply by a constant."""
    op.result("Mul", [op.inputs[0].name, op.constant("factor", _FACTORS[op.kind])])


@translates(*_LOGARITHMS, shape=same)
def logarithm(op: Operator) -> None:
    """Natural logarithm, divided by that of the base."""
    natural = op.add_node("Log", [op.inputs[0].name], op.shape)
    op.result("Mul", [natural, op.constant("factor", 1 / _LOGARITHMS[op.kind])])


@translates("log1p", shape=same)
def log_of_one_more(op: Operator) -> None:
    """Logarithm of 1 + x, to 6e-8 absolute near 0."""
    op.result("Log", [op.add_node("Add", [op.inputs[0].name, op.constant("one", 1)], op.shape)])


@translates("expm1", shape=same)
def exponential_less_one(op: Operator) -> None:
    """exp(x) - 1, to 6e-8 absolute near 0."""
    op.result("Sub", [op.add_node("Exp", [op.inputs[0].name], op.shape), op.constant("one", 1)])


@translates("_hypot", "broadcast_hypot", shape=broadcast)
def hypotenuse(op: Operator) -> None:
    """√(a² + b²)."""
    squares = [op.add_node("Mul", [tensor.name] * 2, tensor.shape) for tensor in op.inputs]
    op.result("Sqrt", [op.add_node("Add", squares, op.output_shape)])


@translates("_hypot_scalar", shape=same)
def hypotenuse_with_number(op: Operator) -> None:
    """√(x² + c²)."""
    square_of = op.add_node("Mul", [op.inputs[0].name] * 2, op.shape)
    op.result("Sqrt", [op.add_node("Add", [square_of, op.constant("square", op.number("scalar") ** 2)], op.shape)])


@translates("_contrib_quadratic", shape=same)
def quadratic(op: Operator) -> None:
    """a·x² + b·x + c."""
    data = op.inputs[0].name
    slope = op.add_node("Mul", [data, op.constant("a", op.number("a", 0.0))], op.shape)
    raised = op.add_node("Add", [slope, op.constant("b", op.number("b", 0.0))], op.shape)
    op.result("Add", [op.add_node("Mul", [raised, data], op.shape), op.constant("c", op.number("c", 0.0))])


@translates("smooth_l1", shape=same)
def smooth_l1(op: Operator) -> None:
    """σ²·x²/2 where |x| < 1/σ², else |x| - 1/(2σ²)."""
    factor = op.number("scalar", 1.0) ** 2
    if factor == 0:
        raise NotExactError("smooth_l1 with scalar 0")
    data = op.inputs[0].name
    size = op.add_node("Abs", [data], op.shape)
    small = op.add_node("Less", [size, op.constant("bound", 1 / factor)], op.shape, dtype=np.bool_)
    inner = op.add_node("Mul", [op.add_node("Mul", [data, data], op.shape), op.constant("half", factor / 2)], op.shape)
    outer = op.add_node("Sub", [size, op.constant("offset", 0.5 / factor)], op.shape)
    op.result("Where", [small, inner, outer])


@translates("logical_not", shape=same)
def logical_not(op: Operator) -> None:
    """1 where x is 0, else 0."""
    zero = op.add_node("Equal", [op.inputs[0].name, op.constant("zero", 0)], op.shape, dtype=np.bool_)
    op.result("Cast", [zero], to=onnx.TensorProto.FLOAT)


@translates(*_LOGIC_OF_TWO, shape=broadcast)
def logic(op: Operator) -> None:
    """Combine two tensors as truth values, all but 0 being true."""
    truths = [
        op.add_node("Cast", [tensor.name], tensor.shape, dtype=np.bool_, to=onnx.TensorProto.BOOL)
        for tensor in op.inputs
    ]
    truth = op.add_node(_LOGIC_OF_TWO[op.kind], truths, op.output_shape, dtype=np.bool_)
    op.result("Cast", [truth], to=onnx.TensorProto.FLOAT)


@translates(*_LOGIC_WITH_NUMBER, shape=same)
def logic_with_number(op: Operator) -> None:
    """Combine a tensor and a number as truth values."""
    number = op.constant("scalar", op.number("scalar") != 0, np.bool_)
    truth = op.add_node("Cast", [op.inputs[0].name], op.shape, dtype=np.bool_, to=onnx.TensorProto.BOOL)
    both = op.add_node(_LOGIC_WITH_NUMBER[op.kind], [truth, number], op.shape, dtype=np.bool_)
    op.result("Cast", [both], to=onnx.TensorProto.FLOAT)


@translates("_image_to_tensor", shape=lambda op: [(*op.shape[:-3], op.shape[-1], *op.shape[-3:-1])])
def image_to_tensor(op: Operator) -> None:
    """(…, H, W, C) of 0 to 255 to (…, C, H, W) of 0 to 1."""
    axes = range(op.rank)
    moved = op.add_node(
        "Transpose", [op.inputs[0].name], op.output_shape, perm=[*axes[:-3], op.rank - 1, op.rank - 3, op.rank - 2]
    )
    op.result("Div", [moved, op.constant("highest", 255)])


@translates("_image_normalize", shape=same)
def image_normalize(op: Operator) -> None:
    """(x - mean) / std, per channel."""
    mean, std = (
        op.constant(key, np.reshape(op.numbers(key, (default,)), (-1, 1, 1)))
        for key, default in (("mean", 0.0), ("std", 1.0))
    )
    op.result("Div", [op.add_node("Sub", [op.inputs[0].name, mean], op.shape), std])
