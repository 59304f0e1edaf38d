"""Sums, means, products and extremes over axes of a blob; the axes stay, with length 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.axes import as_planes, pieces

Run = Callable[[NetBuilder, Blob, int, int], Blob]


def mean(net: NetBuilder, x: Blob, axes: Iterable[int]) -> Blob:
    """The mean over `axes`."""
    return _over_runs(net, x, axes, _mean_of_run)


def total(net: NetBuilder, x: Blob, axes: Iterable[int]) -> Blob:
    """The sum over `axes`."""
    return _over_runs(net, x, axes, _sum_of_run)


def largest(net: NetBuilder, x: Blob, axes: Iterable[int]) -> Blob:
    """The maximum over `axes`."""
    return _over_runs(net, x, axes, _largest_of_run)


def smallest(net: NetBuilder, x: Blob, axes: Iterable[int]) -> Blob:
    """The minimum over `axes`: -max(-x)."""
    negative = layers.power(net, x, scale=-1.0, part="negative")
    return layers.power(net, largest(net, negative, axes), scale=-1.0, part="restore")


def product(net: NetBuilder, x: Blob, axes: Iterable[int]) -> Blob:
    """The product over `axes`."""
    return _over_runs(net, x, axes, _product_of_run)


def _over_runs(net: NetBuilder, x: Blob, axes: Iterable[int], reduce: Run) -> Blob:
    """Reduce one run of neighbouring axes after the other, the last first; axes of length 1 join any run."""
    reduced = set(axes)
    _rely(net, x, reduced, reduce)
    if all(x.shape[axis] == 1 for axis in reduced):
        return x
    last = x.rank
    while last:
        first = last
        while first and (first - 1 in reduced or x.shape[first - 1] == 1):
            first -= 1
        # The batch axis is left alone where it need not be touched.
        first = 1 if first == 0 and last > 1 and 0 not in reduced else first
        if prod(x.shape[first:last]) > 1:
            top = (*x.shape[:first], *[1] * (last - first), *x.shape[last:])
            x = layers.reshape(net, reduce(net, x, first, last), top, part="shape")
        last = max(first - 1, 0) if first == last else first
    return x


def _rely(net: NetBuilder, x: Blob, reduced: set[int], reduce: Run) -> None:
    """Rely on the lengths of the axes: a global pooling alone takes any; and on those of 1, which join any run."""
    ones = [axis for axis, length in enumerate(x.shape) if length == 1 and axis]
    if x.rank == 4 and reduced == {2, 3} and reduce in (_mean_of_run, _largest_of_run) and x.shape[2] * x.shape[3] > 1:
        return
    net.sizes.exact(x, sorted({*reduced, *ones}), "a reduction of fixed lengths")


def _largest_of_run(net: NetBuilder, x: Blob, first: int, last: int) -> Blob:
    return _pooled(net, x, first, last, "MAX")


def _pooled(net: NetBuilder, x: Blob, first: int, last: int, method: str) -> Blob:
    if x.rank == 4 and (first, last) == (2, 4):
        return layers.global_pooling(net, x, method, part="pool")
    planes = as_planes(net, x, first, last)
    if planes.shape[3] == 1:
        return layers.global_pooling(net, planes, method, part="pool")
    return layers.pooling(net, planes, method, (planes.shape[2], 1), (1, 1), (0, 0), part="pool")


def _mean_of_run(net: NetBuilder, x: Blob, first: int, last: int) -> Blob:
    if x.rank == 4 and (first, last) == (2, 4):
        return _pooled(net, x, first, last, "AVE")
    return _weighted(net, x, first, last, 1 / prod(x.shape[first:last])) or _pooled(net, x, first, last, "AVE")


def _sum_of_run(net: NetBuilder, x: Blob, first: int, last: int) -> Blob:
    y = _weighted(net, x, first, last, 1.0)
    if y is not None:
        return y
    return layers.power(net, _pooled(net, x, first, last, "AVE"), scale=prod(x.shape[first:last]), part="times_count")


def _weighted(net: NetBuilder, x: Blob, first: int, last: int, weight: float) -> Blob | None:
    """The sum times `weight`, where one InnerProduct or 1×1 Convolution makes it; None elsewhere."""
    count = prod(x.shape[first:last])
    if first and last == x.rank and (first == 1 or net.profile.limits.inner_product_axes):
        row = growth.full((1, count), weight)
        return layers.inner_product(net, x, row, None, axis=first, part="sum")
    if first > 1 or (first == 0 and last == x.rank):
        return None
    planes = as_planes(net, x, first, last)
    channels = layers.reshape(net, planes, (planes.shape[0], count, planes.shape[3], 1), part="channels")
    return layers.convolution(net, channels, growth.full((1, count, 1, 1), weight), None, part="sum")


def _product_of_run(net: NetBuilder, x: Blob, first: int, last: int) -> Blob:
    """Halves multiplied with each other until one value is left."""
    y = as_planes(net, x, first, last)
    while y.shape[2] > 1:
        half, odd = divmod(y.shape[2], 2)
        parts = pieces(net, y, [half, half, odd] if odd else [half, half], 2, part="halves")
        y = layers.eltwise(net, parts[:2], "PROD", part="pairs")
        y = layers.concat(net, [y, parts[2]], 2, part="with_odd") if odd else y
    return y
