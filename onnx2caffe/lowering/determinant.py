"""Det of small matrices."""

from __future__ import annotations

from itertools import combinations, permutations
from math import prod

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.axes import pieces
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering

LARGEST = 3


@lowering("Det")
def determinant(node: Node, net: NetBuilder) -> Blob:
    """Leibniz' formula: the sum of sign(p)·x[0, p₀]·x[1, p₁]·… over all permutations p of the columns."""
    x = node.blob()
    n = x.shape[-1]
    if n > LARGEST:
        raise UnsupportedNodeError(
            f"it is the determinant of {n}×{n} matrices: the sum of {n}! products loses digits that elimination, which "
            "divides by computed pivots, keeps"
        )
    if n == 1:
        return layers.reshape(net, x, node.shape())
    flat = layers.reshape(net, x, (prod(x.shape[:-2]), n * n), part="flat")
    entries = pieces(net, flat, [1] * (n * n), 1, part="entries")
    orders = list(permutations(range(n)))
    products = [
        layers.eltwise(net, [entries[row * n + column] for row, column in enumerate(order)], "PROD", part="product")
        for order in orders
    ]
    total = layers.weighted_sum(net, products, [_sign(order) for order in orders], part="sum")
    return layers.reshape(net, total, node.shape(), part="shape")


def _sign(order: tuple[int, ...]) -> float:
    return (-1.0) ** sum(a > b for a, b in combinations(order, 2))
