"""Maps along one axis of a blob of any rank, on which slicing, padding, resizing, reduction and broadcasting rest.

Caffe's layers work on given axes: Convolution and Pooling on the last two of four, InnerProduct on the last. A Reshape
brings any axis there without moving a number: the axes before it become one, and those after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.node import UnsupportedNodeError

MOST_PIECES = 64
WIDEST_CONCAT = 32


def as_planes(net: NetBuilder, x: Blob, first: int, last: int, *, part: str = "planes") -> Blob:
    """View `x` as (N, P, L, R): L the axes from `first` to before `last`, P those in front, R those behind.

    The batch axis stays by itself unless it is among L: then the view is (1, 1, L, R).
    """
    front = (x.shape[0], prod(x.shape[1:first])) if first else (1, 1)
    return layers.reshape(net, x, (*front, prod(x.shape[first:last]), prod(x.shape[last:])), part=part)


def linear_along(net: NetBuilder, x: Blob, axis: int, matrix: Array, *, part: str = "along") -> Blob:
    """`matrix` (M, L) times the vectors along `axis` (L), which gets the length M."""
    net.sizes.exact(x, [axis], "a matrix along an axis")
    top = (*x.shape[:axis], matrix.shape[0], *x.shape[axis + 1 :])
    if matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, growth.eye(len(matrix))):
        return x
    matrix = np.ascontiguousarray(matrix, np.float32)
    behind = prod(x.shape[axis + 1 :])
    if behind == 1 or not net.profile.has("Permute"):
        net.sizes.exact(x, range(axis, x.rank), "a matrix along an axis")
    if axis and behind == 1 and (axis == 1 or net.profile.limits.inner_product_axes):
        y = layers.inner_product(net, layers.reshape(net, x, x.shape[: axis + 1]), matrix, None, axis=axis, part=part)
        return layers.reshape(net, y, top, part="shape")
    if axis > 1 and net.profile.has("Permute"):
        if not net.profile.limits.inner_product_axes:
            order = [0, axis, *(other for other in range(1, x.rank) if other != axis)]
            turned = layers.permute(net, x, order, part="turn")
            return layers.permute(
                net, _linear_channels(net, turned, matrix, part), np.argsort(order).tolist(), part="turn_back"
            )
        order = [*(other for other in range(x.rank) if other != axis), axis]
        y = layers.inner_product(
            net, layers.permute(net, x, order, part="turn"), matrix, None, axis=x.rank - 1, part=part
        )
        return layers.permute(net, y, np.argsort(order).tolist(), part="turn_back")
    # Without a Permute layer: the axes in front become the batch.
    channels = layers.reshape(net, x, (prod(x.shape[:axis]), x.shape[axis], *_square(x, axis)), part="channels")
    return layers.reshape(net, _linear_channels(net, channels, matrix, part), top, part="shape")


def _square(x: Blob, axis: int) -> tuple[int, int]:
    """The axes behind `axis` as two: as they are where they are two."""
    behind = x.shape[axis + 1 :]
    return (behind[0], behind[1]) if len(behind) == 2 else (prod(behind), 1)


def _linear_channels(net: NetBuilder, x: Blob, matrix: Array, part: str) -> Blob:
    """`matrix` times the vectors along axis 1, as a 1×1 convolution."""
    top = (x.shape[0], matrix.shape[0], *x.shape[2:])
    picture = layers.reshape(net, x, (*x.shape[:2], *_square(x, 1)), part="picture")
    return layers.reshape(
        net, layers.convolution(net, picture, matrix[:, :, None, None], None, part=part), top, part="flat"
    )


def select(net: NetBuilder, x: Blob, axis: int, indices: Sequence[int], *, part: str = "select") -> Blob:
    """The places `indices` (not negative, in any order, also repeated) along `axis`.

    One Slice for a range; a Pooling over single values for equal steps; Slice and Concat for a few runs; else a matrix
    of ones and zeros.

    Raises:
        UnsupportedNodeError: the matrix would be larger than one node may make (`growth`).

    """
    length, indices = x.shape[axis], list(indices)
    net.sizes.exact(x, [axis] if net.profile.has("Slice") else None, "picked places")
    steps = {b - a for a, b in pairwise(indices)}
    if len(indices) == 1 or steps == {1}:
        return _range(net, x, axis, indices[0], len(indices), part)
    if len(steps) == 1 and min(steps) > 1 and net.profile.has("Pooling"):
        (step,) = steps
        net.sizes.exact(x, why="picked places")
        used = _range(net, x, axis, indices[0], indices[-1] - indices[0] + 1, part)
        planes = as_planes(net, used, axis, axis + 1)
        picked = layers.pooling(net, planes, "MAX", (1, 1), (step, 1), (0, 0), part="every")
        return layers.reshape(net, picked, (*x.shape[:axis], len(indices), *x.shape[axis + 1 :]), part="shape")
    runs = _runs(indices)
    if len(runs) <= MOST_PIECES and net.profile.has("Slice"):
        points = sorted({0, length, *(start for start, _ in runs), *(start + count for start, count in runs)})
        sizes = [b - a for a, b in pairwise(points)]
        pieces = layers.slices(net, x, sizes, axis, part=part) if len(sizes) > 1 else [x]
        taken = [
            piece
            for start, count in runs
            for piece, begin in zip(pieces, points, strict=False)
            if start <= begin < start + count
        ]
        return join(net, taken, axis, part="join")
    matrix = growth.zeros(len(indices), length)
    matrix[np.arange(len(indices)), indices] = 1
    return linear_along(net, x, axis, matrix, part=part)


def pieces(net: NetBuilder, x: Blob, lengths: Sequence[int], axis: int, *, part: str = "pieces") -> list[Blob]:
    """`x` cut into pieces of these lengths along `axis`: one Slice, or a matrix for each where there is none."""
    if net.profile.has("Slice"):
        return layers.slices(net, x, lengths, axis, part=part)
    ends = np.cumsum(lengths).tolist()
    return [_range(net, x, axis, end - length, length, part) for end, length in zip(ends, lengths, strict=True)]


def _range(net: NetBuilder, x: Blob, axis: int, start: int, count: int, part: str) -> Blob:
    length = x.shape[axis]
    if count == length:
        return x
    if not net.profile.has("Slice"):
        matrix = growth.zeros(count, length)
        matrix[np.arange(count), start + np.arange(count)] = 1
        return linear_along(net, x, axis, matrix, part=part)
    sizes = [size for size in (start, count, length - start - count) if size]
    return layers.slices(net, x, sizes, axis, part=part)[1 if start else 0]


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """(first, count) of each run of consecutive indices."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and index == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((index, 1))
    return runs


