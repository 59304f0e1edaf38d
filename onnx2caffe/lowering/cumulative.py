"""CumSum and CumProd along a constant axis."""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.axes import as_planes, join, linear_along, pieces
from gluon2caffe.onnx2caffe.lowering.piecewise import constant_everywhere
from gluon2caffe.onnx2caffe.node import Node, axis_of
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("CumSum")
def cumulative_sum(node: Node, net: NetBuilder) -> Blob:
    """Multiply by a triangular matrix along the axis."""
    x = node.blob()
    axis = axis_of(int(node.constant(1).item()), x.rank)
    ones = growth.ones(x.shape[axis], x.shape[axis])
    matrix = np.tril(ones, -1 if node.attr("exclusive", 0) else 0)
    return linear_along(net, x, axis, matrix.T if node.attr("reverse", 0) else matrix, part="sum")


@lowering("CumProd")
def cumulative_product(node: Node, net: NetBuilder) -> Blob:
    """Slice by slice, as ONNX multiplies: the product of other pairs might overflow where none of these does."""
    shape = node.shape()
    axis = axis_of(int(node.constant(1).item()), len(shape))
    length = shape[axis]
    if length == 1 and not node.attr("exclusive", 0):
        return node.blob()
    growth.require_layers(length)
    # Four axes, since not every reader slices a blob of one.
    x = as_planes(net, node.blob(), axis, axis + 1)
    slices = pieces(net, x, [1] * length, 2) if length > 1 else [x]
    if node.attr("reverse", 0):
        slices.reverse()
    if node.attr("exclusive", 0):
        first = constant_everywhere(net, slices[0], 1.0, "", "one")
        slices = [first, *slices[:-1]]
    products = slices[:1]
    for factor in slices[1:]:
        products.append(layers.eltwise(net, [products[-1], factor], "PROD", part="product"))
    if node.attr("reverse", 0):
        products.reverse()
    return layers.reshape(net, join(net, products, 2), shape, part="shape")
