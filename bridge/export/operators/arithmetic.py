"""Arithmetic with a number, and the element-wise functions mxnet.onnx has no translation for."""

import numpy as np
import onnx

from gluon2caffe.bridge.export.operators.operator import NotExactError, Operator
from gluon2caffe.bridge.export.operators.registry import translates

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
_COMPARED = {f"broadcast_{word}": kind for word, kind in _COMPARISONS.items()}
_SAME_MEANING = {
    "broadcast_maximum": "Max",
    "broadcast_minimum": "Min",
    "erf": "Erf",
    "sign": "Sign",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "softsign": "Softsign",
    "arcsinh": "Asinh",
    "arccosh": "Acosh",
    "arctanh": "Atanh",
    # What they do to a gradient, a loss or a mixed precision does not exist in inference.
    "_identity_with_attr_like_rhs": "Identity",
    "make_loss": "Identity",
}
_ONE_OPERAND = ("_identity_with_attr_like_rhs",)


@translates(*_WITH_NUMBER)
def with_number(op: Operator) -> None:
    """Combine the input and a constant number, in the order the operator's name says."""
    kind, number_first = _WITH_NUMBER[op.kind]
    operands = [op.inputs[0].name, op.constant("scalar", op.number("scalar"))]
    op.result(kind, operands[::-1] if number_first else operands)


@translates(*_COMPARED_WITH_NUMBER)
def compared_with_number(op: Operator) -> None:
    """Compare with a constant number: 1 where it holds, else 0, as a float."""
    number = op.constant("scalar", op.number("scalar"))
    truth = op.step(_COMPARED_WITH_NUMBER[op.kind], [op.inputs[0].name, number], op.shape, dtype=np.bool_)
    op.result("Cast", [truth], to=onnx.TensorProto.FLOAT)


@translates(*_COMPARED)
def compared(op: Operator) -> None:
    """Compare two tensors: 1 where it holds, else 0, as a float."""
    operands = [tensor.name for tensor in op.inputs]
    truth = op.step(_COMPARED[op.kind], operands, op.output_shape, dtype=np.bool_)
    op.result("Cast", [truth], to=onnx.TensorProto.FLOAT)


@translates("where")
def where(op: Operator) -> None:
    """Choose between two tensors, element by element."""
    condition, *choices = op.inputs
    if condition.shape != choices[0].shape:
        raise NotExactError("where with one condition per row")
    truth = op.step("Cast", [condition.name], condition.shape, dtype=np.bool_, to=onnx.TensorProto.BOOL)
    op.result("Where", [truth, *(tensor.name for tensor in choices)])


@translates(*_SAME_MEANING)
def same_meaning(op: Operator) -> None:
    """The ONNX operator of the same meaning."""
    operands = [tensor.name for tensor in op.inputs]
    op.result(_SAME_MEANING[op.kind], operands[:1] if op.kind in _ONE_OPERAND else operands)


@translates("rsqrt")
def reciprocal_root(op: Operator) -> None:
    """1/√x."""
    op.result("Reciprocal", [op.step("Sqrt", [op.inputs[0].name], op.shape)])


@translates("_contrib_div_sqrt_dim")
def divide_by_root_of_width(op: Operator) -> None:
    """Division by the square root of the last axis's size."""
    op.result("Div", [op.inputs[0].name, op.constant("root", op.shape[-1] ** 0.5)])


@translates("Cast", "amp_cast")
def cast(op: Operator) -> None:
    """Nothing, between float types: the exported net computes in float32."""
    dtype = op.text("dtype", "float32")
    if dtype not in ("float32", "float64"):
        raise NotExactError(f"a cast to {dtype}; the exported net computes in float32 throughout")
    op.result("Identity", [op.inputs[0].name])
