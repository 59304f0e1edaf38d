"""Pooling in forms that hold at every input size, for `sizes="any"`.

Caffe rounds the pooled length up. Where the source rounds down, a Crop against a blob of the length rounded down takes
off what is too much, if anything: a convolution of one channel with the same windows makes such a blob, and a kernel
as small as the windows allow makes it cheap. A mean that leaves padding out is the ratio of two poolings, of the input
and of ones, which both divide by the same numbers, whatever a reader divides by.
"""

from __future__ import annotations

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.padding import pair
from gluon2caffe.onnx2caffe.lowering.window import Window
from gluon2caffe.onnx2caffe.node import Node

Windows = tuple[Window, Window]


def pool_at_any_size(
    node: Node, net: NetBuilder, x: Blob, windows: Windows, method: str, *, include_pad: bool = True
) -> Blob | None:
    """The pooling at every size; None where these windows have no such form, or need none."""
    if net.options.sizes != "any" or not _has_form(node, net, windows):
        return None
    down = not node.attr("ceil_mode", 0)
    reference = _rounded_down(net, x, windows) if down and any(w.stride > 1 for w in windows) else None
    y = _pooled(net, x, windows, method, reference, "pool")
    if method == "MAX" or (down and (include_pad or not any(w.before for w in windows))):
        return y
    if include_pad and any(w.before for w in windows):
        return None
    ones = layers.constant_like(net, x, 1.0, part="ones")
    share = layers.power(net, _pooled(net, ones, windows, method, reference, "share"), power=-1.0, part="inverse")
    return layers.eltwise(net, [y, share], "PROD", part="mean")


def _has_form(node: Node, net: NetBuilder, windows: Windows) -> bool:
    plain = node.attr("auto_pad", "NOTSET") in ("NOTSET", "", "VALID") and all(w.dilation == 1 for w in windows)
    alike = all(w.before == w.after < w.kernel and w.stride <= w.kernel for w in windows)
    return plain and alike and net.profile.has("Crop")


def _pooled(net: NetBuilder, x: Blob, windows: Windows, method: str, reference: Blob | None, part: str) -> Blob:
    kernel, stride, pad = (pair([getattr(w, name) for w in windows]) for name in ("kernel", "stride", "before"))
    y = layers.pooling(net, x, method, kernel, stride, pad, part=part)
    return y if reference is None else layers.crop_like(net, y, reference, part=f"{part}_cut")


def _rounded_down(net: NetBuilder, x: Blob, windows: Windows) -> Blob:
    """A blob of one channel with as many rows and columns as there are windows, rounded down."""
    # A kernel shorter by 2 and a pad shorter by 1 leave the number of windows as it is.
    taken = [min(w.before, (w.kernel - 1) // 2) for w in windows]
    kernel = pair([w.kernel - 2 * less for w, less in zip(windows, taken, strict=True)])
    pad = pair([w.before - less for w, less in zip(windows, taken, strict=True)])
    weight = growth.zeros(1, x.shape[1], *kernel)
    stride = pair([w.stride for w in windows])
    return layers.convolution(net, x, weight, None, stride=stride, pad=pad, part="windows")
