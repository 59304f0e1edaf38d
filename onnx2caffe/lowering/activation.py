"""Activations that one Caffe layer computes, or one and a few Power layers."""

from __future__ import annotations

from math import prod
from typing import Any

from gluon2caffe.onnx2caffe import fuse, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.broadcasting import multiply_constant
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering
from gluon2caffe.onnx2caffe.targets import Fault


@lowering("Relu")
def relu(node: Node, net: NetBuilder) -> Blob:
    """ReLU."""
    return layers.relu(net, node.blob())


@lowering("LeakyRelu")
def leaky_relu(node: Node, net: NetBuilder) -> Blob:
    """ReLU with a negative slope."""
    return layers.relu(net, node.blob(), node.attr("alpha", 0.01))


@lowering("PRelu")
def prelu(node: Node, net: NetBuilder) -> Blob:
    """PReLU with one slope per channel, or one for all; other slopes as relu(x) - slope·relu(-x)."""
    x, slope = node.blob(), node.constant(1)
    channels = x.shape[1] if x.rank > 1 else 1
    per_channel = (channels, *[1] * (x.rank - 2))
    aligned = (*[1] * (x.rank - slope.ndim), *slope.shape)
    if slope.size == 1 or (x.rank > 1 and aligned == (1, *per_channel)):
        return _prelu(net, x, slope)
    if len(aligned) != x.rank or any(a not in (1, b) for a, b in zip(aligned, x.shape, strict=True)):
        raise UnsupportedNodeError(f"its slope of shape {slope.shape} does not fit {x.shape}")
    below = layers.relu(net, layers.power(net, x, scale=-1.0, part="negative"), part="below")
    product = multiply_constant(net, below, slope, "slope")
    return layers.weighted_sum(net, [layers.relu(net, x, part="above"), product], (1.0, -1.0))


def _prelu(net: NetBuilder, x: Blob, slope: Array) -> Blob:
    """PReLU, on four axes where fewer or more would go wrong; Caffe takes two to four."""
    made = layers.producer(net, x)
    merged = made is not None and made.type == "Eltwise" and net.profile.has_quirk(Fault.PRELU_AFTER_ELTWISE)
    if x.rank == 4 or (x.rank in (2, 3) and not merged):
        return layers.prelu(net, x, slope)
    picture = layers.reshape(net, x, (*x.shape[:2], *[1] * (2 - x.rank), prod(x.shape[2:]), 1), part="picture")
    return layers.reshape(net, layers.prelu(net, picture, slope, part="prelu"), x.shape, part="shape")


@lowering("Elu")
def elu(node: Node, net: NetBuilder) -> Blob:
    """ELU."""
    return _elu(net, node.blob(), node.attr("alpha", 1.0))


def _elu(net: NetBuilder, x: Blob, alpha: float, part: str = "") -> Blob:
    params: dict[str, Any] = {"elu_param": {"alpha": alpha}} if alpha != 1.0 else {}
    return layers.unary(net, x, "ELU", part=part, **params)


@lowering("Selu")
def selu(node: Node, net: NetBuilder) -> Blob:
    """gamma·ELU(x)."""
    # The defaults are those of the operator: the constants of the paper in float32.
    y = _elu(net, node.blob(), node.attr("alpha", 1.67326319217681884765625), "elu")
    return layers.power(net, y, scale=node.attr("gamma", 1.05070102214813232421875))


@lowering("Celu")
def celu(node: Node, net: NetBuilder) -> Blob:
    """alpha·ELU(x/alpha), which is max(x, 0) + min(0, alpha·(exp(x/alpha) - 1))."""
    alpha = node.attr("alpha", 1.0)
    if alpha == 1.0:
        return _elu(net, node.blob(), 1.0)
    y = _elu(net, layers.power(net, node.blob(), scale=1 / alpha, part="shrink"), 1.0, "elu")
    return layers.power(net, y, scale=alpha)


@lowering("Sigmoid")
def sigmoid(node: Node, net: NetBuilder) -> Blob:
    """Sigmoid."""
    return layers.unary(net, node.blob(), "Sigmoid")


@lowering("Tanh")
def tanh(node: Node, net: NetBuilder) -> Blob:
    """TanH."""
    return layers.unary(net, node.blob(), "TanH")


@lowering("Softplus")
def softplus(node: Node, net: NetBuilder) -> Blob:
    """BNLL, which is log(1 + exp(x)) without overflow."""
    return _softplus(net, node.blob())


def _softplus(net: NetBuilder, x: Blob, part: str = "") -> Blob:
    if net.profile.has("BNLL"):
        return layers.unary(net, x, "BNLL", part=part)
    # relu(x) + log(1 + exp(-|x|)).
    minus = layers.power(net, layers.absolute(net, x, part="magnitude"), scale=-1.0, part="minus_magnitude")
    exponential = layers.power(net, layers.unary(net, minus, "Exp", part="exp"), shift=1.0, part="one_more")
    rest = layers.unary(net, exponential, "Log", part="log")
    return layers.eltwise(net, [layers.relu(net, x, part="positive"), rest], "SUM", part=part)


@lowering("Softsign")
def softsign(node: Node, net: NetBuilder) -> Blob:
    """x·(1 + |x|)^-1."""
    x = node.blob()
    inverse = layers.power(net, layers.absolute(net, x, part="magnitude"), shift=1.0, power=-1.0, part="inverse")
    return layers.eltwise(net, [x, inverse], "PROD")


@lowering("Swish")
@lowering("Swish", domain=fuse.DOMAIN)
def swish(node: Node, net: NetBuilder) -> Blob:
    """x·sigmoid(alpha·x): a Swish layer where the target has one."""
    x, alpha = node.blob(), node.attr("alpha", 1.0)
    if net.profile.has("Swish") and (alpha == 1.0 or net.profile.accepts("Swish", "beta")):
        params: dict[str, Any] = {"swish_param": {"beta": alpha}} if alpha != 1.0 else {}
        return layers.unary(net, x, "Swish", **params)
    inner = x if alpha == 1.0 else layers.power(net, x, scale=alpha, part="times_alpha")
    return layers.eltwise(net, [x, layers.unary(net, inner, "Sigmoid", part="gate")], "PROD")


@lowering("Mish")
@lowering("Mish", domain=fuse.DOMAIN)
def mish(node: Node, net: NetBuilder) -> Blob:
    """x·tanh(softplus(x)): a Mish layer where the target has one."""
    x = node.blob()
    if net.profile.has("Mish"):
        return layers.unary(net, x, "Mish")
    gate = layers.unary(net, _softplus(net, x, "softplus"), "TanH", part="gate")
    return layers.eltwise(net, [x, gate], "PROD")
