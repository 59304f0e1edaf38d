"""Activations: one Caffe layer where there is one, else ReLU and Power in a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnx2caffe import layers
from onnx2caffe.builder import Blob, NetBuilder
from onnx2caffe.node import Node, UnsupportedNodeError
from onnx2caffe.registry import lowering


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
    """PReLU with one slope per channel, or one for all."""
    x, slope = node.blob(), node.constant(1)
    channels = x.shape[1] if x.rank > 1 else 1
    per_channel = (channels, *[1] * (x.rank - 2))
    if slope.size != 1 and tuple(slope.shape[-(x.rank - 1) :]) != per_channel:
        raise UnsupportedNodeError(f"its slope has shape {slope.shape}; Caffe has one slope, or one per channel")
    return layers.prelu(net, x, slope)


@lowering("Elu")
def elu(node: Node, net: NetBuilder) -> Blob:
    """ELU."""
    alpha = node.attr("alpha", 1.0)
    params: dict[str, Any] = {"elu_param": {"alpha": alpha}} if alpha != 1.0 else {}
    return layers.unary(net, node.blob(), "ELU", **params)


@lowering("Sigmoid")
def sigmoid(node: Node, net: NetBuilder) -> Blob:
    """Sigmoid."""
    return layers.unary(net, node.blob(), "Sigmoid")


@lowering("Tanh")
def tanh(node: Node, net: NetBuilder) -> Blob:
    """TanH."""
    return layers.unary(net, node.blob(), "TanH")


@lowering("HardSigmoid")
def hard_sigmoid(node: Node, net: NetBuilder) -> Blob:
    """clip(alpha·x + beta, 0, 1)."""
    x = layers.power(net, node.blob(), scale=node.attr("alpha", 0.2), shift=node.attr("beta", 0.5), part="line")
    return clip_between(net, x, 0.0, 1.0)


@lowering("HardSwish")
def hard_swish(node: Node, net: NetBuilder) -> Blob:
    """x·clip(x/6 + 1/2, 0, 1)."""
    x = node.blob()
    gate = clip_between(net, layers.power(net, x, scale=1 / 6, shift=0.5, part="line"), 0.0, 1.0)
    return layers.eltwise(net, [x, gate], "PROD")


@lowering("Clip")
def clip_attributes(node: Node, net: NetBuilder) -> Blob:
    """Clip with its bounds as attributes."""
    limits = np.finfo(np.float32)
    return _clip(net, node.blob(), node.attr("min", float(limits.min)), node.attr("max", float(limits.max)))


@lowering("Clip", since=11)
def clip_inputs(node: Node, net: NetBuilder) -> Blob:
    """Clip with its bounds as inputs."""
    limits = np.finfo(np.float32)
    low, high = (node.optional_constant(index) for index in (1, 2))
    return _clip(
        net,
        node.blob(),
        float(limits.min) if low is None else float(low.item()),
        float(limits.max) if high is None else float(high.item()),
    )


def _clip(net: NetBuilder, x: Blob, low: float, high: float) -> Blob:
    relu6 = net.options.relu6
    if (low, high) == (0.0, 6.0) and relu6 != "exact":
        if relu6 == "relu":
            net.notes.append(f"{net.scope}: ReLU6 written as ReLU, as asked for; values above 6 are not cut off")
            return layers.relu(net, x)
        if not net.profile.has("ReLU6"):
            raise UnsupportedNodeError(
                f"the target {net.profile.name!r} has no ReLU6 layer", 'use relu6="exact", or a target that has it'
            )
        return layers.unary(net, x, "ReLU6")
    return clip_between(net, x, low, high)


def clip_between(net: NetBuilder, x: Blob, low: float, high: float) -> Blob:
    """min(max(x, low), high).

    ReLU6 is relu(x) - relu(x - 6): exact up to 6, and within half a unit in the last place of x beyond it, so without
    an error up to |x| of a million. It needs no constant, which toolchains that quantise would meet. Other bounds are
    Eltwise MAX with a constant, min(x, c) being -max(-x, -c).
    """
    limits = np.finfo(np.float32)
    above, below = low > limits.min, high < limits.max
    if above and below and low > high:
        # ONNX: the upper bound wins.
        return layers.constant_like(net, x, high)
    if (low, high) == (0.0, 6.0):
        over = layers.relu(net, layers.power(net, x, shift=-high, part="beyond_high"), part="excess")
        return layers.eltwise(net, [layers.relu(net, x, part="at_least"), over], "SUM", coeff=(1.0, -1.0))
    if above:
        x = at_least(net, x, layers.constant_like(net, x, low, part="low"))
    if below:
        x = at_most(net, x, layers.constant_like(net, x, -high, part="minus_high"))
    return x


def at_least(net: NetBuilder, x: Blob, bound: Blob) -> Blob:
    """max(x, bound)."""
    return layers.eltwise(net, [x, bound], "MAX", part="at_least")


def at_most(net: NetBuilder, x: Blob, minus_bound: Blob) -> Blob:
    """min(x, bound), given -bound."""
    negative = layers.power(net, x, scale=-1.0, part="negative")
    y = layers.eltwise(net, [negative, minus_bound], "MAX", part="at_most")
    return layers.power(net, y, scale=-1.0, part="restore")


@lowering("Exp")
def exp(node: Node, net: NetBuilder) -> Blob:
    """Exp."""
    return layers.unary(net, node.blob(), "Exp")


@lowering("Log")
def log(node: Node, net: NetBuilder) -> Blob:
    """Log."""
    return layers.unary(net, node.blob(), "Log")


@lowering("Abs")
def absolute(node: Node, net: NetBuilder) -> Blob:
    """AbsVal."""
    return layers.unary(net, node.blob(), "AbsVal")


@lowering("Neg")
def negative(node: Node, net: NetBuilder) -> Blob:
    """Power with scale -1."""
    return layers.power(net, node.blob(), scale=-1.0)


@lowering("Sqrt")
def square_root(node: Node, net: NetBuilder) -> Blob:
    """Power 1/2."""
    return layers.power(net, node.blob(), power=0.5)


@lowering("Reciprocal")
def reciprocal(node: Node, net: NetBuilder) -> Blob:
    """Power -1."""
    return layers.power(net, node.blob(), power=-1.0)


@lowering("Softmax")
def softmax_flat(node: Node, net: NetBuilder) -> Blob:
    """Before opset 13: softmax over all axes from `axis` on."""
    x = node.blob()
    axis = node.attr("axis", 1) % x.rank
    if axis == x.rank - 1 or layers.flattened(x, axis) == x.shape[axis]:
        return layers.softmax(net, x, axis)
    flat = layers.reshape(net, x, (*x.shape[:axis], layers.flattened(x, axis)), part="flat")
    return layers.reshape(net, layers.softmax(net, flat, axis), x.shape, part="shape")


@lowering("Softmax", since=13)
def softmax(node: Node, net: NetBuilder) -> Blob:
    """Softmax along one axis."""
    x = node.blob()
    return layers.softmax(net, x, node.attr("axis", -1) % x.rank)
