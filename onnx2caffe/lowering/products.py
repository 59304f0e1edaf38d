"""Products of matrices of which neither, or a whole batch, is constant."""

from __future__ import annotations

from math import prod

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.axes import enlarge
from gluon2caffe.onnx2caffe.lowering.reductions import total
from gluon2caffe.onnx2caffe.lowering.transposition import transpose
from gluon2caffe.onnx2caffe.node import UnsupportedNodeError
from gluon2caffe.onnx2caffe.targets.remedy import other_target


def computed_product(net: NetBuilder, a: Blob, b: Blob) -> Blob:
    """(..., M, K)·(..., K, N), batches broadcast: every a[m, k]·b[k, n] by Eltwise, then the sum over k.

    Where InnerProduct multiplies two bottoms, it is that one layer.

    Raises:
        UnsupportedNodeError: the products would take more memory at once than one node may (`growth`).

    """
    net.sizes.exact(a, why="a product of computed matrices")
    net.sizes.exact(b, why="a product of computed matrices")
    batch = tuple(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    (m, k), n = a.shape[-2:], b.shape[-1]
    count = prod(batch)
    if net.profile.multiplies_bottoms:
        left = layers.reshape(net, _with_batch(net, a, batch, "left"), (1, count, m, k), part="left")
        right = layers.reshape(net, _with_batch(net, b, batch, "right"), (1, count, k, n), part="right")
        fields = {"num_output": n, "bias_term": False, "axis": 3}
        product = net.one("InnerProduct", [left, right], part="product", inner_product_param=fields)
        # A Reshape even to the same shape: OpenCV (4.11) forgets an activation that it merges into such a product.
        dims = {"shape": {"dim": [*batch, m, n]}}
        return net.one("Reshape", [product], (*batch, m, n), part="shape", reshape_param=dims)
    excess = growth.excess_of_bytes(4 * count * m * k * n)
    if excess:
        raise UnsupportedNodeError(
            f"it multiplies two computed tensors, {a.shape} by {b.shape}; no layer that all readers have does, and "
            f"written as products and sums it would need {excess}",
            other_target(lambda profile: profile.multiplies_bottoms),
        )
    left = layers.reshape(net, _with_batch(net, a, batch, "left"), (count, m, k, 1), part="left")
    right = layers.reshape(net, _with_batch(net, b, batch, "right"), (count, 1, k, n), part="right")
    pairs = [enlarge(net, side, (count, m, k, n)) for side in (left, right)]
    products = layers.eltwise(net, pairs, "PROD", part="products")
    return layers.reshape(net, total(net, products, [2]), (*batch, m, n), part="shape")


def _with_batch(net: NetBuilder, x: Blob, batch: tuple[int, ...], part: str) -> Blob:
    shape = (*batch, *x.shape[-2:])
    return x if x.shape == shape else enlarge(net, x, shape)


def batched_product(net: NetBuilder, x: Blob, matrices: Array) -> Blob:
    """Multiply x (..., M, K) by a batch of constant matrices (..., K, N), as a 1×1 convolution with a group per matrix.

    The axes of x in front of those that the matrices vary along become Caffe's batch.
    """
    net.sizes.exact(x, why="a product with several matrices")
    batch = tuple(np.broadcast_shapes(x.shape[:-2], matrices.shape[:-2]))
    x = _with_batch(net, x, batch, "batch")
    own = matrices.shape[:-2]
    while own[0] == 1:
        own = own[1:]
    own = batch[len(batch) - len(own) :]
    (m, k), n, groups = x.shape[-2:], matrices.shape[-1], prod(own)
    front = batch[: len(batch) - len(own)]
    growth.require_numbers(groups, k, n)
    matrices = np.broadcast_to(matrices.reshape(matrices.shape[-2 - len(own) :]), (*own, k, n)).reshape(groups, k, n)
    rows = layers.reshape(net, x, (prod(front), groups, m, k), part="rows")
    turned = transpose(net, rows, (0, 1, 3, 2), part="turn")
    columns = layers.reshape(net, turned, (prod(front), groups * k, m, 1), part="columns")
    weight = np.ascontiguousarray(matrices.transpose(0, 2, 1)).reshape(groups * n, k, 1, 1)
    y = layers.convolution(net, columns, weight, None, group=groups, part="product")
    planes = layers.reshape(net, y, (prod(front), groups, n, m), part="planes")
    return layers.reshape(net, transpose(net, planes, (0, 1, 3, 2), part="turn_back"), (*front, *own, m, n))
