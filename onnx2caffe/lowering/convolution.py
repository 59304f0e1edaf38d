"""Conv and ConvTranspose."""

from __future__ import annotations

from typing import Any

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Pair
from gluon2caffe.onnx2caffe.lowering.axes import as_planes, join, select
from gluon2caffe.onnx2caffe.lowering.correlation import correlation, is_correlation
from gluon2caffe.onnx2caffe.lowering.padding import as_picture, axis_pads, from_picture, pair, spatial_pair, window_pads
from gluon2caffe.onnx2caffe.lowering.spatial import crop, pad_with_zeros
from gluon2caffe.onnx2caffe.lowering.transposition import transpose
from gluon2caffe.onnx2caffe.node import Node
from gluon2caffe.onnx2caffe.registry import lowering
from gluon2caffe.onnx2caffe.targets import Fault

Array = np.ndarray[Any, np.dtype[Any]]


@lowering("Conv")
def conv(node: Node, net: NetBuilder) -> Blob:
    """A Convolution layer; unequal pads become zeros in a longer kernel. Over three spatial axes one for all depths."""
    if node.blob().rank == 5:
        return _conv_of_volume(node, net)
    if is_correlation(node):
        return correlation(node, net)
    x = as_picture(net, node.blob())
    weight, bias = _weight(node), node.optional_constant(2)
    stride, dilation = spatial_pair(node, "strides", 1), spatial_pair(node, "dilations", 1)
    _rely_on_pads(node, net, x, pair(weight.shape[2:]), stride, dilation)
    pads = window_pads(node, x, pair(weight.shape[2:]), stride, dilation)
    y = _convolved(net, x, weight, bias, pads=pads, stride=stride, dilation=dilation, group=node.attr("group", 1))
    return from_picture(net, y, node.shape())


def _rely_on_pads(node: Node, net: NetBuilder, x: Blob, kernel: Pair, stride: Pair, dilation: Pair) -> None:
    """Rely on lengths of `x` that have the same pads, which `auto_pad` lets depend on them."""
    if node.attr("auto_pad", "NOTSET") not in ("SAME_UPPER", "SAME_LOWER"):
        return
    for i in range(2):

        def pads(size: int, i: int = i) -> object:
            sizes = [size if axis == i else x.shape[2 + axis] for axis in range(2)]
            before, after = axis_pads(node, sizes, kernel, stride, dilation)
            return before[i], after[i]

        reach = dilation[i] * (kernel[i] - 1) + 1
        net.sizes.alike(x, 2 + i, stride[i], pads, "auto_pad", least=reach + stride[i])


def _convolved(
    net: NetBuilder,
    x: Blob,
    weight: Array,
    bias: Array | None,
    *,
    pads: tuple[Pair, Pair],
    stride: Pair,
    dilation: Pair,
    group: int,
) -> Blob:
    before, after = pads
    if before != after:
        longer = _lengthen(weight, before, after, dilation)
        if longer is None:
            x, before = pad_with_zeros(net, x, before, after), (0, 0)
        else:
            weight, before = longer, (max(before[0], after[0]), max(before[1], after[1]))
    if dilation[0] != dilation[1] and net.profile.limits.equal_dilation:
        weight, dilation = spread(weight, dilation), (1, 1)
    if weight.shape[1] == 1 and weight.shape[2:] == (3, 3) and net.profile.has_quirk(Fault.DEPTHWISE_OVER_ONE_ROW):
        weight, before = _without_padding_taps(net, x, weight, before, dilation)
    return layers.convolution(net, x, weight, bias, stride=stride, pad=before, dilation=dilation, group=group)


def _conv_of_volume(node: Node, net: NetBuilder) -> Blob:
    """A convolution of pictures, the depths of the result in the batch, with the depths that each reads as channels."""
    x, weight, bias = node.blob(), node.constant(1), node.optional_constant(2)
    net.sizes.exact(x, why="a convolution of volumes")
    (n, channels, _, height, width), (depths, *size) = x.shape, node.shape()[2:]
    made, taps = weight.shape[0], weight.shape[2]
    stride, dilation = (node.attr(name, [1, 1, 1]) for name in ("strides", "dilations"))
    before, after = axis_pads(node, x.shape[2:], weight.shape[2:], stride, dilation)
    planes = as_planes(net, x, 2, 3)
    planes = pad_with_zeros(net, planes, (before[0], 0), (after[0], 0))
    last = (depths - 1) * stride[0]
    starts = [tap * dilation[0] for tap in range(taps)]
    read = [select(net, planes, 2, range(start, start + last + 1, stride[0]), part=f"depth{start}") for start in starts]
    flat = [layers.reshape(net, each, (n, channels, 1, depths * height * width), part="tap") for each in read]
    together = join(net, flat, 2, part="taps")
    stack = layers.reshape(net, together, (n, channels * taps, depths, height * width), part="stack")
    turned = transpose(net, stack, (0, 2, 1, 3), part="depths_first")
    pictures = layers.reshape(net, turned, (n * depths, channels * taps, height, width), part="pictures")
    y = _convolved(
        net,
        pictures,
        weight.reshape(made, -1, *weight.shape[3:]),
        bias,
        pads=(pair(before[1:]), pair(after[1:])),
        stride=pair(stride[1:]),
        dilation=pair(dilation[1:]),
        group=node.attr("group", 1),
    )
    y = layers.reshape(net, y, (n, depths, made, size[0] * size[1]), part="depths")
    return layers.reshape(net, transpose(net, y, (0, 2, 1, 3), part="channels_first"), node.shape(), part="volume")


