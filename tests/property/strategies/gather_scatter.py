"""Operators that pick or replace single numbers by constant indices."""

from math import prod

import numpy as np
from draft import Draft

from strategies.kind import kind


def _random(net: Draft) -> np.random.Generator:
    return np.random.default_rng(net.number(0, 50))


@kind("GatherElements", since=11)
def gather_elements(net: Draft, x: str) -> str:
    shape = net.values[x]
    axis = net.number(-len(shape), len(shape) - 1)
    taken = [net.number(1, length) for length in shape]
    indices = _random(net).integers(-shape[axis], shape[axis], taken)
    return net.add("GatherElements", x, net.constant(indices), axis=axis)


def _points(net: Draft, shape: tuple[int, ...], depth: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Different points, each of `depth` indices, in one or two axes."""
    count = net.number(1, min(6, prod(shape[:depth])))
    flat = _random(net).choice(prod(shape[:depth]), count, replace=False)
    points = np.stack(np.unravel_index(flat, shape[:depth]), axis=-1)
    return points.reshape(2, count // 2, depth) if count % 2 == 0 and net.flag() else points


@kind("GatherND", since=12)
def gather_nd(net: Draft, x: str) -> str:
    shape = net.values[x]
    batch = net.number(0, min(2, len(shape) - 1))
    depth = net.number(1, len(shape) - batch)
    points = np.broadcast_to(part := _points(net, shape[batch:], depth), (*shape[:batch], *part.shape))
    return net.add("GatherND", x, net.constant(np.ascontiguousarray(points)), batch_dims=batch)


def _updates(net: Draft, shape: tuple[int, ...]) -> str:
    """A weight, or a value of that shape where there is one."""
    fitting = [name for name in net.computed() if net.values[name] == shape]
    return net.pick([*fitting, ""]) or net.weight(shape)


@kind("ScatterElements", since=9)
def scatter_elements(net: Draft, x: str) -> str:
    shape = net.values[x]
    axis = net.number(0, len(shape) - 1)
    taken = [net.number(1, length) for length in shape]
    # Different places along the axis, and so no place is written twice.
    order = _random(net).permuted(np.broadcast_to(_along(shape, axis), shape).copy(), axis=axis)
    indices = net.constant(order[tuple(slice(length) for length in taken)])
    operator = "ScatterElements" if net.opset >= 11 else "Scatter"
    return net.add(operator, x, indices, _updates(net, tuple(taken)), axis=axis)


def _along(shape: tuple[int, ...], axis: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])


@kind("ScatterND", since=11)
def scatter_nd(net: Draft, x: str) -> str:
    shape = net.values[x]
    depth = net.number(1, len(shape))
    points = _points(net, shape, depth)
    updates = _updates(net, (*points.shape[:-1], *shape[depth:]))
    zeros = updates in net.values and net.flag()
    return net.add(
        "ScatterND", net.constant(np.zeros(shape, np.float32)) if zeros else x, net.constant(points), updates
    )


@kind("ReverseSequence", ranks=(2, 3, 4), since=10)
def reverse_sequence(net: Draft, x: str) -> str:
    shape, batch = net.values[x], int(net.flag())
    lengths = [net.number(1, shape[1 - batch]) for _ in range(shape[batch])]
    return net.add("ReverseSequence", x, net.ints(lengths), batch_axis=batch, time_axis=1 - batch)


@kind("Col2Im", ranks=(3,), since=18)
def columns_to_image(net: Draft, x: str) -> str:
    rows, columns = net.values[x][1:]
    block = net.pick([(h, w) for h in range(1, rows + 1) for w in range(1, rows + 1) if rows % (h * w) == 0])
    high = net.pick([h for h in range(1, columns + 1) if columns % h == 0])
    places, strides = (high, columns // high), (net.number(1, 2), net.number(1, 2))
    dilations = (net.number(1, 2), net.number(1, 2))
    pads = [net.number(0, 1) for _ in range(4)]
    reach = [strides[i] * (places[i] - 1) + dilations[i] * (block[i] - 1) + 1 for i in range(2)]
    size = [reach[i] - pads[i] - pads[2 + i] + net.number(0, strides[i] - 1) for i in range(2)]
    return net.add(
        "Col2Im", x, net.ints(size), net.ints(block), strides=list(strides), dilations=list(dilations), pads=pads
    )
