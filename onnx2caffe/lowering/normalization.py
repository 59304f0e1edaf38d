"""BatchNormalization, LRN, LpNormalization, InstanceNormalization and the group norm built from it."""

from __future__ import annotations

from math import prod

import numpy as np

from onnx2caffe import fuse, layers
from onnx2caffe.builder import Blob, NetBuilder
from onnx2caffe.layers import Array
from onnx2caffe.node import Node, UnsupportedNodeError
from onnx2caffe.registry import lowering


@lowering("BatchNormalization")
def batch_normalization(node: Node, net: NetBuilder) -> Blob:
    """One Scale layer; `BatchNorm` + `Scale` with merge_bn=False."""
    if node.attr("training_mode", 0):
        raise UnsupportedNodeError("it is in training mode", "export the net for inference")
    x = node.blob()
    gamma, beta, mean, variance = (node.constant(index) for index in range(1, 5))
    epsilon = node.attr("epsilon", 1e-5)
    if net.options.merge_bn:
        weight, bias = affine_of_batch_norm(gamma, beta, mean, variance, epsilon)
        return layers.scale(net, x, weight, bias)
    normal = layers.batch_norm(net, x, mean, variance, epsilon, part="bn")
    return layers.scale(net, normal, gamma, beta)


def affine_of_batch_norm(
    gamma: Array, beta: Array, mean: Array, variance: Array, epsilon: float
) -> tuple[Array, Array]:
    """(weight, bias) with weight·x + bias = gamma·(x - mean)/sqrt(variance + epsilon) + beta, in float64 inside."""
    weight = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    bias = beta - mean * weight
    return weight.astype(np.float32), bias.astype(np.float32)


@lowering("LRN")
def local_response_normalization(node: Node, net: NetBuilder) -> Blob:
    """LRN across channels; both divide alpha by the size.

    OpenCV reads k as 1, so another k is divided out: (k + a·s)^-b = k^-b · (1 + (a/k)·s)^-b.
    """
    size, alpha = node.attr("size", 1), node.attr("alpha", 1e-4)
    beta, k = node.attr("beta", 0.75), node.attr("bias", 1.0)
    if size % 2 == 0:
        raise UnsupportedNodeError(f"LRN of even size {size}; Caffe's windows are odd")
    if k <= 0:
        raise UnsupportedNodeError(f"LRN with bias {k}")
    fields = {"local_size": size, "alpha": alpha / k, "beta": beta}
    y = layers.unary(net, node.blob(), "LRN", part="lrn", lrn_param=fields)
    return y if k == 1.0 else layers.power(net, y, scale=float(k**-beta), part="k")


@lowering("InstanceNormalization")
def instance_normalization(node: Node, net: NetBuilder) -> Blob:
    """(x - mean)/sqrt(var + eps) per sample and channel, then scale and shift per channel."""
    x = node.blob()
    plane = prod(x.shape[2:])
    rows = layers.reshape(net, x, (x.shape[0], x.shape[1], 1, plane), part="rows")
    normal = normalize_rows(net, rows, node.attr("epsilon", 1e-5))
    y = layers.reshape(net, normal, x.shape, part="picture")
    return layers.scale(net, y, node.constant(1), node.constant(2))


def normalize_rows(net: NetBuilder, x: Blob, epsilon: float) -> Blob:
    """(x - mean)/sqrt(var + epsilon) over the last axis of (N, G, 1, L).

    MVN has its eps outside the root, so it takes the mean off only; the variance is an InnerProduct with 1/L.
    """
    groups, length = x.shape[1], x.shape[3]
    centred = layers.unary(net, x, "MVN", part="centre", mvn_param={"normalize_variance": False})
    squares = layers.power(net, centred, power=2.0, part="square")
    mean = np.full((1, length), 1 / length, np.float32)
    variance = layers.inner_product(net, squares, mean, None, axis=3, part="variance")
    inverse = layers.power(net, variance, shift=epsilon, power=-0.5, part="inverse_deviation")
    factor = layers.reshape(net, inverse, (x.shape[0], groups), part="factor")
    return layers.scale_by(net, centred, factor, axis=0, part="normalize")


@lowering("LpNormalization")
def lp_normalization(node: Node, net: NetBuilder) -> Blob:
    """Normalize for the L2 norm over channels."""
    x = node.blob()
    if node.attr("p", 2) != 2 or node.attr("axis", -1) % x.rank != 1 or x.rank != 4:
        raise UnsupportedNodeError("only the L2 norm over the channels of (N, C, H, W) can be expressed")
    if not net.profile.has("Normalize"):
        raise UnsupportedNodeError(f"the target {net.profile.name!r} has no Normalize layer", "choose the target 'ssd'")
    # ONNX has no eps: this one only keeps 0/0 away, and is lost beside the square of anything above 1e-12.
    return _normalize(net, x, np.ones(x.shape[1], np.float32), 1e-30)


@lowering("Normalize", domain=fuse.DOMAIN)
def l2_normalize(node: Node, net: NetBuilder) -> Blob:
    """Compute x / sqrt(sum of x² over channels + eps) times a factor per channel, as `onnx2caffe.fuse` found it."""
    return _normalize(net, node.blob(), node.constant(1), node.attr("eps", 1e-10))


def _normalize(net: NetBuilder, x: Blob, scale: Array, epsilon: float) -> Blob:
    fields = {"across_spatial": False, "channel_shared": False, "eps": epsilon}
    return layers.unary(net, x, "Normalize", blobs=[scale], norm_param=fields)
