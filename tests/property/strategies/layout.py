"""Operators that move numbers: Reshape, Transpose, Concat, Split, Slice, Pad, Tile, Expand, DepthToSpace..."""

from math import prod

import numpy as np
from draft import Draft
from hypothesis.strategies import permutations

from strategies.arithmetic import broadcasting_shape
from strategies.kind import kind
from strategies.window import divisors


@kind("Reshape")
def reshape(net: Draft, x: str) -> str:
    """Neighbouring axes joined or one of them split; -1 and 0 where they mean the same."""
    shape = list(net.values[x])
    for _ in range(net.number(1, 2)):
        axis = net.number(0, len(shape) - 1)
        if net.flag():
            first = net.pick(divisors(shape[axis]))
            shape[axis : axis + 1] = [first, shape[axis] // first]
        else:
            shape[axis : axis + 2] = [prod(shape[axis : axis + 2])]
    written = list(shape)
    if net.flag():
        written[net.number(0, len(shape) - 1)] = -1
    if net.flag() and written[0] == net.values[x][0]:
        written[0] = 0
    return net.add("Reshape", x, net.ints(written))


@kind("Flatten")
def flatten(net: Draft, x: str) -> str:
    low = -len(net.values[x]) if net.opset >= 11 else 0
    return net.add("Flatten", x, axis=net.pick([None, *range(low, len(net.values[x]) + 1)]))


def with_axes(net: Draft, operator: str, x: str, axes: list[int], *, since: int = 13, **attributes: int) -> str:
    """A node whose axes became an input in opset `since`."""
    if net.opset < since:
        return net.add(operator, x, axes=axes, **attributes)
    return net.add(operator, x, net.ints(axes), **attributes)


@kind("Squeeze")
def squeeze(net: Draft, x: str) -> str:
    ones = [axis for axis, length in enumerate(net.values[x]) if length == 1]
    if not ones or len(ones) == len(net.values[x]):
        return unsqueeze(net, x)
    chosen = sorted({net.pick(ones) for _ in range(net.number(1, 3))})
    return with_axes(net, "Squeeze", x, chosen)


@kind("Unsqueeze", ranks=(1, 2, 3, 4))
def unsqueeze(net: Draft, x: str) -> str:
    return with_axes(net, "Unsqueeze", x, [net.number(0, len(net.values[x]))])


@kind("Transpose")
def transpose(net: Draft, x: str) -> str:
    rank = len(net.values[x])
    if net.number(0, 4) == 4:
        return net.add("Transpose", x)
    front = [0] if net.number(0, 3) < 3 else []
    rest = net.any_of(permutations(range(len(front), rank)))
    return net.add("Transpose", x, perm=[*front, *rest])


@kind("Concat")
def concat(net: Draft, x: str) -> str:
    shape = net.values[x]
    axis = net.number(0, len(shape) - 1)
    others = [name for name in net.computed() if _joins(net.values[name], shape, axis)]
    chosen = [x, *(net.pick(others) for _ in range(net.number(0, 2)))]
    if net.number(0, 5) == 5:
        chosen.append(net.weight((*shape[:axis], net.number(1, 2), *shape[axis + 1 :])))
    return net.add("Concat", *net.any_of(permutations(chosen)), axis=axis)


def _joins(a: tuple[int, ...], b: tuple[int, ...], axis: int) -> bool:
    return len(a) == len(b) and all(i == axis or m == n for i, (m, n) in enumerate(zip(a, b, strict=True)))


@kind("Split")
def split(net: Draft, x: str) -> list[str]:
    shape = net.values[x]
    axis = net.number(0, len(shape) - 1)
    count = net.number(1, min(3, shape[axis]))
    written = axis - len(shape) if net.opset >= 11 and net.flag() else axis
    if shape[axis] % count == 0 and net.flag():
        number = {"num_outputs": count} if net.opset >= 18 else {}
        return net.add_all("Split", x, outputs=count, axis=written, **number)
    sizes = [1] * count
    sizes[net.number(0, count - 1)] += shape[axis] - count
    if net.opset < 13:
        return net.add_all("Split", x, outputs=count, axis=written, split=sizes)
    return net.add_all("Split", x, net.ints(sizes), outputs=count, axis=written)


@kind("Slice")
def slices(net: Draft, x: str) -> str:
    shape = net.values[x]
    axes = sorted({net.number(0, len(shape) - 1) for _ in range(net.number(1, 2))})
    bounds = [_bounds(net, shape[axis]) for axis in axes]
    starts, ends, steps = (list(column) for column in zip(*bounds, strict=True))
    if net.opset < 10:
        steps = [1] * len(axes)
        starts = [min(start, shape[axis] - 1) for start, axis in zip(starts, axes, strict=True)]
        return net.add("Slice", x, starts=starts, ends=ends, axes=axes)
    return net.add("Slice", x, *(net.ints(column) for column in (starts, ends, axes, steps)))


def _bounds(net: Draft, length: int) -> tuple[int, int, int]:
    """(start, end, step) that leave something, ends also written as negative or far numbers."""
    start = net.number(0, length - 1)
    if net.number(0, 4) == 4:
        return net.pick([start, start - length]), net.pick([-length - 1, -(1 << 31)]), -net.number(1, 2)
    end = net.number(start + 1, length)
    far = [end, 1 << 31] if end == length else [end, end - length]
    return net.pick([start, start - length]), net.pick(far), net.number(1, 3) if net.number(0, 2) == 2 else 1


@kind("Pad")
def pad(net: Draft, x: str) -> str:
    shape = net.values[x]
    mode = net.pick(["constant", "reflect", "edge"])
    limits = [min(2, length - 1) if mode == "reflect" else 2 for length in shape]
    amounts = [net.number(0, limit) if net.flag() else 0 for limit in [*limits, *limits]]
    if net.number(0, 3) < 3:
        # Mostly pictures' edges.
        amounts = [0 if i % len(shape) < min(2, len(shape) - 1) else amount for i, amount in enumerate(amounts)]
    if net.number(0, 5) == 5 and mode == "constant":
        axis = net.number(0, len(shape) - 1)
        amounts[axis] = -min(1, shape[axis] - 1)
    value = net.pick([0.0, 0.5, -2.0])
    if net.opset < 11:
        return net.add("Pad", x, mode=mode, pads=amounts, value=value)
    inputs = [net.ints(amounts)]
    if mode == "constant" and net.flag():
        inputs.append(net.constant(np.array(value, np.float32)))
    return net.add("Pad", x, *inputs, mode=mode)


@kind("Tile")
def tile(net: Draft, x: str) -> str:
    return net.add("Tile", x, net.ints([net.number(1, 3) if net.flag() else 1 for _ in net.values[x]]))


@kind("Expand", since=8)
def expand(net: Draft, x: str) -> str:
    shape = net.values[x]
    front = [net.number(1, 2)] if len(shape) < 4 and net.flag() else []
    grown = [net.number(1, 4) if length == 1 else net.pick([length, 1]) for length in shape]
    return net.add("Expand", x, net.ints([*front, *grown]))


@kind("Expand of a narrow tensor", ranks=(2, 3, 4), since=8)
def expand_narrow(net: Draft, x: str) -> str:
    shape = net.values[x]
    narrow = with_axes(net, "ReduceMean", x, [net.number(1, len(shape) - 1)], since=18)
    return net.add("Expand", narrow, net.ints(broadcasting_shape(net, shape)))


@kind("DepthToSpace", ranks=(4,))
def depth_to_space(net: Draft, x: str) -> str:
    sizes = [size for size in (2, 1, 3) if net.values[x][1] % size**2 == 0]
    mode = net.pick([None, "DCR", "CRD"]) if net.opset >= 11 else None
    return net.add("DepthToSpace", x, blocksize=net.pick(sizes), mode=mode)


@kind("SpaceToDepth", ranks=(4,))
def space_to_depth(net: Draft, x: str) -> str:
    height, width = net.values[x][2:]
    sizes = [size for size in (2, 1, 3) if height % size == 0 and width % size == 0]
    return net.add("SpaceToDepth", x, blocksize=net.pick(sizes))


@kind("Dropout")
def dropout(net: Draft, x: str) -> str:
    return net.add("Dropout", x)


@kind("Cast", since=9)
def cast(net: Draft, x: str) -> str:
    return net.add("Cast", x, to=1)


@kind("CastLike", since=15)
def cast_like(net: Draft, x: str) -> str:
    return net.add("CastLike", x, net.weight((1,)))


@kind("Trilu", ranks=(2, 3, 4), since=14)
def triangle(net: Draft, x: str) -> str:
    offset = [net.constant(np.array(net.number(-2, 2), np.int64))] if net.flag() else []
    return net.add("Trilu", x, *offset, upper=int(net.flag()))


@kind("Gather")
def gather(net: Draft, x: str) -> str:
    axis = net.number(0, len(net.values[x]) - 1)
    length = net.values[x][axis]
    wanted = [net.number(0, length - 1) for _ in range(net.number(1, 4))]
    if net.flag():
        return net.add("Gather", x, net.constant(np.array(wanted[0], np.int64)), axis=axis)
    return net.add("Gather", x, net.ints(wanted), axis=axis)
