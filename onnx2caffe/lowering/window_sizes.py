"""Which lengths of its input the layers of a pooling hold for.

Caffe rounds the pooled length up, so what is cut off behind it depends on the remainder of the length by the stride;
`auto_pad` lets the pads depend on it too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import pooled_size
from gluon2caffe.onnx2caffe.lowering.padding import axis_pads
from gluon2caffe.onnx2caffe.lowering.window import Window
from gluon2caffe.onnx2caffe.node import Node

ROUNDING = "rounding of the pooled size"


def rely_on_maximum(node: Node, net: NetBuilder, x: Blob, windows: Sequence[Window]) -> None:
    """Rely on lengths for which MAX pooling takes the same pads and the same cut."""
    _rely(node, net, x, windows, _caffe_windows)


def rely_on_mean(
    node: Node, net: NetBuilder, x: Blob, windows: Sequence[Window], *, pooled: bool, include_pad: bool
) -> None:
    """Rely on lengths for which AVE pooling, or the convolution in its place where not `pooled`, holds as it is."""

    def behaviour(window: Window) -> object:
        if window.starts_outside():
            raise ValueError("its last window lies outside its input")
        whole = window.last_end() <= window.size + window.before
        ones = all(window.inside(i, padded=include_pad) == window.kernel for i in range(window.count))
        made = _caffe_windows(window) if pooled else _convolution_windows(window)
        return whole, ones, made

    _rely(node, net, x, windows, behaviour)


def _rely(
    node: Node, net: NetBuilder, x: Blob, windows: Sequence[Window], behaviour: Callable[[Window], object]
) -> None:
    for i, window in enumerate(windows):

        def at(size: int, i: int = i, window: Window = window) -> object:
            return behaviour(_resized(node, windows, i, size) if size != window.size else window)

        net.sizes.alike(x, 2 + i, window.stride, at, ROUNDING, least=window.reach + window.stride)


def _resized(node: Node, windows: Sequence[Window], axis: int, size: int) -> Window:
    """The windows along one axis where the input has another length there.

    Raises:
        ValueError: the input is shorter than a window.

    """
    window = windows[axis]
    sizes = [each.size for each in windows]
    sizes[axis] = size
    before, after = axis_pads(
        node, sizes, [w.kernel for w in windows], [w.stride for w in windows], [w.dilation for w in windows]
    )
    room = size + before[axis] + after[axis] - window.reach
    if room < 0:
        raise ValueError("the input is shorter than a window")
    up = node.attr("ceil_mode", 0)
    count = (-(-room // window.stride) if up else room // window.stride) + 1
    if up and (count - 1) * window.stride >= size + before[axis]:
        # onnx leaves out a last window that would start in the padding.
        count -= 1
    return replace(window, size=size, before=before[axis], after=after[axis], count=count)


def _caffe_windows(window: Window) -> object:
    """Caffe's pad, the windows cut in front and those cut behind; the size itself where Caffe has no such windows."""
    place = window.in_caffe()
    if place is None or window.has_empty(place[0]):
        return "other layers", window.size
    pad, skipped = place
    made = pooled_size(window.size, window.kernel, window.stride, pad)
    return pad, pad == window.before, skipped, made - skipped - window.count


def _convolution_windows(window: Window) -> object:
    """The zeros in front and behind, and the windows cut behind."""
    return window.before, max(0, window.last_end() - window.size), window.in_convolution()