def _without_padding_taps(net: NetBuilder, x: Blob, weight: Array, pad: Pair, dilation: Pair) -> tuple[Array, Pair]:
    """The weight without the rows and columns that only ever see padding, where an input of one row or column has them.

    Kernel 2·pad + 1 over one row: only the middle tap meets it.
    """
    pads = list(pad)
    for i in range(2):
        taps = weight.shape[2 + i]
        if not (pads[i] and taps == 2 * pads[i] + 1 and dilation[i] == 1):
            continue
        if x.shape[2 + i] > 1:
            net.sizes.at_least(x, 2 + i, 2, "a depthwise 3×3 kernel over one row, which OpenCV misreads")
        else:
            net.sizes.exact(x, [2 + i], "a kernel over one row")
            middle = (slice(None),) * (2 + i) + (slice(pads[i], pads[i] + 1),)
            weight, pads[i] = weight[middle], 0
    return weight, (pads[0], pads[1])


def _weight(node: Node) -> Array:
    """The weight with two spatial axes: of one axis (M, C, k) as (M, C, 1, k)."""
    weight = node.constant(1)
    return weight[:, :, None, :] if weight.ndim == 3 else weight


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
    return growth.padded(weight, widths)


@lowering("ConvTranspose")
def conv_transpose(node: Node, net: NetBuilder) -> Blob:
    """A Deconvolution layer without pads where they are unequal or output_padding is given, then cut to size."""
    x = as_picture(net, node.blob())
    weight, bias = _weight(node), node.optional_constant(2)
    stride, dilation = spatial_pair(node, "strides", 1), spatial_pair(node, "dilations", 1)
    weight, dilation = spread_where_needed(net, weight, dilation)
    size = pair((1, *node.shape()[2:])[-2:])
    if node.attr("auto_pad", "NOTSET") not in ("NOTSET", "", "VALID") or node.has_attr("output_shape"):
        net.sizes.exact(x, why="the size of its result is given")
    begin = _first_cut(node, full_size(x, weight, stride, dilation), size)
    group = node.attr("group", 1)
    y = transposed(net, x, weight, bias, stride=stride, dilation=dilation, group=group, begin=begin, size=size)
    return from_picture(net, y, node.shape())


def full_size(x: Blob, weight: Array, stride: Pair, dilation: Pair) -> Pair:
    """Rows and columns of a Deconvolution without pads."""
    extent = [dilation[i] * (weight.shape[2 + i] - 1) + 1 for i in range(2)]
    return pair([stride[i] * (x.shape[2 + i] - 1) + extent[i] for i in range(2)])


def transposed(
    net: NetBuilder,
    x: Blob,
    weight: Array,
    bias: Array | None,
    *,
    stride: Pair,
    dilation: Pair,
    group: int,
    begin: Pair,
    size: Pair,
) -> Blob:
    """A Deconvolution of which `begin` rows and columns are cut off in front, and what is beyond `size` behind.

    Negative cuts, in front or behind, add rows and columns of the bias alone.
    """
    full = full_size(x, weight, stride, dilation)
    end = pair([full[i] - begin[i] - size[i] for i in range(2)])
    if begin == end and min(begin) >= 0:
        return layers.deconvolution(net, x, weight, bias, stride=stride, pad=begin, dilation=dilation, group=group)
    # What reaches beyond the full result, in front or (output_padding) behind: zero taps of the kernel there.
    taps = [(max(0, -begin[i]), max(0, -end[i])) for i in range(2)]
    if np.any(taps):
        weight, dilation = growth.padded(spread(weight, dilation), [(0, 0), (0, 0), *taps]), (1, 1)
    y = layers.deconvolution(net, x, weight, bias, stride=stride, dilation=dilation, group=group, part="full")
    return crop(net, y, pair([max(0, b) for b in begin]), size)


def _first_cut(node: Node, full: Pair, size: Pair) -> Pair:
    """How many rows and columns of the full result lie before the first one of the node's output."""
    if node.attr("auto_pad", "NOTSET") in ("NOTSET", "") and not node.has_attr("output_shape"):
        pads = node.attr("pads", [0, 0, 0, 0])
        return pair([0, 0, *pads[: len(pads) // 2]][-2:])
    if node.attr("auto_pad", "NOTSET") == "VALID":
        return 0, 0
    extra = spatial_pair(node, "output_padding", 0)
    total = [full[i] + extra[i] - size[i] for i in range(2)]
    # The odd one goes in front, also where output_shape comes without auto_pad.
    upper = node.attr("auto_pad", "NOTSET") == "SAME_UPPER"
    return pair([t // 2 if upper else t - t // 2 for t in total])


def spread_where_needed(net: NetBuilder, weight: Array, dilation: Pair) -> tuple[Array, Pair]:
    """The weight and dilation of a Deconvolution; the dilation as zeros in the weight where the target takes none."""
    taken = net.profile.accepts("Deconvolution", "dilation") and (
        dilation[0] == dilation[1] or not net.profile.limits.equal_dilation
    )
    if taken and not net.profile.has_quirk(Fault.DECONVOLUTION_DILATION):
        return weight, dilation
    return spread(weight, dilation), (1, 1)


def spread(weight: Array, dilation: Pair) -> Array:
    """`weight` with its dilation written out as zeros."""
    if dilation == (1, 1):
        return weight
    kernel = [dilation[i] * (weight.shape[2 + i] - 1) + 1 for i in range(2)]
    spread = growth.zeros(*weight.shape[:2], *kernel)
    spread[:, :, :: dilation[0], :: dilation[1]] = weight
    return spread
