"""Functions of one number, their attributes and bounds."""

import numpy as np
from draft import Draft

from strategies.kind import kind

PLAIN = {
    "Relu": 6,
    "Sigmoid": 6,
    "Tanh": 6,
    "Abs": 6,
    "Neg": 6,
    "Softplus": 1,
    "Softsign": 1,
    "Exp": 6,
    "Identity": 1,
    "HardSwish": 14,
    "Mish": 18,
    "Swish": 24,
    "Sign": 9,
    "Erf": 9,
}
WITH_ALPHA = {"LeakyRelu": 6, "Elu": 6, "Celu": 12, "ThresholdedRelu": 10, "Gelu": 20}
BOUNDS = [(0.0, 6.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, 2.0), (0.25, 0.75), (-2.0, -1.0), (0.0, 4.5)]


@kind("activation")
def plain(net: Draft, x: str) -> str:
    return net.add(net.pick([name for name, since in PLAIN.items() if since <= net.opset]), x)


@kind("Sin or Cos", since=7)
def of_angle(net: Draft, x: str) -> str:
    return net.add(net.pick(["Sin", "Cos"]), net.add("Tanh", x))


@kind("activation with alpha")
def with_alpha(net: Draft, x: str) -> str:
    operator = net.pick([name for name, since in WITH_ALPHA.items() if since <= net.opset])
    if operator == "Gelu":
        return net.add("Gelu", x, approximate=net.pick(["none", "tanh"]))
    return net.add(operator, x, alpha=net.pick([None, 0.5, 0.1, 1.5]))


@kind("Selu")
def selu(net: Draft, x: str) -> str:
    if net.flag():
        return net.add("Selu", x, alpha=1.2, gamma=0.8)
    return net.add("Selu", x)


@kind("Shrink", since=9)
def shrink(net: Draft, x: str) -> str:
    return net.add("Shrink", x, lambd=net.pick([None, 1.0]), bias=net.pick([None, 0.5, -0.25]))


@kind("HardSigmoid")
def hard_sigmoid(net: Draft, x: str) -> str:
    return net.add("HardSigmoid", x, alpha=net.pick([None, 1 / 6, 0.4]), beta=net.pick([None, 0.25]))


@kind("Clip")
def clip(net: Draft, x: str) -> str:
    low, high = net.pick(BOUNDS)
    low, high = net.pick([(low, high), (low, None), (None, high), (None, None), (high, high)])
    if net.opset < 11:
        return net.add("Clip", x, min=low, max=high)
    bounds = ["" if bound is None else net.constant(np.array(bound, np.float32)) for bound in (low, high)]
    while bounds and not bounds[-1]:
        bounds.pop()
    return net.add("Clip", x, *bounds)


@kind("PRelu")
def prelu(net: Draft, x: str) -> str:
    shape = net.values[x]
    channels = shape[1] if len(shape) > 1 else shape[0]
    per_channel = (channels, *[1] * (len(shape) - 2))
    forms = [(1,), per_channel, (1, *per_channel), shape, shape[1:], shape[-1:]]
    return net.add("PRelu", x, net.weight(net.pick(forms)))


def positive(net: Draft, x: str) -> str:
    """Values between 0.5 and 1.5, where roots, logarithms and inverses are well behaved."""
    return net.add("Add", net.add("Sigmoid", x), net.constant(np.array(0.5, np.float32)))


@kind("function of positive numbers")
def of_positive(net: Draft, x: str) -> str:
    return net.add(net.pick(["Sqrt", "Log", "Reciprocal"]), positive(net, x))


@kind("hyperbolic", since=9)
def hyperbolic(net: Draft, x: str) -> str:
    operator = net.pick(["Sinh", "Cosh", "Asinh", "Acosh", "Atanh"])
    if operator == "Asinh":
        return net.add(operator, x)
    # Between -0.96 and 0.96, and for Acosh from 1.1 on.
    if operator == "Acosh":
        return net.add(operator, net.add("Add", net.add("Abs", x), net.constant(np.array(1.1, np.float32))))
    return net.add(operator, net.add("Mul", net.add("Tanh", x), net.constant(np.array(0.96, np.float32))))
