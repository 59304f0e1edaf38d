"""Reductions over any axes, in both forms; ArgMax."""

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
