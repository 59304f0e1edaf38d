"""Comparisons, truth values and the choices they make."""

import numpy as np
from draft import Draft
from onnx import TensorProto

from strategies.arithmetic import broadcasting_shape, partner
from strategies.kind import kind

# Operator -> the opset since which it compares floats.
COMPARISONS = {"Greater": 7, "Less": 7, "Equal": 11, "GreaterOrEqual": 12, "LessOrEqual": 12}


def _comparison(net: Draft, x: str) -> str:
    operator = net.pick([name for name, since in COMPARISONS.items() if since <= net.opset])
    form = net.pick(["constant", "number", "computed"])
    # Not a number that values are likely to be equal to: readers round what is computed before differently.
    odd = net.constant(np.array(0.1234567, np.float32))
    if form == "constant":
        other = net.weight(broadcasting_shape(net, net.values[x]))
    else:
        other = odd if form == "number" else net.add("Add", partner(net, x), odd)
    return net.add(operator, *([other, x] if net.flag() else [x, other]))


def _truth(net: Draft, x: str) -> str:
    """A truth value of one or a few nodes."""
    truth = _comparison(net, x)
    form = net.pick(["plain", "not", "joined", "masked"])
    if form == "not":
        return net.add("Not", truth)
    operator = net.pick(["And", "Or", "Xor"])
    if form == "joined":
        return net.add(operator, truth, _comparison(net, x))
    if form == "masked":
        shape = broadcasting_shape(net, net.values[x])
        return net.add(operator, truth, net.constant(np.arange(int(np.prod(shape))).reshape(shape) % 3 == 0))
    return truth


@kind("comparison")
def comparison(net: Draft, x: str) -> str:
    truth = _truth(net, x)
    return net.add("Cast", truth, to=int(TensorProto.FLOAT)) if net.flag() else truth


@kind("mask by what is positive")
def mask(net: Draft, x: str) -> str:
    truth = net.add("Cast", net.add("Relu", x), to=int(TensorProto.BOOL))
    return net.add("Mul", x, net.add("Cast", truth, to=int(TensorProto.FLOAT)))


@kind("Where", since=9)
def where(net: Draft, x: str) -> str:
    condition = _truth(net, x) if net.number(0, 3) < 3 else _constant_condition(net, x)
    branches = [x if net.flag() else partner(net, x), _branch(net, x)]
    return net.add("Where", condition, *(reversed(branches) if net.flag() else branches))


def _constant_condition(net: Draft, x: str) -> str:
    shape = broadcasting_shape(net, net.values[x])
    return net.constant(np.arange(int(np.prod(shape))).reshape(shape) % 3 == 1)


def _branch(net: Draft, x: str) -> str:
    form = net.pick(["number", "constant", "computed", "overflowing"])
    if form == "number":
        return net.constant(np.array(net.pick([0.0, -2.5]), np.float32))
    if form == "constant":
        return net.weight(broadcasting_shape(net, net.values[x]))
    return partner(net, x) if form == "computed" else net.add("Exp", x)
