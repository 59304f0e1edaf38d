"""Gemm and MatMul with a constant matrix, as InnerProduct."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnx2caffe import layers
from onnx2caffe.builder import Blob, NetBuilder
from onnx2caffe.node import Node, UnsupportedNodeError
from onnx2caffe.registry import lowering

Array = np.ndarray[Any, np.dtype[Any]]


@lowering("Gemm")
def gemm(node: Node, net: NetBuilder) -> Blob:
    """alpha·A·B + beta·C with constant B and C."""
    if node.attr("transA", 0):
        raise UnsupportedNodeError("transA: Caffe multiplies rows of its input only")
    weight = node.constant(1)
    if not node.attr("transB", 0):
        weight = weight.T
    alpha, beta = node.attr("alpha", 1.0), node.attr("beta", 1.0)
    if alpha != 1.0:
        weight = weight * np.float32(alpha)
    bias = node.optional_constant(2)
    if bias is not None:
        bias = bias if beta == 1.0 else bias * np.float32(beta)
        if bias.size not in (1, weight.shape[0]) or (bias.size > 1 and bias.shape[-1] == 1):
            raise UnsupportedNodeError(f"its addend has shape {bias.shape}; Caffe adds one value per output")
        bias = np.broadcast_to(bias.reshape(-1), weight.shape[:1])
    return layers.inner_product(net, node.blob(), weight, bias)


@lowering("MatMul")
def matmul(node: Node, net: NetBuilder) -> Blob:
    """x·B with a constant matrix B, over the last axis of x; or A·x over the one before it."""
    if node.is_constant(1):
        x, matrix = node.blob(0), node.constant(1)
        if matrix.ndim == 2 and x.rank >= 2:
            return layers.inner_product(net, x, matrix.T, None, axis=x.rank - 1)
        raise UnsupportedNodeError(f"it multiplies {x.shape} by a constant of shape {matrix.shape}, not by a matrix")
    if node.is_constant(0):
        matrix, x = node.constant(0), node.blob(1)
        if matrix.ndim == 2 and x.rank >= 2 and net.profile.has("Permute"):
            # A·x = (xᵀ·Aᵀ)ᵀ over the last two axes.
            swapped = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
            turned = layers.permute(net, x, swapped, part="turn")
            product = layers.inner_product(net, turned, matrix, None, axis=x.rank - 1)
            return layers.permute(net, product, swapped, part="turn_back")
        raise UnsupportedNodeError(f"it multiplies a constant of shape {matrix.shape} by {x.shape}")
    raise UnsupportedNodeError("it multiplies two computed tensors; no stock Caffe layer does")
