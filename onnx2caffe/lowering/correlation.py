"""Convolutions whose kernel is computed: the correlation of siamese trackers."""

from __future__ import annotations

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.padding import spatial_pair
from gluon2caffe.onnx2caffe.lowering.spatial import crop
from gluon2caffe.onnx2caffe.node import Node
from gluon2caffe.onnx2caffe.targets import Fault


def is_correlation(node: Node) -> bool:
    """Whether a Conv has a computed kernel of one channel for each channel of one picture, and plain windows."""
    if node.is_constant(1) or node.is_constant(0) or node.input_count > 2:
        return False
    x, kernel = node.blob(0), node.blob(1)
    channels = x.shape[1]
    plain = spatial_pair(node, "strides", 1) == spatial_pair(node, "dilations", 1) == (1, 1)
    unpadded = node.attr("auto_pad", "NOTSET") in ("NOTSET", "VALID") and not any(node.attr("pads", [0]))
    alike = x.rank == kernel.rank == 4 and x.shape[0] == 1 and kernel.shape[:2] == (channels, 1)
    return plain and unpadded and alike and node.attr("group", 1) == channels


def correlation(node: Node, net: NetBuilder) -> Blob:
    """The sum over the taps of the kernel: the part of the picture that a tap meets, times its number per channel."""
    x, kernel = node.blob(0), node.blob(1)
    for blob in (x, kernel):
        net.sizes.exact(blob, why="a convolution by a computed kernel")
    channels, (rows, columns) = x.shape[1], kernel.shape[2:]
    size = (x.shape[2] - rows + 1, x.shape[3] - columns + 1)
    count = rows * columns
    taps = [kernel]
    if count > 1:
        lying = layers.reshape(net, kernel, (1, channels, count), part="taps")
        taps = layers.slices(net, lying, [1] * count, 2, part="tap")
    like = None
    if net.profile.has("Crop") and not net.profile.has_quirk(Fault.CROP_OF_ALL_AXES):
        like = layers.pooling(net, x, "MAX", (rows, columns), (1, 1), (0, 0), part="like")
    products = []
    for number, tap in enumerate(taps):
        start = divmod(number, columns)
        met = _met(net, x, start, size, like, f"part{number}")
        factor = layers.reshape(net, tap, (1, channels), part=f"factor{number}")
        products.append(layers.scale_by(net, met, factor, axis=0, part=f"product{number}"))
    return products[0] if count == 1 else layers.eltwise(net, products, "SUM", part="sum")


def _met(net: NetBuilder, x: Blob, start: tuple[int, int], size: tuple[int, int], like: Blob | None, part: str) -> Blob:
    """The part of `x` from `start` on, as large as `like`."""
    if like is None or x.shape[2:] == size:
        return crop(net, x, start, size, part=part)
    return net.one("Crop", [x, like], part=part, crop_param={"axis": 2, "offset": list(start)})