def join(net: NetBuilder, blobs: Sequence[Blob], axis: int, *, part: str = "join") -> Blob:
    """Concat, in several layers where there are very many blobs."""
    if len(blobs) == 1:
        return blobs[0]
    if len(blobs) <= WIDEST_CONCAT:
        return layers.concat(net, blobs, axis, part=part)
    groups = [blobs[start : start + WIDEST_CONCAT] for start in range(0, len(blobs), WIDEST_CONCAT)]
    return join(net, [join(net, group, axis, part=part) for group in groups], axis, part=part)


def repeat(net: NetBuilder, x: Blob, axis: int, times: int) -> Blob:
    """`x` one behind the other, `times` times, along `axis`."""
    if times == 1:
        return x
    if x.shape[axis] == 1:
        return enlarge(net, x, (*x.shape[:axis], times, *x.shape[axis + 1 :]))
    blocks, rest = divmod(times, WIDEST_CONCAT)
    pieces = [x] * rest
    if blocks:
        block = layers.concat(net, [x] * WIDEST_CONCAT, axis, part=f"repeat{axis}")
        pieces.append(repeat(net, block, axis, blocks))
    return join(net, pieces, axis, part=f"repeat{axis}")


def enlarge(net: NetBuilder, x: Blob, shape: tuple[int, ...]) -> Blob:
    """`x` repeated to `shape` along its axes of length 1, as ONNX broadcasts."""
    aligned = (*[1] * (len(shape) - x.rank), *x.shape)
    repeated = [x.rank - len(shape) + axis for axis, own in enumerate(aligned) if own == 1 != shape[axis]]
    net.sizes.exact(x, [axis for axis in repeated if axis >= 0], "repeated")
    if any(own not in (1, full) for own, full in zip(aligned, shape, strict=True)):
        raise UnsupportedNodeError(f"{x.shape} cannot be broadcast to {shape}")
    x = layers.reshape(net, x, aligned, part="aligned")
    if x.rank == 4 and x.shape[0] == shape[0]:
        return _enlarge_picture(net, x, shape)
    axis = len(shape)
    while axis:
        last, axis = axis, axis - 1
        if x.shape[axis] == shape[axis]:
            continue
        while axis and x.shape[axis - 1] == 1:
            axis -= 1
        x = _enlarge_run(net, x, axis, last, shape)
    return x


def _enlarge_run(net: NetBuilder, x: Blob, first: int, last: int, shape: tuple[int, ...]) -> Blob:
    """Repeat along the axes first..last-1, which all have length 1."""
    times = prod(shape[first:last])
    front, behind = prod(x.shape[1:first]), prod(x.shape[last:])
    top = (*x.shape[:first], *shape[first:last], *x.shape[last:])
    ones = growth.ones(times, 1)
    if first and behind == 1 and net.profile.limits.inner_product_axes:
        y = layers.inner_product(
            net, layers.reshape(net, x, (*x.shape[:first], 1)), ones, None, axis=first, part="ones"
        )
    elif front == 1 or first == 0:
        batch = x.shape[0] if first else 1
        row = layers.reshape(net, x, (batch, 1, behind, 1), part="row")
        y = layers.convolution(net, row, ones[:, :, None, None], None, part="ones")
    else:
        weight = growth.ones(front, 1, times, 1)
        planes = as_planes(net, x, first, last)
        y = layers.deconvolution(net, planes, weight, None, stride=(times, 1), group=front, part="ones")
    return layers.reshape(net, y, top, part="shape")


def _enlarge_picture(net: NetBuilder, x: Blob, shape: tuple[int, ...]) -> Blob:
    """Channels by a 1×1 convolution of ones, rows and columns by a depthwise deconvolution of ones."""
    if x.shape[1] != shape[1]:
        x = layers.convolution(net, x, growth.ones(shape[1], 1, 1, 1), None, part="channels")
    kernel = tuple(full if own != full else 1 for own, full in zip(x.shape[2:], shape[2:], strict=True))
    if kernel == (1, 1):
        return x
    weight = growth.ones(shape[1], 1, *kernel)
    return layers.deconvolution(net, x, weight, None, stride=(kernel[0], kernel[1]), group=shape[1], part="plane")
