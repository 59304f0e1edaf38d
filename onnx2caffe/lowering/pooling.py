"""MaxPool, AveragePool and the global pools.

Caffe rounds the pooled size up and pads both sides alike. Its windows therefore start where ONNX's do whenever its
pad is ONNX's first pad plus a multiple of the stride; what it makes too much is cut off. Its windows have no gaps: of
those that have, the maximum is taken value by value, and the mean by a convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Pair
from gluon2caffe.onnx2caffe.lowering.axes import join, select
from gluon2caffe.onnx2caffe.lowering.broadcasting import constant_beside, multiply_constant
from gluon2caffe.onnx2caffe.lowering.padding import axis_pads, pair
from gluon2caffe.onnx2caffe.lowering.pooling_any_size import pool_at_any_size
from gluon2caffe.onnx2caffe.lowering.reductions import largest, mean
from gluon2caffe.onnx2caffe.lowering.spatial import crop, pad_with_zeros
from gluon2caffe.onnx2caffe.lowering.window import Window
from gluon2caffe.onnx2caffe.lowering.window_sizes import rely_on_maximum, rely_on_mean
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering
from gluon2caffe.onnx2caffe.targets import Fault

Windows = tuple[Window, Window]
PoolPicture = Callable[[NetBuilder, Blob, Windows], Blob]


def _by_pictures(node: Node, net: NetBuilder, pool: PoolPicture) -> Blob:
    """`pool` over two spatial axes; over one as rows of height 1, over three along the first, then the others.

    A maximum of maxima, and a mean of means over windows that are products, is that of all.
    """
    x, top = node.blob(), node.shape()
    axes = x.rank - 2
    if axes not in (1, 2, 3):
        raise UnsupportedNodeError(f"it works on {axes} spatial axes (input shape {x.shape}); Caffe has two")
    windows = _windows(node, x)
    if axes != 2 or any(window.dilation != 1 for window in windows):
        net.sizes.exact(x, why="windows over one or three axes, or with gaps")
    if axes == 2:
        return pool(net, x, (windows[0], windows[1]))
    behind = prod(x.shape[3:]) if axes == 3 else 1
    whole = Window(behind, 1, 1, 0, 0, behind)
    if axes == 1:
        row = layers.reshape(net, x, (*x.shape[:2], 1, x.shape[2]), part="picture")
        return layers.reshape(net, pool(net, row, (whole, windows[0])), top, part="row")
    x = layers.reshape(net, x, (*x.shape[:3], behind), part="depths")
    x = pool(net, x, (windows[0], whole))
    x = layers.reshape(net, x, (x.shape[0], x.shape[1] * x.shape[2], windows[1].size, windows[2].size), part="pictures")
    return layers.reshape(net, pool(net, x, (windows[1], windows[2])), top, part="volume")


def _windows(node: Node, x: Blob) -> list[Window]:
    """The windows along each spatial axis of `x`."""
    sizes, counts = x.shape[2:], node.shape()[2:]
    axes = range(len(sizes))
    kernel = node.attr("kernel_shape", [1] * len(sizes))
    stride, dilation = (node.attr(name, [1] * len(sizes)) for name in ("strides", "dilations"))
    dilated = any(d > 1 and k > 1 for d, k in zip(dilation, kernel, strict=True))
    if dilated and node.attr("auto_pad", "NOTSET").startswith("SAME"):
        raise UnsupportedNodeError("it is dilated, and pads by auto_pad, of which runtimes make different sizes")
    before, after = axis_pads(node, sizes, kernel, stride, dilation)
    gaps = [dilation[i] if kernel[i] > 1 else 1 for i in axes]
    return [Window(sizes[i], kernel[i], stride[i], before[i], after[i], counts[i], gaps[i]) for i in axes]


def _without_gaps(net: NetBuilder, x: Blob, windows: Windows) -> tuple[Blob, Windows]:
    """The maximum along the axes of dilated windows, and what is left of the windows.

    It is taken of as many pieces of `x` as a window has values, each piece holding one of them for every window.
    """
    left = list(windows)
    for i, window in enumerate(windows):
        if window.dilation == 1:
            continue
        if not all(window.inside(index, padded=False) for index in range(window.count)):
            raise UnsupportedNodeError("one of its windows lies wholly outside its input")
        beyond = max(0, window.last_end() - window.size)
        padded = _with_least(net, x, 2 + i, window.before, beyond)
        last = (window.count - 1) * window.stride
        starts = [tap * window.dilation for tap in range(window.kernel)]
        taps = [
            select(net, padded, 2 + i, range(start, start + last + 1, window.stride), part=f"tap{start}")
            for start in starts
        ]
        x = layers.eltwise(net, taps, "MAX", part=f"taps_{'hw'[i]}")
        left[i] = Window(window.count, 1, 1, 0, 0, window.count)
    return x, (left[0], left[1])


def _with_least(net: NetBuilder, x: Blob, axis: int, before: int, after: int) -> Blob:
    """`x` with the least float32 number around it along an axis."""
    least = float(np.finfo(np.float32).min)
    sides = [growth.full((*x.shape[:axis], width, *x.shape[axis + 1 :]), least) for width in (before, after)]
    front, behind = ([constant_beside(net, x, side, axis)] if side.size else [] for side in sides)
    return join(net, [*front, x, *behind], axis, part="padded")


def _with_pads_written(net: NetBuilder, x: Blob, windows: Windows) -> tuple[Blob, Windows]:
    """`x` with the least number around it as far as the windows reach, which then need no pads."""
    wide = []
    for i, window in enumerate(windows):
        beyond = max(0, window.last_end() - window.size)
        x = _with_least(net, x, 2 + i, window.before, beyond) if window.before or beyond else x
        wide.append(Window(window.before + window.size + beyond, window.kernel, window.stride, 0, 0, window.count))
    return x, (wide[0], wide[1])


def _pool(net: NetBuilder, x: Blob, windows: Windows, method: str) -> Blob | None:
    """The pooling layer and the cut after it; None where Caffe has no such windows."""
    places = [window.in_caffe() for window in windows]
    if any(place is None for place in places):
        return None
    pad = pair([place[0] for place in places if place])
    skipped = pair([place[1] for place in places if place])
    kernel, stride = pair([w.kernel for w in windows]), pair([w.stride for w in windows])
    if any(window.has_empty(p) for window, p in zip(windows, pad, strict=True)) or _is_wrong(net, windows, pad):
        return None
    y = layers.pooling(net, x, method, kernel, stride, pad, part="pool")
    return crop(net, y, skipped, pair([w.count for w in windows]))


def _is_wrong(net: NetBuilder, windows: Windows, pad: Pair) -> bool:
    """Whether the target's reader is known to take such a Pooling layer wrongly."""
    drops = any(window.drops_last(p) for window, p in zip(windows, pad, strict=True))
    if drops and net.profile.has_quirk(Fault.LAST_WINDOW_IN_PADDING):
        return True
    whole = all(window.kernel >= window.size for window in windows)
    return whole and any(pad) and net.profile.has_quirk(Fault.PADDED_POOLING_OF_WHOLE_MAP)


