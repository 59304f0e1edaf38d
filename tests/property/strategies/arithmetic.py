"""Sums, products and extremes with constants and other tensors, in every broadcasting shape."""

import numpy as np
from draft import Draft, Shape
from hypothesis.strategies import permutations

from strategies.activation import positive
from strategies.kind import kind

LONGEST_RANK = 5


def broadcasting_shape(net: Draft, shape: Shape) -> Shape:
    """A shape that broadcasts with `shape`: some axes 1, some leading axes missing, now and then one enlarged."""
    kept = tuple(length if net.flag() else 1 for length in shape)
    if net.flag():
        kept = tuple(net.number(2, 3) if length == 1 and net.number(0, 5) == 5 else length for length in kept)
    return kept[net.number(0, len(kept)) :]


@kind("arithmetic with a constant")
def with_constant(net: Draft, x: str) -> str:
    operator = net.pick(["Add", "Mul", "Sub", "Div"])
    shape = broadcasting_shape(net, net.values[x])
    first = net.flag()
    if operator != "Div":
        operands = [x, net.weight(shape)]
    elif first:
        operands = [positive(net, x), net.weight(shape)]
    else:
        operands = [x, net.weight(shape, 0.5, 2.0)]
    return net.add(operator, *(reversed(operands) if first else operands))


@kind("variadic with constants", since=8)
def variadic(net: Draft, x: str) -> str:
    operands = [x]
    for _ in range(net.number(0, 2)):
        like = net.values[x]
        operands.append(net.weight(broadcasting_shape(net, like)) if net.flag() else partner(net, x))
    return net.add(net.pick(["Max", "Min", "Sum", "Mean"]), *net.any_of(permutations(operands)))


@kind("Pow")
def power(net: Draft, x: str) -> str:
    form = net.pick(["square", "number", "base", "tensor"])
    if form == "square":
        return net.add("Pow", x, net.constant(np.array(net.pick([2.0, 3.0, 1.0]), np.float32)))
    if form == "number":
        return net.add("Pow", positive(net, x), net.constant(np.array([net.pick([0.5, -1.0, 1.7])], np.float32)))
    if form == "base":
        return net.add("Pow", net.weight(broadcasting_shape(net, net.values[x]), 0.5, 2.0), net.add("Tanh", x))
    return net.add("Pow", positive(net, x), net.weight(broadcasting_shape(net, net.values[x]), 0.5, 2.0))


def partner(net: Draft, x: str) -> str:
    """Another computed value that broadcasts with `x`; itself where there is none, or a mean of it over some axes."""
    shape = net.values[x]
    fitting = [name for name in net.computed() if name != x and _broadcast(net.values[name], shape)]
    if fitting and net.flag():
        return net.pick(fitting)
    axes = [axis for axis in range(1, len(shape)) if net.flag()]
    if not axes:
        return net.add("Tanh", x)
    if net.opset < 18:
        return net.add("ReduceMean", x, axes=axes)
    return net.add("ReduceMean", x, net.ints(axes))


def _broadcast(a: Shape, b: Shape) -> bool:
    try:
        return len(np.broadcast_shapes(a, b)) <= LONGEST_RANK
    except ValueError:
        return False


@kind("arithmetic of two tensors")
def of_tensors(net: Draft, x: str) -> str:
    operator = net.pick(["Add", "Mul", "Sub", "Div"])
    other = partner(net, x)
    if operator == "Div":
        return net.add("Div", x, positive(net, other))
    operands = [x, other]
    return net.add(operator, *(reversed(operands) if net.flag() else operands))
