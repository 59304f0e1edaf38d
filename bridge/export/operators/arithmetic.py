"""Arithmetic and comparisons, with a number or between tensors, and element-wise functions."""

import numpy as np
import onnx

from gluon2caffe.bridge.export.operators.node_reader import NodeReader, NotExactError
from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.registry import translates
from gluon2caffe.bridge.export.operators.shape_rules import broadcast, elementwise, expect_shape, same
from gluon2caffe.bridge.mxnet_files.graph import Shape

# MXNet operator -> ONNX operator, and whether the number comes first.
_WITH_NUMBER = {
    "_plus_scalar": ("Add", False),
    "_minus_scalar": ("Sub", False),
    "_rminus_scalar": ("Sub", True),
    "_mul_scalar": ("Mul", False),
    "_div_scalar": ("Div", False),
    "_rdiv_scalar": ("Div", True),
    "_power_scalar": ("Pow", False),
    "_rpower_scalar": ("Pow", True),
    "_maximum_scalar": ("Max", False),
    "_minimum_scalar": ("Min", False),
}
_COMPARISONS = {
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "lesser": "Less",
    "lesser_equal": "LessOrEqual",
    "equal": "Equal",
}
_COMPARED_WITH_NUMBER = {f"_{word}_scalar": kind for word, kind in _COMPARISONS.items()}
_COMPARED = {f"{form}{word}": kind for word, kind in _COMPARISONS.items() for form in ("broadcast_", "_")}
_UNEQUAL = ("broadcast_not_equal", "_not_equal")
_OF_EQUAL_SHAPES = {
    "elemwise_add": "Add",
    "elemwise_sub": "Sub",
    "elemwise_mul": "Mul",
    "elemwise_div": "Div",
    "_power": "Pow",
    "_maximum": "Max",
    "_minimum": "Min",
    "add_n": "Sum",
}
_BROADCASTING = {
    "broadcast_add": "Add",
    "broadcast_sub": "Sub",
    "broadcast_mul": "Mul",
    "broadcast_div": "Div",
    "broadcast_power": "Pow",
    "broadcast_maximum": "Max",
    "broadcast_minimum": "Min",
}
_OF_ONE_TENSOR = {
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "negative": "Neg",
    "reciprocal": "Reciprocal",
    "floor": "Floor",
    "ceil": "Ceil",
    "cos": "Cos",
    "sin": "Sin",
    "tan": "Tan",
    "arccos": "Acos",
    "arcsin": "Asin",
    "arctan": "Atan",
    "erf": "Erf",
    "sign": "Sign",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "softsign": "Softsign",
    "arcsinh": "Asinh",
    "arccosh": "Acosh",
    "arctanh": "Atanh",
    # What they do to a gradient, a loss or a mixed precision does not exist in inference.
    "_copy": "Identity",
    "BlockGrad": "Identity",
    "MakeLoss": "Identity",
    "_identity_with_attr_like_rhs": "Identity",
    "make_loss": "Identity",
    "IdentityAttachKLSparseReg": "Identity",
    "_contrib_gradientmultiplier": "Identity",
    "_CrossDeviceCopy": "Identity",
    "_copyto": "Identity",
}


@translates(*_WITH_NUMBER, shape=same)
def with_number(op: Operator) -> None:
    """Combine the input and a constant number, in the order the operator's name says."""
    kind, number_first = _WITH_NUMBER[op.kind]
    operands = [op.inputs[0].name, op.constant("scalar", op.number("scalar"))]
    op.result(kind, operands[::-1] if number_first else operands)


@translates(*_COMPARED_WITH_NUMBER, shape=same)
def compared_with_number(op: Operator) -> None:
    """Compare with a constant number: 1 where it holds, else 0, as a float."""
    number = op.constant("scalar", op.number("scalar"))
    truth = op.add_node(_COMPARED_WITH_NUMBER[op.kind], [op.inputs[0].name, number], op.shape, dtype=np.bool_)
    op.result("Cast", [truth], to=onnx.TensorProto.FLOAT)