@lowering("MaxPool")
def max_pool(node: Node, net: NetBuilder) -> Blob:
    """MAX pooling; padding never wins in either."""
    if node.output_count > 1:
        raise UnsupportedNodeError("its second output (indices) has no counterpart")
    return _by_pictures(node, net, lambda net, x, windows: _maximum(node, net, x, windows))


def _maximum(node: Node, net: NetBuilder, x: Blob, windows: Windows) -> Blob:
    if _is_idle(windows):
        return x
    free = pool_at_any_size(node, net, x, windows, "MAX")
    if free is not None:
        return free
    rely_on_maximum(node, net, x, windows)
    x, windows = _without_gaps(net, x, windows)
    y = _pool(net, x, windows, "MAX")
    if y is None:
        # Windows that would lie beyond the edge: without the rows no window reads there are none.
        used = pair([w.size if w.before else w.used_length() for w in windows])
        x = crop(net, x, (0, 0), used, part="used")
        first, second = (Window(used[i], w.kernel, w.stride, w.before, w.after, w.count) for i, w in enumerate(windows))
        y = _pool(net, x, (first, second), "MAX")
    if y is None and any(window.starts_outside() for window in (first, second)):
        # ONNX does not say what the maximum of nothing is, and runtimes differ.
        raise UnsupportedNodeError("its last window lies wholly outside its input")
    if y is None:
        y = _pool(net, *_with_pads_written(net, x, (first, second)), "MAX")
    if y is None:
        raise UnsupportedNodeError("its pads cannot be expressed: Caffe pads both sides alike and less than the kernel")
    return y


