"""Patterns of several nodes that real nets are made of, which the passes and fusions look for."""

import numpy as np
from draft import Draft

from strategies.activation import clip, plain
from strategies.kind import kind
from strategies.layout import pad, with_axes
from strategies.normalization import batch_normalization
from strategies.window import conv, conv_transpose, divisors


def _scalar(net: Draft, value: float) -> str:
    return net.constant(np.array(value, np.float32))


@kind("convolution, batch norm, activation", ranks=(4,))
def conv_block(net: Draft, x: str) -> str:
    y = conv(net, pad(net, x)) if net.number(0, 3) == 3 else conv(net, x)
    y = batch_normalization(net, y)
    return clip(net, y) if net.flag() else plain(net, y)


@kind("convolution and affine constants", ranks=(4,))
def conv_affine(net: Draft, x: str) -> str:
    """Factors and addends per channel, or one for all, around a convolution: what the folds take in."""
    x = _per_channel(net, x)
    y = conv_transpose(net, x) if net.number(0, 3) == 3 else conv(net, x)
    for _ in range(net.number(1, 2)):
        y = _per_channel(net, y)
    return y


def _per_channel(net: Draft, x: str) -> str:
    channels = net.values[x][1]
    shape = net.pick([(1, channels, 1, 1), (channels, 1, 1), (), (1,), (1, 1, 1, 1)])
    return net.add(net.pick(["Mul", "Add"]), x, net.weight(shape, 0.5, 1.5))


@kind("residual", ranks=(4,))
def residual(net: Draft, x: str) -> str:
    channels = net.values[x][1]
    weight = net.weight((channels, channels, 3, 3), -0.3, 0.3)
    y = net.add("Conv", x, weight, pads=[1, 1, 1, 1])
    if net.flag():
        y = batch_normalization(net, y)
    y = net.add("Add", *([x, y] if net.flag() else [y, x]))
    return net.add("Relu", y) if net.flag() else y


@kind("squeeze and excite", ranks=(4,))
def squeeze_excite(net: Draft, x: str) -> str:
    channels = net.values[x][1]
    gate = net.add("GlobalAveragePool", x)
    if net.flag():
        gate = net.add("Flatten", gate)
        gate = net.add("Gemm", gate, net.weight((channels, channels)), net.weight((channels,)))
        gate = net.add("Sigmoid", gate)
        gate = net.add("Reshape", gate, net.ints([net.pick([0, -1]), channels, 1, 1]))
    else:
        gate = net.add("Conv", gate, net.weight((channels, channels, 1, 1)))
        gate = net.add(net.pick(["Sigmoid", "HardSigmoid", "Relu"]), gate)
    return net.add("Mul", *([x, gate] if net.flag() else [gate, x]))


@kind("channel shuffle", ranks=(4,))
def channel_shuffle(net: Draft, x: str) -> str:
    batch, channels, height, width = net.values[x]
    groups = net.pick(divisors(channels))
    y = net.add("Reshape", x, net.ints([batch, groups, channels // groups, height, width]))
    y = net.add("Transpose", y, perm=[0, 2, 1, 3, 4])
    return net.add("Reshape", y, net.ints([batch, channels, height, width]))


@kind("self-gated activation")
def self_gated(net: Draft, x: str) -> str:
    """Swish, Mish, hard swish, quick GELU, as exporters write them."""
    form = net.pick(["swish", "mish", "hard swish", "quick gelu"])
    if form == "swish":
        gate = net.add("Sigmoid", x)
    elif form == "quick gelu":
        gate = net.add("Sigmoid", net.add("Mul", x, _scalar(net, 1.702)))
    elif form == "mish":
        gate = net.add("Tanh", net.add("Softplus", x))
    else:
        line = net.add("Add", x, _scalar(net, 3.0))
        if net.opset < 11:
            line = net.add("Clip", line, min=0.0, max=6.0)
        else:
            line = net.add("Clip", line, _scalar(net, 0.0), _scalar(net, 6.0))
        gate = net.add("Div", line, _scalar(net, 6.0))
    return net.add("Mul", x, gate)


@kind("layer norm in pieces", ranks=(2, 3, 4))
def layer_norm_in_pieces(net: Draft, x: str) -> str:
    axes = [net.number(1, len(net.values[x]) - 1)]
    centred = net.add("Sub", x, with_axes(net, "ReduceMean", x, axes, since=18))
    squares = net.add("Pow", centred, _scalar(net, 2.0)) if net.flag() else net.add("Mul", centred, centred)
    variance = with_axes(net, "ReduceMean", squares, axes, since=18)
    deviation = net.add("Sqrt", net.add("Add", variance, _scalar(net, 0.01)))
    return net.add("Div", centred, deviation)


@kind("L2 norm in pieces", ranks=(4,))
def l2_norm_in_pieces(net: Draft, x: str) -> str:
    squares = with_axes(net, "ReduceSumSquare", x, [net.pick([1, -3, 2])], since=18)
    root = net.add("Sqrt", net.add("Add", squares, _scalar(net, 1e-3)))
    y = net.add("Div", x, root)
    channels = net.values[x][1]
    return net.add("Mul", y, net.weight(net.pick([(1, channels, 1, 1), (channels, 1, 1), ()]))) if net.flag() else y


@kind("branches joined", ranks=(4,))
def branches(net: Draft, x: str) -> str:
    first = net.add("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    second = plain(net, x)
    return net.add("Concat", first, second, axis=1)
