"""BatchNormalization and LRN."""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering
from gluon2caffe.onnx2caffe.targets import Fault


@lowering("BatchNormalization")
def batch_normalization(node: Node, net: NetBuilder) -> Blob:
    """One Scale layer; `BatchNorm` + `Scale` with merge_bn=False."""
    if node.attr("training_mode", 0) or any(output.name for output in node.raw.outputs[1:]):
        # Before opset 14 further outputs say so.
        raise UnsupportedNodeError(
            "it is in training mode, and its running statistics are read", "export the net for inference"
        )
    if not node.attr("spatial", 1):
        raise UnsupportedNodeError("it has statistics for every place (spatial=0)", "convert the model to opset 9")
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

    Where k is not read, it is divided out: (k + a·s)^-b = k^-b · (1 + (a/k)·s)^-b.
    """
    size, alpha = node.attr("size", 1), node.attr("alpha", 1e-4)
    beta, k = node.attr("beta", 0.75), node.attr("bias", 1.0)
    if size % 2 == 0:
        raise UnsupportedNodeError(f"LRN of even size {size}; Caffe's windows are odd")
    if k <= 0:
        raise UnsupportedNodeError(f"LRN with bias {k}")
    x = node.blob()
    fields = {"local_size": size, "alpha": alpha, "beta": beta}
    outside = 1.0
    if k != 1.0 and net.profile.accepts("LRN", "k") and not net.profile.has_quirk(Fault.LRN_BIAS):
        fields["k"] = k
    else:
        fields["alpha"], outside = alpha / k, float(k**-beta)
    picture = x if x.rank == 4 else layers.reshape(net, x, (*x.shape[:2], 1, layers.flattened(x, 2)), part="picture")
    y = layers.reshape(net, layers.unary(net, picture, "LRN", part="lrn", lrn_param=fields), x.shape, part="shape")
    return y if outside == 1.0 else layers.power(net, y, scale=outside, part="k")
