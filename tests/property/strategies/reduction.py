"""Reductions over any axes, in both forms; ArgMax, and what takes its indices; TopK."""

import numpy as np
from draft import Draft

from strategies.activation import positive
from strategies.kind import kind

# Operator -> the opset since which its axes are an input.
REDUCTIONS = {
    "ReduceMean": 18,
    "ReduceSum": 13,
    "ReduceMax": 18,
    "ReduceMin": 18,
    "ReduceL1": 18,
    "ReduceL2": 18,
    "ReduceSumSquare": 18,
    "ReduceLogSum": 18,
    "ReduceLogSumExp": 18,
    "ReduceProd": 18,
}


def axes_of(net: Draft, x: str) -> list[int]:
    """Some axes, mostly not the first, now and then counted from behind."""
    rank = len(net.values[x])
    first = 0 if rank == 1 or net.number(0, 4) == 4 else 1
    axes = sorted({net.number(first, rank - 1) for _ in range(net.number(1, 3))})
    return [axis - rank for axis in axes] if net.opset >= 11 and net.flag() else axes


@kind("reduction")
def reduction(net: Draft, x: str) -> str:
    operator = net.pick(list(REDUCTIONS))
    if operator in ("ReduceLogSum", "ReduceProd"):
        x = positive(net, x)
    keep = int(net.flag())
    if net.number(0, 8) == 8:
        return net.add(operator, x, keepdims=keep)
    axes = axes_of(net, x)
    if net.opset < REDUCTIONS[operator]:
        return net.add(operator, x, axes=axes, keepdims=keep)
    return net.add(operator, x, net.ints(axes), keepdims=keep)


@kind("ArgMax")
def arg_max(net: Draft, x: str) -> str:
    operator = net.pick(["ArgMax", "ArgMin"])
    return net.add(operator, x, axis=net.number(0, len(net.values[x]) - 1), keepdims=int(net.flag()))


@kind("TopK")
def top(net: Draft, x: str) -> str:
    axis = net.number(0, len(net.values[x]) - 1)
    if net.opset < 10:
        return net.add_all("TopK", x, axis=axis, k=1, outputs=2)[0]
    largest = net.pick([0, 1]) if net.opset >= 11 else None
    return net.add_all("TopK", x, net.ints([net.pick([1, 1, 1, 2])]), axis=axis, largest=largest, outputs=2)[0]


@kind("OneHot", since=9)
def one_hot(net: Draft, x: str) -> str:
    """Of the indices of an input's ArgMax, in some order of axes: elsewhere rounding may decide between equals."""
    x = net.pick(net.inputs)
    axis = net.number(0, len(net.values[x]) - 1)
    indices = net.add("ArgMax", x, axis=axis, keepdims=int(net.flag()))
    depth = net.constant(np.array(net.number(2, 6), np.int64))
    values = net.constant(np.array(net.pick([(0.0, 1.0), (0.5, -2.0), (100.0, 0.1)]), np.float32))
    return net.add("OneHot", indices, depth, values, axis=net.number(-1, len(net.indices[indices])))
