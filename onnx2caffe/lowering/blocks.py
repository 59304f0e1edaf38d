"""DepthToSpace, SpaceToDepth and Col2Im, each as one layer with a kernel of ones and zeros.

A Deconvolution whose kernel and stride are the block size writes every input channel to its place in the block; a
Convolution of that kernel and stride reads it from there. Every product but one is with 0, so the values are exact.
Col2Im adds up where its blocks overlap, as the Deconvolution does.
"""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.convolution import spread_where_needed, transposed
from gluon2caffe.onnx2caffe.lowering.padding import pair
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("DepthToSpace")
def depth_to_space(node: Node, net: NetBuilder) -> Blob:
    """Deconvolution; in the mode CRD one group per output channel."""
    x, size = node.blob(), node.attr("blocksize", 1)
    channels = x.shape[1] // size**2
    taps = growth.eye(size**2).reshape(size**2, 1, size, size)
    if node.attr("mode", "DCR") == "CRD":
        weight, group = growth.tiled(taps, channels), channels
    else:
        weight, group = _one_channel_each(channels, size), 1
    return layers.deconvolution(net, x, weight, None, stride=(size, size), group=group)


def _one_channel_each(channels: int, size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(size²·C, C, size, size): channel (i, j, c) has its 1 at place (i, j) of channel c."""
    weight = growth.zeros(size, size, channels, channels, size, size)
    i, j, c = np.ogrid[:size, :size, :channels]
    weight[i, j, c, c, i, j] = 1
    return weight.reshape(size**2 * channels, channels, size, size)


@lowering("SpaceToDepth")
def space_to_depth(node: Node, net: NetBuilder) -> Blob:
    """Convolution; in the mode CRD (since opset 28) one group per input channel."""
    x, size = node.blob(), node.attr("blocksize", 1)
    if x.shape[2] % size or x.shape[3] % size:
        raise UnsupportedNodeError(f"its blocks of {size} do not divide {x.shape}")
    for axis in (2, 3):
        net.sizes.alike(x, axis, size, lambda length: length % size, "whole blocks")
    if node.attr("mode", "DCR") == "CRD":
        taps = growth.eye(size**2).reshape(size**2, 1, size, size)
        weight, group = growth.tiled(taps, x.shape[1]), x.shape[1]
    else:
        weight, group = _one_channel_each(x.shape[1], size), 1
    return layers.convolution(net, x, weight, None, stride=(size, size), group=group)


@lowering("Col2Im")
def columns_to_image(node: Node, net: NetBuilder) -> Blob:
    """Deconvolution, one group per output channel, of the columns put where their blocks begin."""
    image, block = ([int(length) for length in node.constant(index)] for index in (1, 2))
    if len(image) != 2:
        raise UnsupportedNodeError(f"it works on {len(image)} spatial axes; Caffe's layers have two")
    strides, dilations = pair(node.attr("strides", [1, 1])), pair(node.attr("dilations", [1, 1]))
    pads = node.attr("pads", [0, 0, 0, 0])
    reach = [dilations[i] * (block[i] - 1) + 1 for i in range(2)]
    places = [(image[i] + pads[i] + pads[2 + i] - reach[i]) // strides[i] + 1 for i in range(2)]
    x, channels = node.blob(), node.shape()[1]
    picture = layers.reshape(net, x, (*x.shape[:2], *pair(places)), part="places")
    taps = growth.eye(block[0] * block[1]).reshape(-1, 1, *block)
    weight = growth.tiled(taps, channels)
    weight, dilations = spread_where_needed(net, weight, dilations)
    begin = pair(pads[:2])
    return transposed(
        net,
        picture,
        weight,
        None,
        stride=strides,
        dilation=dilations,
        group=channels,
        begin=begin,
        size=pair(image),
    )