@lowering("AveragePool")
def average_pool(node: Node, net: NetBuilder) -> Blob:
    """AVE pooling, then a constant map of factors where the two count different positions.

    Readers disagree about the divisor of a window that passes the padded edge, so such windows are summed by a
    depthwise convolution instead.
    """
    include_pad = bool(node.attr("count_include_pad", 0))
    return _by_pictures(node, net, lambda net, x, windows: _mean(node, net, x, windows, include_pad))


def _mean(node: Node, net: NetBuilder, x: Blob, windows: Windows, include_pad: bool) -> Blob:
    if _is_idle(windows):
        return x
    kernel, stride = pair([w.kernel for w in windows]), pair([w.stride for w in windows])
    if any(w.starts_outside() for w in windows):
        raise UnsupportedNodeError("its last window lies wholly outside its input")
    free = pool_at_any_size(node, net, x, windows, "AVE", include_pad=include_pad)
    if free is not None:
        return free
    divisors = [np.array([w.inside(i, padded=include_pad) for i in range(w.count)], np.float64) for w in windows]
    whole = all(w.last_end() <= w.size + w.before and w.dilation == 1 for w in windows)
    in_phase = all(_keeps_phase(w) for w in windows)
    leaves_out = net.profile.has_quirk(Fault.AVERAGE_LEAVES_PADDING_OUT) and any(w.before or w.after for w in windows)
    if leaves_out:
        gaps = any(w.dilation > 1 for w in windows)
        y = None if include_pad or gaps or not in_phase else _pool(net, x, windows, "AVE")
    else:
        y = _pool(net, x, windows, "AVE") if whole and in_phase else None
    rely_on_mean(node, net, x, windows, pooled=y is not None, include_pad=include_pad)
    if leaves_out and y is not None:
        return y
    if y is None:
        before = pair([w.before for w in windows])
        beyond = pair([max(0, w.last_end() - w.size) for w in windows])
        weight = growth.full((x.shape[1], 1, *kernel), 1 / (kernel[0] * kernel[1]))
        dilation, group = pair([w.dilation for w in windows]), x.shape[1]
        if before != beyond:
            x, before = pad_with_zeros(net, x, before, beyond), (0, 0)
        y = layers.convolution(
            net, x, weight, None, stride=stride, pad=before, dilation=dilation, group=group, part="mean"
        )
        y = crop(net, y, (0, 0), pair([w.count for w in windows]))
    factors = np.multiply.outer(kernel[0] / divisors[0], kernel[1] / divisors[1])
    return y if np.all(factors == 1) else multiply_constant(net, y, factors.astype(np.float32), "divisor")


def _is_idle(windows: Windows) -> bool:
    """Whether every window is one value, in order."""
    return all((w.kernel, w.stride, w.before, w.count) == (1, 1, 0, w.size) for w in windows)


def _keeps_phase(window: Window) -> bool:
    """Whether Caffe's pad is ONNX's own, so that Caffe divides every used window by the whole kernel."""
    place = window.in_caffe()
    return place is not None and place[0] == window.before


@lowering("GlobalAveragePool")
def global_average_pool(node: Node, net: NetBuilder) -> Blob:
    """AVE pooling over the whole picture."""
    return mean(net, node.blob(), range(2, node.blob().rank))


@lowering("GlobalMaxPool")
def global_max_pool(node: Node, net: NetBuilder) -> Blob:
    """MAX pooling over the whole picture."""
    return largest(net, node.blob(), range(2, node.blob().rank))
