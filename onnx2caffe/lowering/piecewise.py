"""Functions of straight pieces: Clip and what is built from it, and steps.

A step is exact in float32: x times 2¹²⁷ twice, cut at 1, is 1 wherever x > 0 (2⁻¹⁴⁹ is the least number), and so for
infinities. A reader that takes numbers below 2⁻¹²⁶ for 0 in all its layers, as OpenCV does, does it here too.
"""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering
from gluon2caffe.onnx2caffe.targets import Fault

HUGE = 2.0**127


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

    From 0 to 6 it is a ReLU6 layer where the target has one, else relu(x) - relu(x - 6): exact up to 6, and within half
    a unit in the last place of x beyond it, so without an error up to |x| of a million. It needs no constant, which
    toolchains that quantise would meet. Other bounds are Eltwise MAX with a constant, min(x, c) being -max(-x, -c).
    """
    limits, like = np.finfo(np.float32), x
    above, below = low > limits.min, high < limits.max
    if above and below and low > high:
        # ONNX: the upper bound wins.
        return layers.constant_like(net, x, high)
    if (low, high) == (0.0, 6.0) and net.profile.has("ReLU6"):
        return layers.unary(net, x, "ReLU6")
    if (low, high) == (0.0, 6.0):
        over = layers.relu(net, layers.power(net, x, shift=-high, part="beyond_high"), part="excess")
        return layers.weighted_sum(net, [layers.relu(net, x, part="at_least"), over], (1.0, -1.0))
    if above:
        x = layers.eltwise(net, [x, layers.constant_like(net, x, low, part="low")], "MAX", part="at_least")
    if below:
        minus_high = layers.constant_like(net, like, -high, part="minus_high")
        negative = layers.power(net, x, scale=-1.0, part="negative")
        y = layers.eltwise(net, [negative, minus_high], "MAX", part="at_most")
        x = layers.power(net, y, scale=-1.0, part="restore")
    return x


def heaviside(net: NetBuilder, x: Blob, part: str = "step") -> Blob:
    """1 where x > 0, else 0."""
    return layers.relu(net, _steep(net, x, part)[0], part=part)


def _steep(net: NetBuilder, x: Blob, part: str) -> tuple[Blob, Blob]:
    """1 where x > 0, 0 where it is 0 and at most -1 where it is below; and a blob of -1.

    -max(-2¹²⁷·max(2¹²⁷·x, -1), -1): there is no infinity in it.
    """
    minus_one = constant_everywhere(net, x, -1.0, part, "minus_one")
    steep = layers.power(net, x, scale=HUGE, part=f"{part}_steep")
    steep = layers.eltwise(net, [steep, minus_one], "MAX", part=f"{part}_bounded")
    steeper = layers.power(net, steep, scale=-HUGE, part=f"{part}_steeper")
    cut = layers.eltwise(net, [steeper, minus_one], "MAX", part=f"{part}_cut")
    return layers.power(net, cut, scale=-1.0, part=f"{part}_turned"), minus_one


def finite_like(net: NetBuilder, x: Blob, part: str = "") -> Blob:
    """A blob of the shape of `x` without infinities: its Sigmoid.

    Constants are made as 0·x + c, and 0·∞ is NaN.
    """
    return layers.unary(net, x, "Sigmoid", part=f"{part or 'blob'}_finite")


def constant_everywhere(net: NetBuilder, x: Blob, value: float, part: str, name: str) -> Blob:
    """A blob of the shape of `x`, which may hold infinities, with `value` everywhere."""
    # Caffe's Power of scale 0 does not read its bottom.
    spared = net.profile.has("Power") and not net.profile.has_quirk(Fault.ZERO_TIMES_INFINITY)
    like = x if spared else finite_like(net, x, part)
    return layers.constant_like(net, like, value, part=f"{part}_{name}" if part else name)


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


@lowering("ThresholdedRelu")
def thresholded_relu(node: Node, net: NetBuilder) -> Blob:
    """Keep what is above alpha, 0 elsewhere."""
    x, alpha = node.blob(), node.attr("alpha", 1.0)
    if alpha == 0.0:
        return layers.relu(net, x)
    return layers.eltwise(net, [x, heaviside(net, layers.power(net, x, shift=-alpha, part="beyond"))], "PROD")


@lowering("Shrink")
def shrink(node: Node, net: NetBuilder) -> Blob:
    """X - bias above lambd, x + bias below -lambd, 0 between."""
    x, edge, bias = node.blob(), node.attr("lambd", 0.5), node.attr("bias", 0.0)
    if edge < 0:
        raise UnsupportedNodeError(f"its lambd {edge} is negative, so that the pieces overlap")
    pieces = []
    for sign, side in ((1.0, "above"), (-1.0, "below")):
        beyond = heaviside(net, layers.power(net, x, scale=sign, shift=-edge, part=f"beyond_{side}"), side)
        moved = layers.power(net, x, shift=-sign * bias, part=f"moved_{side}") if bias else x
        pieces.append(layers.eltwise(net, [moved, beyond], "PROD", part=side))
    return layers.eltwise(net, pieces, "SUM")


@lowering("Sign")
def sign(node: Node, net: NetBuilder) -> Blob:
    """The steps at 0 from -1 to 0 and to 1."""
    return layers.eltwise(net, list(_steep(net, node.blob(), "sign")), "MAX")
