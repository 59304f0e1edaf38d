"""Conv and ConvTranspose."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnx2caffe import layers
from onnx2caffe.builder import Blob, NetBuilder
from onnx2caffe.layers import Pair
from onnx2caffe.lowering.padding import pair, require_2d, window_pads
from onnx2caffe.lowering.spatial import crop, pad_with_zeros
from onnx2caffe.node import Node, UnsupportedNodeError
from onnx2caffe.registry import lowering

Array = np.ndarray[Any, np.dtype[Any]]


@lowering("Conv")
def conv(node: Node, net: NetBuilder) -> Blob:
    """A Convolution layer; unequal pads become zeros in a longer kernel."""
    x = node.blob()
    require_2d(x)
    weight, bias = node.constant(1), node.optional_constant(2)
    kernel = pair(weight.shape[2:])
    stride, dilation = pair(node.attr("strides", [1, 1])), pair(node.attr("dilations", [1, 1]))
    before, after = window_pads(node, x, kernel, stride, dilation)
    if before != after:
        longer = _lengthen(weight, before, after, dilation)
        if longer is None:
            x, before = pad_with_zeros(net, x, before, after), (0, 0)
        else:
            weight, before = longer, (max(before[0], after[0]), max(before[1], after[1]))
    group = node.attr("group", 1)
    return layers.convolution(net, x, weight, bias, stride=stride, pad=before, dilation=dilation, group=group)


def _lengthen(weight: Array, before: Pair, after: Pair, dilation: Pair) -> Array | None:
    """`weight` with zero rows on the side that has less padding, so that equal pads give the same windows.

    None where the difference is not a multiple of the dilation.
    """
    widths = [(0, 0), (0, 0)]
    for i in range(2):
        difference = after[i] - before[i]
        if difference % dilation[i]:
            return None
        taps = abs(difference) // dilation[i]
        widths.append((taps, 0) if difference > 0 else (0, taps))
    return np.pad(weight, widths)


@lowering("ConvTranspose")
def conv_transpose(node: Node, net: NetBuilder) -> Blob:
    """A Deconvolution layer without pads where they are unequal or output_padding is given, then cut to size."""
    x = node.blob()
    require_2d(x)
    weight, bias = node.constant(1), node.optional_constant(2)
    group = node.attr("group", 1)
    weight = _spread(weight, pair(node.attr("dilations", [1, 1])))
    kernel, stride = pair(weight.shape[2:]), pair(node.attr("strides", [1, 1]))
    size = pair(node.shape()[2:])
    full = [stride[i] * (x.shape[2 + i] - 1) + kernel[i] for i in range(2)]
    if node.attr("auto_pad", "NOTSET") in ("NOTSET", "") and not node.has_attr("output_shape"):
        begin = pair(node.attr("pads", [0, 0, 0, 0])[:2])
    else:
        extra = pair(node.attr("output_padding", [0, 0]))
        total = [full[i] + extra[i] - size[i] for i in range(2)]
        # The odd one goes in front, also where output_shape comes without auto_pad.
        upper = node.attr("auto_pad", "NOTSET") == "SAME_UPPER"
        begin = pair([t // 2 if upper else t - t // 2 for t in total])
    end = pair([full[i] - begin[i] - size[i] for i in range(2)])
    if begin == end:
        return layers.deconvolution(net, x, weight, bias, stride=stride, pad=begin, group=group)
    if min(begin) < 0:
        raise UnsupportedNodeError("negative pads")
    if min(end) < 0:
        # output_padding beyond the last tap: the kernel gets zero taps there.
        taps = [max(0, -end[i]) for i in range(2)]
        weight = np.pad(weight, [(0, 0), (0, 0), (0, taps[0]), (0, taps[1])])
    y = layers.deconvolution(net, x, weight, bias, stride=stride, group=group, part="full")
    return crop(net, y, begin, size)


def _spread(weight: Array, dilation: Pair) -> Array:
    """`weight` with its dilation written out as zeros, since OpenCV passes over the dilation of a Deconvolution."""
    if dilation == (1, 1):
        return weight
    kernel = [dilation[i] * (weight.shape[2 + i] - 1) + 1 for i in range(2)]
    spread = np.zeros((*weight.shape[:2], *kernel), np.float32)
    spread[:, :, :: dilation[0], :: dilation[1]] = weight
    return spread
