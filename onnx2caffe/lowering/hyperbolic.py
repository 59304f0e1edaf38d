"""Sinh, Cosh, Asinh, Acosh and Atanh, each within a few units in the last place, near 0 too.

sinh is tanh·cosh: a difference of exponentials would lose the digits of small numbers. An inverse y is a logarithm,
whose error is absolute; it is mended by q - tanh(y), where q, the hyperbolic tangent of the result, is algebraic. That
leaves q² of the error: little where the result is small, and where it is not the logarithm needs no mending.
"""

from __future__ import annotations

from math import log

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.piecewise import constant_everywhere
from gluon2caffe.onnx2caffe.node import Node
from gluon2caffe.onnx2caffe.registry import lowering

# Beyond this, adding 1 to a square, or taking it off, is nothing in float32; its square is still finite.
FAR = 2.0**60


def _cosh(net: NetBuilder, x: Blob) -> Blob:
    """(exp(|x|) + 1/exp(|x|))/2, the half of exp(|x|) as exp(|x|/2)·exp(|x|/2)/2: it overflows where cosh does."""
    half = layers.power(net, layers.absolute(net, x, part="magnitude"), scale=0.5, part="half")
    root = layers.unary(net, half, "Exp", part="exp")
    growing = layers.eltwise(net, [root, layers.power(net, root, scale=0.5, part="half_exp")], "PROD", part="growing")
    fading = layers.power(net, growing, scale=4.0, power=-1.0, part="fading")
    return layers.eltwise(net, [growing, fading], "SUM", part="cosh")


@lowering("Cosh")
def cosh(node: Node, net: NetBuilder) -> Blob:
    """(exp(x) + exp(-x))/2."""
    return _cosh(net, node.blob())


@lowering("Sinh")
def sinh(node: Node, net: NetBuilder) -> Blob:
    """tanh(x)·cosh(x)."""
    x = node.blob()
    return layers.eltwise(net, [layers.unary(net, x, "TanH", part="tanh"), _cosh(net, x)], "PROD")


def _mended(net: NetBuilder, y: Blob, tangent: Blob) -> Blob:
    """The result y with tanh(y) moved to `tangent`: y + (tangent - tanh(y))."""
    found = layers.unary(net, y, "TanH", part="tanh")
    return layers.weighted_sum(net, [tangent, found, y], (1.0, -1.0, 1.0), part="mended")


def _minus_near(net: NetBuilder, x: Blob) -> Blob:
    """-min(x, 2⁶⁰)."""
    minus_far = constant_everywhere(net, x, -FAR, "", "minus_far")
    return layers.eltwise(net, [layers.power(net, x, scale=-1.0, part="minus"), minus_far], "MAX", part="minus_near")


def _log_twice(net: NetBuilder, x: Blob) -> Blob:
    """log(2·x), where 2·x may overflow."""
    return layers.power(net, layers.unary(net, x, "Log", part="log"), shift=log(2), part="log_twice")


@lowering("Asinh")
def asinh(node: Node, net: NetBuilder) -> Blob:
    """log(|x| + √(1 + x²)) with the sign of x, where x² may overflow; its hyperbolic tangent is |x|/√(1 + x²)."""
    x = node.blob()
    magnitude = layers.absolute(net, x, part="magnitude")
    minus_near = _minus_near(net, magnitude)
    square = layers.eltwise(net, [minus_near, minus_near], "PROD", part="square")
    root = layers.power(net, square, shift=1.0, power=0.5, part="root")
    inverse = layers.power(net, square, shift=1.0, power=-0.5, part="inverse_root")
    minus_tangent = layers.eltwise(net, [minus_near, inverse], "PROD", part="minus_tangent")
    longer = layers.eltwise(net, [magnitude, root], "MAX", part="longer")
    y = _log_twice(net, layers.weighted_sum(net, [magnitude, longer], (0.5, 0.5), part="half_sum"))
    y = _mended(net, y, layers.power(net, minus_tangent, scale=-1.0, part="tangent"))
    # Between y and -y, 2·x decides on the sign: |asinh(x)| is at most |x|.
    minus_y = layers.power(net, y, scale=-1.0, part="minus_y")
    twice = layers.power(net, x, scale=-2.0, part="minus_twice")
    below = layers.power(net, layers.eltwise(net, [minus_y, twice], "MAX", part="above"), scale=-1.0, part="below")
    return layers.eltwise(net, [minus_y, below], "MAX")


@lowering("Acosh")
def acosh(node: Node, net: NetBuilder) -> Blob:
    """log(x + √(x² - 1)); its hyperbolic tangent q is √(x - 1)·√(x + 1)/x, so that it is log(x·(1 + q))."""
    x = node.blob()
    minus_near = _minus_near(net, x)
    shifts = {"less": -1.0, "more": 1.0}
    factors = [
        layers.power(net, minus_near, scale=-1.0, shift=shift, power=0.5, part=f"root_of_1_{name}")
        for name, shift in shifts.items()
    ]
    factors.append(layers.power(net, minus_near, scale=-1.0, power=-1.0, part="inverse"))
    tangent = layers.eltwise(net, factors, "PROD", part="tangent")
    part = layers.power(net, tangent, scale=0.5, shift=0.5, part="half_more")
    return _mended(net, _log_twice(net, layers.eltwise(net, [x, part], "PROD", part="half_sum")), tangent)


@lowering("Atanh")
def atanh(node: Node, net: NetBuilder) -> Blob:
    """(log(1 + x) - log(1 - x))/2; its hyperbolic tangent is x."""
    x = node.blob()
    logarithms = [
        layers.unary(net, layers.power(net, x, scale=sign, shift=1.0, part=f"1_{name}"), "Log", part=f"log_1_{name}")
        for name, sign in {"more": 1.0, "less": -1.0}.items()
    ]
    return _mended(net, layers.weighted_sum(net, logarithms, (0.5, -0.5), part="half_difference"), x)
