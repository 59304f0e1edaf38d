"""Sin and Cos of angles that are known to be small, such as those of oriented boxes, (sigmoid(x) - 1/4)·π.

sin(x) = x·p(x²) and cos(x) = q(x²). p and q are interpolated at Chebyshev's points of 0 ≤ x² ≤ bound², which is within
a hair of the best polynomial. Angles without a bound would have to be reduced modulo 2π, i.e. rounded, which no layer
does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import pi
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.intervals import interval_of
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering

LARGEST = 1.25 * pi
"""Beyond, the terms are so much larger than their sum that float32 loses more than 1e-6."""
_ERROR = 2e-8
"""Largest error of the polynomial, a third of float32's own at 1."""


@lowering("Sin")
def sin(node: Node, net: NetBuilder) -> Blob:
    """x·p(x²)."""
    x, coefficients = node.blob(), _coefficients("sin", _bound(node))
    return layers.eltwise(net, [x, _polynomial(net, _square(net, x), coefficients)], "PROD")


@lowering("Cos")
def cos(node: Node, net: NetBuilder) -> Blob:
    """q(x²)."""
    x, coefficients = node.blob(), _coefficients("cos", _bound(node))
    return _polynomial(net, _square(net, x), coefficients)


def _square(net: NetBuilder, x: Blob) -> Blob:
    return layers.eltwise(net, [x, x], "PROD", part="square")


def _bound(node: Node) -> float:
    """A largest magnitude of the angle, of few that there are, so that equal forms are written for like nets."""
    low, high = interval_of(node.raw.inputs[0])
    found = max(-low, high)
    bound = next((bound for bound in (pi / 4, pi / 2, pi, LARGEST) if found <= bound * (1 + 1e-6)), None)
    if bound is None:
        where = "without a bound" if found == float("inf") else f"between {low:.4g} and {high:.4g}"
        raise UnsupportedNodeError(
            f"the angle is {where}, expected within ±{LARGEST:.4g}: a larger one needs rounding, which Caffe lacks"
        )
    return bound


@lru_cache
def _coefficients(name: str, bound: float) -> tuple[float, ...]:
    """Of the least degree that is good enough, from the constant on."""
    functions: dict[str, Callable[[Any], Any]] = {
        "sin": lambda squares: np.sinc(np.sqrt(squares) / pi),
        "cos": lambda squares: np.cos(np.sqrt(squares)),
    }
    function, dense = functions[name], np.linspace(0, bound**2, 2000)
    for degree in range(2, 16):
        found = Chebyshev.interpolate(function, degree, domain=[0, bound**2])  # type: ignore[no-untyped-call]
        if np.abs(found(dense) - function(dense)).max() < _ERROR:
            break
    return tuple(float(value) for value in found.convert(kind=Polynomial).coef)


def _polynomial(net: NetBuilder, x: Blob, coefficients: Sequence[float]) -> Blob:
    """By Horner's rule; the last term is the node's own layer."""
    *others, second, first = coefficients
    y = layers.power(net, x, scale=first, shift=second, part=f"term{len(others)}")
    for index, coefficient in reversed(list(enumerate(others))):
        y = layers.eltwise(net, [y, x], "PROD", part=f"product{index}")
        y = layers.power(net, y, shift=coefficient, part=f"term{index}")
    return y
