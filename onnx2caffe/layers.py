"""The vocabulary of lowerings: one function per Caffe layer, which knows its fields.

Every function takes the builder and the bottoms and gives the top. `part` names the layer inside the node
that is lowered. Fields follow what strict parsers take: a pair is written with both `_h` and `_w` or as one value.
The shape of the top follows from them (`onnx2caffe.shapes`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gluon2caffe.onnx2caffe.arithmetic_layers import (
    batch_norm,
    constant_like,
    copy,
    eltwise,
    power,
    scale,
    scale_by,
    weighted_sum,
)
from gluon2caffe.onnx2caffe.barriers import producer
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.shape_layers import concat, crop_like, flattened, permute, reshape, slices
from gluon2caffe.onnx2caffe.shapes import pooled_size
from gluon2caffe.onnx2caffe.targets import Fault
from gluon2caffe.onnx2caffe.window_layers import Pair, convolution, deconvolution, global_pooling, pooling, with_bias

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "Array",
    "Pair",
    "absolute",
    "batch_norm",
    "concat",
    "constant_like",
    "convolution",
    "copy",
    "crop_like",
    "deconvolution",
    "eltwise",
    "flattened",
    "global_pooling",
    "inner_product",
    "permute",
    "pooled_size",
    "pooling",
    "power",
    "prelu",
    "producer",
    "relu",
    "reshape",
    "scale",
    "scale_by",
    "slices",
    "softmax",
    "unary",
    "weighted_sum",
]


def inner_product(
    net: NetBuilder, x: Blob, weight: Array, bias: Array | None, *, axis: int = 1, part: str = ""
) -> Blob:
    """Flatten `x` from `axis` to K and multiply by `weight` (M, K)."""
    if weight.shape[1] == 1 and axis == 1 and net.profile.has_quirk(Fault.INNER_PRODUCT_OF_ONE):
        picture = reshape(net, x, (x.shape[0], 1, 1, 1), part="picture")
        y = convolution(net, picture, weight[:, :, None, None], bias, part=part)
        return reshape(net, y, (x.shape[0], weight.shape[0]), part="row")
    fields: dict[str, Any] = {"num_output": weight.shape[0]}
    if bias is None:
        fields["bias_term"] = False
    if axis != 1:
        fields["axis"] = axis
    return net.one("InnerProduct", [x], part=part, blobs=with_bias(weight, bias), inner_product_param=fields)


def softmax(net: NetBuilder, x: Blob, axis: int, *, part: str = "") -> Blob:
    """Softmax along one axis."""
    fields = {} if axis == 1 else {"axis": axis}
    return net.one("Softmax", [x], x.shape, part=part, **({"softmax_param": fields} if fields else {}))


def relu(net: NetBuilder, x: Blob, negative_slope: float = 0.0, *, part: str = "") -> Blob:
    """max(x, 0) + negative_slope·min(x, 0)."""
    params = {"relu_param": {"negative_slope": negative_slope}} if negative_slope else {}
    return net.one("ReLU", [x], x.shape, part=part, **params)


def prelu(net: NetBuilder, x: Blob, slope: Array, *, part: str = "") -> Blob:
    """Leaky ReLU with a slope per channel, or one for all (a slope of one number)."""
    shared = slope.size == 1 and not net.profile.has_quirk(Fault.PRELU_SHARED_SLOPE)
    if not shared and slope.size == 1:
        slope = np.full(x.shape[1], slope.item(), np.float32)
    # Every reader takes the legacy 4-D shape of one number; not all take an empty one.
    blob = slope.reshape(1, 1, 1, 1) if shared else slope.reshape(-1)
    return net.one("PReLU", [x], x.shape, part=part, blobs=[blob], prelu_param={"channel_shared": shared})


def absolute(net: NetBuilder, x: Blob, *, part: str = "") -> Blob:
    """|x|; without an AbsVal layer, a ReLU of slope -1."""
    return unary(net, x, "AbsVal", part=part) if net.profile.has("AbsVal") else relu(net, x, -1.0, part=part)


def unary(net: NetBuilder, x: Blob, kind: str, *, part: str = "", **params: Any) -> Blob:
    """A layer with one bottom and a top of its shape: Sigmoid, TanH, Exp, Log, AbsVal, ELU, LRN, MVN, Normalize..."""
    return net.one(kind, [x], x.shape, part=part, **params)
