"""Erf, and Gelu, which is made of it or of the hyperbolic tangent.

erf(x) = tanh(x·p(x²)), where p is a polynomial: atanh(erf(x))/x is smooth and even, and where it is large, tanh takes
its errors away. So the result is as good near 0 as far from it, like that of runtimes, which use polynomials too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.node import Node
from gluon2caffe.onnx2caffe.registry import lowering

# Of 1, x², x⁴...; the least largest relative error of erf, 1e-7 on 0 < x < 4.1, by weighted least squares whose weights
# follow the error (Lawson's method). Beyond, the last one makes p grow, and erf is 1 in float32.
COEFFICIENTS = (
    1.12837927,
    0.102769056,
    -0.000191830801,
    -0.00061978465,
    8.76373211e-05,
    -5.66847413e-06,
    1.41852117e-07,
)


@lowering("Erf")
def erf(node: Node, net: NetBuilder) -> Blob:
    """tanh(x·p(x²))."""
    return layers.unary(net, _odd(net, node.blob(), COEFFICIENTS), "TanH")


@lowering("Gelu")
def gelu(node: Node, net: NetBuilder) -> Blob:
    """x·(1 + tanh(h))/2 = x·sigmoid(2·h).

    h is the polynomial of erf at x/√2, or √(2/π)·(x + 0.044715·x³) with approximate="tanh".
    """
    x = node.blob()
    if node.attr("approximate", "none") == "tanh":
        coefficients = [2 * sqrt(2 / pi), 2 * sqrt(2 / pi) * 0.044715]
    else:
        coefficients = [2 * c / sqrt(2) ** (2 * k + 1) for k, c in enumerate(COEFFICIENTS)]
    gate = layers.unary(net, _odd(net, x, coefficients), "Sigmoid", part="gate")
    return layers.eltwise(net, [x, gate], "PROD")


def _odd(net: NetBuilder, x: Blob, coefficients: Sequence[float]) -> Blob:
    """x·p(x²) by Horner's rule."""
    square = layers.eltwise(net, [x, x], "PROD", part="square")
    *others, second, first = coefficients
    y = layers.power(net, square, scale=first, shift=second, part=f"term{len(others)}")
    for index, coefficient in reversed(list(enumerate(others))):
        y = layers.eltwise(net, [y, square], "PROD", part=f"product{index}")
        y = layers.power(net, y, shift=coefficient, part=f"term{index}")
    return layers.eltwise(net, [y, x], "PROD", part="odd")