@translates(*_COMPARED, shape=broadcast)
def compared(op: Operator) -> None:
    """Compare two tensors: 1 where it holds, else 0, as a float."""
    operands = [tensor.name for tensor in op.inputs]
    truth = op.add_node(_COMPARED[op.kind], operands, op.output_shape, dtype=np.bool_)
    op.result("Cast", [truth], to=onnx.TensorProto.FLOAT)


def _where_shape(op: NodeReader) -> list[Shape]:
    expect_shape(op, 2, op.input(1).shape)
    return [op.input(1).shape]


@translates(*_UNEQUAL, shape=broadcast)
def unequal(op: Operator) -> None:
    """1 where two tensors differ, else 0, as a float."""
    _finish_unequal(op, [tensor.name for tensor in op.inputs])


@translates("_not_equal_scalar", shape=same)
def unequal_to_number(op: Operator) -> None:
    """1 where the input is not a constant number, else 0, as a float."""
    _finish_unequal(op, [op.inputs[0].name, op.constant("scalar", op.number("scalar"))])


def _finish_unequal(op: Operator, operands: list[str]) -> None:
    equal = op.add_node("Equal", operands, op.output_shape, dtype=np.bool_)
    differs = op.add_node("Not", [equal], op.output_shape, dtype=np.bool_)
    op.result("Cast", [differs], to=onnx.TensorProto.FLOAT)


@translates("where", shape=_where_shape)
def where(op: Operator) -> None:
    """Choose between two tensors, element by element."""
    condition, *choices = op.inputs
    if condition.shape != choices[0].shape:
        raise NotExactError("where with one condition per row")
    truth = op.add_node("Cast", [condition.name], condition.shape, dtype=np.bool_, to=onnx.TensorProto.BOOL)
    op.result("Where", [truth, *(tensor.name for tensor in choices)])


@translates(*_OF_EQUAL_SHAPES, shape=elementwise)
def of_equal_shapes(op: Operator) -> None:
    """The ONNX operator of the same meaning, which broadcasts too."""
    op.result(_OF_EQUAL_SHAPES[op.kind], [tensor.name for tensor in op.inputs])


@translates(*_BROADCASTING, shape=broadcast)
def broadcasting(op: Operator) -> None:
    """The ONNX operator of the same meaning."""
    op.result(_BROADCASTING[op.kind], [tensor.name for tensor in op.inputs])


@translates(*_OF_ONE_TENSOR, shape=same)
def of_one_tensor(op: Operator) -> None:
    """The ONNX operator of the same meaning."""
    op.result(_OF_ONE_TENSOR[op.kind], [op.input(0).name])


@translates("Dropout", shape=same)
def dropout(op: Operator) -> None:
    """Nothing, outside training."""
    if op.text("mode", "training") != "training":
        raise NotExactError(f"Dropout with mode={op.text('mode', '')!r} is random in inference too")
    op.result("Identity", [op.input(0).name])


@translates("rsqrt", shape=same)
def reciprocal_root(op: Operator) -> None:
    """1/√x."""
    op.result("Reciprocal", [op.add_node("Sqrt", [op.inputs[0].name], op.shape)])


@translates("_contrib_div_sqrt_dim", shape=same)
def divide_by_root_of_width(op: Operator) -> None:
    """Division by the square root of the last axis's size."""
    op.binds_size("division by the root of a length")
    op.result("Div", [op.inputs[0].name, op.constant("root", op.shape[-1] ** 0.5)])


@translates("Cast", "amp_cast", shape=same)
def cast(op: Operator) -> None:
    """Nothing, between float types: the exported net computes in float32."""
    dtype = op.text("dtype", "float32")
    if dtype not in ("float32", "float64"):
        raise NotExactError(f"a cast to {dtype}; the exported net computes in float32 throughout")
    op.result("Identity", [op.inputs[0].name])
