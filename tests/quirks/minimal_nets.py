"""For each fault a small net that shows it: right in the form for the target, wrong in the plain one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from agreement import Case

from gluon2caffe.onnx2caffe.targets import Fault

INFINITE = {"x": np.array([[np.inf, -np.inf, 2.0]], np.float32)}


@dataclass(frozen=True)
class MinimalNet:
    """An ONNX model, how it is converted, and what it is fed where random numbers would not show the fault."""

    case: Case
    inputs: dict[str, Any] = field(default_factory=dict)


def _net(text: str, inputs: dict[str, Any] | None = None, **options: Any) -> MinimalNet:
    return MinimalNet(Case(text, options=options), inputs or {})


_BATCH_NORM = "BatchNormalization(a, var1, b, b, var1)"
NETS: dict[Fault, MinimalNet] = {
    Fault.SCALE_INTO_GROUPED_DECONVOLUTION: _net(
        f"(float[1,4,3,4] x) => (float[] y) <float[4,3,2,2] w, float[6] var1, float[6] b>"
        f" {{ a = ConvTranspose<group=2, strides=[2,2]>(x, w)\n y = {_BATCH_NORM} }}",
        merge_bn=False,
    ),
    Fault.SCALE_BY_OTHER_AXES_MERGED: _net(
        "(float[1,3,4,3] x) => (float[] y) <float[3,3,1,1] w, float[3] c>"
        " { a = Conv(x, w)\n b = Neg(a)\n d = Relu(b)\n e = Conv(d, w)\n y = Mul(e, c) }",
    ),
    Fault.SINGLE_SCALE_AFTER_POWER: _net(
        f"(float[2,1,3,5] x) => (float[] y) <float[1] var1, float[1] b>"
        f" {{ c = Abs(x)\n a = Sqrt(c)\n y = {_BATCH_NORM} }}",
        merge_bn=False,
    ),
    Fault.POWER_AFTER_POWER: _net(
        "(float[1,3,4,4] x) => (float[] y) <float c={2.0}> { a = Abs(x)\n b = Sqrt(a)\n y = Add(b, c) }"
    ),
    Fault.BATCH_NORM_AFTER_ELTWISE: _net(
        f"(float[2,4,3] x) => (float[] y) <float[4] var1, float[4] b>"
        f" {{ c = Relu(x)\n a = Add(c, x)\n y = {_BATCH_NORM} }}",
        merge_bn=False,
    ),
    Fault.PRELU_AFTER_ELTWISE: _net(
        "(float[2,4,3] x) => (float[] y) <float[4,1] s> { a = Relu(x)\n b = Add(a, x)\n y = PRelu(b, s) }"
    ),
    Fault.ELTWISE_RANKS: _net("(float[1,2,3,2,2,2] x) => (float[] y) { a = Sigmoid(x)\n b = Tanh(x)\n y = Add(a, b) }"),
    Fault.LRN_BIAS: _net("(float[1,4,3,3] x) => (float[] y) { y = LRN<size=3, alpha=0.5, bias=2.0>(x) }"),
    Fault.DECONVOLUTION_DILATION: _net(
        "(float[1,2,4,4] x) => (float[] y) <float[2,2,3,3] w> { y = ConvTranspose<dilations=[2,2]>(x, w) }"
    ),
    Fault.DEPTHWISE_OVER_ONE_ROW: _net(
        "(float[2,4,1,5] x) => (float[] y) <float[4,1,3,3] w> { a = Neg(x)\n b = Abs(a)\n"
        " y = Conv<group=4, pads=[1,1,1,1], strides=[2,2]>(b, w) }"
    ),
    Fault.ELTWISE_COEFFICIENTS: _net(
        "(float[1,3,4,4] x, float[1,3,4,4] z) => (float[] y) { y = Sub(x, z) }",
    ),
    Fault.ELTWISE_COEFFICIENTS_OF_MANY: _net(
        "(float[1,3,4,4] x, float[1,3,4,4] z, float[1,3,4,4] w) => (float[] y) { y = Mean(x, z, w) }",
    ),
    Fault.ELTWISE_MORE_THAN_TWO: _net(
        "(float[1,3,4,4] x, float[1,3,4,4] z, float[1,3,4,4] w) => (float[] y) { y = Max(x, z, w) }",
    ),
    Fault.INNER_PRODUCT_OF_ONE: _net(
        "(float[2,1] x) => (float[] y) <float[1,3] w, float[3] b> { y = Gemm(x, w, b) }",
    ),
    Fault.INNER_PRODUCTS_OF_ONE_BLOB: _net(
        "(float[1,4,2,2] x) => (float[] y, float[] z) <float[16,16] v, float[16,16] w, int64[4] n={0,4,2,2}>"
        " { a = Flatten(x)\n b = Gemm(a, v)\n c = Reshape(b, n)\n y = Add(x, c)\n d = Gemm(a, w)\n"
        " e = Reshape(d, n)\n z = Mul(x, e) }",
    ),
    Fault.SHARED_PIECES: _net(
        "(float[1,3,2,2] x) => (float[] y)"
        " { a, b, c = Split<axis=1>(x)\n p = Mul(a, b)\n q = Mul(b, c)\n y = Add(p, q) }"
    ),
    Fault.IDLE_POWER_AS_OUTPUT: _net("(float[1,3] x) => (float[] y, float[] z) { y = Identity(x)\n z = Relu(x) }"),
    Fault.NORMALIZE_AS_OUTPUT: _net(
        "(float[1,4,3,3] x) => (float[] y) { y = LpNormalization<axis=1>(x) }",
    ),
    Fault.LAST_WINDOW_IN_PADDING: _net(
        "(float[1,2,3,3] x) => (float[] y) { y = MaxPool<kernel_shape=[2,2], strides=[2,2], pads=[1,1,0,0]>(x) }",
    ),
    Fault.AVERAGE_LEAVES_PADDING_OUT: _net(
        "(float[1,2,5,5] x) => (float[] y)"
        " { y = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1>(x) }",
    ),
    Fault.PADDED_POOLING_OF_WHOLE_MAP: _net(
        "(float[1,2,3,3] x) => (float[] y) { y = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(x) }",
    ),
    Fault.GROUPED_DECONVOLUTION: _net(
        "(float[1,4,4,4] x) => (float[] y) <float[4,3,3,3] w, float[6] b>"
        " { y = ConvTranspose<group=2, strides=[2,2]>(x, w, b) }",
    ),
    Fault.PRELU_SHARED_SLOPE: _net("(float[1,4,3,3] x) => (float[] y) <float[1] s> { y = PRelu(x, s) }"),
    Fault.CROP_OF_ALL_AXES: _net(
        "(float[1,6,3,3] x) => (float[] y) <int64[2] n={4,2}> { a, b = Split<axis=1>(x, n)\n y = Relu(a) }",
    ),
    Fault.RESHAPE_COPIES_OTHER_AXIS: _net(
        "(float[1,4,2,3] x) => (float[] y) <int64[3] s={0,0,-1}> { y = Reshape(x, s) }",
    ),
    Fault.ZERO_TIMES_INFINITY: _net("(float[1,3] x) => (float[] y) { y = Sign(x) }", INFINITE),
}
