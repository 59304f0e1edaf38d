"""Gemm and MatMul: InnerProduct with a constant matrix, sums of products without."""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.axes import linear_along
from gluon2caffe.onnx2caffe.lowering.broadcasting import add, add_constant
from gluon2caffe.onnx2caffe.lowering.products import batched_product, computed_product
from gluon2caffe.onnx2caffe.lowering.transposition import transpose
from gluon2caffe.onnx2caffe.node import Node
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("Gemm")
def gemm(node: Node, net: NetBuilder) -> Blob:
    """alpha·A·B + beta·C; one InnerProduct where B is constant and C is one value per output."""
    alpha, beta = node.attr("alpha", 1.0), node.attr("beta", 1.0)
    addend = node.constant(2) if node.is_constant(2) else None
    bias = None if addend is None else _per_output(addend, beta, node.shape()[1])
    if node.is_constant(0):
        left = node.constant(0).T if node.attr("transA", 0) else node.constant(0)
        x = _turned(net, node.blob(1), bool(node.attr("transB", 0)))
        y, bias = linear_along(net, x, 0, left * np.float32(alpha), part="product"), None
    else:
        x = _turned(net, node.blob(0), bool(node.attr("transA", 0)))
        if node.is_constant(1):
            matrix = node.constant(1) if node.attr("transB", 0) else node.constant(1).T
            weight = matrix if alpha == 1.0 else matrix * np.float32(alpha)
            y = layers.inner_product(net, x, weight, bias)
        else:
            other = _turned(net, node.blob(1), bool(node.attr("transB", 0)))
            y, bias = computed_product(net, x, other), None
            y = layers.power(net, y, scale=alpha, part="alpha") if alpha != 1.0 else y
    if node.input_count < 3 or bias is not None:
        return y
    if addend is not None:
        return add_constant(net, y, addend * np.float32(beta), "addend")
    scaled = layers.power(net, node.blob(2), scale=beta, part="beta") if beta != 1.0 else node.blob(2)
    return add(net, y, scaled)


def _turned(net: NetBuilder, x: Blob, turn: bool) -> Blob:
    return transpose(net, x, (1, 0), part="turned") if turn else x


def _per_output(addend: Array, beta: float, outputs: int) -> Array | None:
    """beta·C as one value per output; None where it varies by row."""
    if addend.size not in (1, outputs) or (addend.size > 1 and addend.shape[-1] == 1):
        return None
    addend = addend if beta == 1.0 else addend * np.float32(beta)
    return np.broadcast_to(addend.reshape(-1), (outputs,))


@lowering("MatMul")
def matmul(node: Node, net: NetBuilder) -> Blob:
    """x·B with a constant B, over the last axis of x; A·x over the one before it; or of two computed tensors."""
    if node.is_constant(1):
        return layers.reshape(net, _times_constant(net, node.blob(0), node.constant(1)), node.shape(), part="shape")
    if node.is_constant(0):
        matrix, x = node.constant(0), node.blob(1)
        return layers.reshape(net, _constant_times(net, matrix, x), node.shape(), part="shape")
    a, b = node.blob(0), node.blob(1)
    row = layers.reshape(net, a, (1, *a.shape), part="row") if a.rank == 1 else a
    column = layers.reshape(net, b, (*b.shape, 1), part="column") if b.rank == 1 else b
    return layers.reshape(net, computed_product(net, row, column), node.shape(), part="shape")


def _times_constant(net: NetBuilder, x: Blob, matrix: Array) -> Blob:
    x = layers.reshape(net, x, (1, *x.shape), part="row") if x.rank == 1 else x
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.ndim == 2 or matrix.size == matrix.shape[-2] * matrix.shape[-1]:
        return linear_along(net, x, x.rank - 1, matrix.reshape(matrix.shape[-2:]).T, part="product")
    return batched_product(net, x, matrix)


def _constant_times(net: NetBuilder, matrix: Array, x: Blob) -> Blob:
    """A·x = (xᵀ·Aᵀ)ᵀ over the last two axes."""
    x = layers.reshape(net, x, (*x.shape, 1), part="column") if x.rank == 1 else x
    matrix = matrix[None, :] if matrix.ndim == 1 else matrix
    if matrix.ndim == 2 or matrix.size == matrix.shape[-2] * matrix.shape[-1]:
        return linear_along(net, x, x.rank - 2, matrix.reshape(matrix.shape[-2:]), part="product")
    swapped = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
    turned = transpose(net, x, swapped, part="turn")
    product = batched_product(net, turned, np.swapaxes(matrix, -1, -2))
    return transpose(net, product, [*range(product.rank - 2), product.rank - 1, product.rank - 2], part="turn_back")
