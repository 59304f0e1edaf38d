"""The vocabulary of lowerings: one function per Caffe layer, which knows its fields.

Every function takes the builder and the bottoms and gives the top. `part` names the layer inside the node
that is lowered. Fields follow what strict parsers take: a pair is written with both `_h` and `_w` or as one value.
The shape of the top follows from them (`onnx2caffe.shapes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder, Shape
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.shapes import pooled_size
from gluon2caffe.onnx2caffe.unsupported import UnsupportedNodeError
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
    fields: dict[str, Any] = {"num_output": weight.shape[0]}
    if bias is None:
        fields["bias_term"] = False
    if axis != 1:
        fields["axis"] = axis
    return net.one("InnerProduct", [x], part=part, blobs=with_bias(weight, bias), inner_product_param=fields)


def batch_norm(net: NetBuilder, x: Blob, mean: Array, variance: Array, epsilon: float, *, part: str = "") -> Blob:
    """(x - mean) / sqrt(variance + epsilon) per channel."""
    if x.rank != 4:
        # OpenCV merges it into an Eltwise before it, and then finds a picture's channels only.
        x = _kept_apart(net, x, {"Eltwise"})
    if mean.size == 1 and not _is_linear(_maker(net, x)):
        # As a Scale of one value.
        x = _kept_apart(net, x, {"Power"})
    x = _apart_from_groups(net, x)
    blobs = [mean, variance, np.ones(1, np.float32)]
    fields = {"use_global_stats": True, "eps": epsilon}
    return net.one("BatchNorm", [x], x.shape, part=part, blobs=blobs, batch_norm_param=fields)


def scale(net: NetBuilder, x: Blob, weight: Array, bias: Array | None, *, axis: int = 1, part: str = "") -> Blob:
    """x·weight + bias, with `weight` and `bias` shaped like the axes of `x` from `axis` on."""
    if axis != 1 or weight.ndim != 1 or (weight.size == 1 and not _is_linear(_maker(net, x))):
        # OpenCV would take it for one value per channel and merge it into the weights before it; one value also into
        # a power before it, as if it came first.
        x = _kept_apart(net, x, {"BatchNorm", "Convolution", "Deconvolution", "Power", "Scale"})
    x = _apart_from_groups(net, x)
    return _scale(net, x, weight, bias, axis=axis, part=part)


def _scale(net: NetBuilder, x: Blob, weight: Array, bias: Array | None, *, axis: int, part: str) -> Blob:
    fields: dict[str, Any] = {}
    if axis != 1:
        fields["axis"] = axis
    if weight.ndim != 1:
        fields["num_axes"] = weight.ndim
    if bias is not None:
        fields["bias_term"] = True
    return net.one("Scale", [x], x.shape, part=part, blobs=with_bias(weight, bias), scale_param=fields)


def scale_by(net: NetBuilder, x: Blob, factor: Blob, *, axis: int, part: str = "") -> Blob:
    """`x` times a second blob, shaped like the axes of `x` from `axis` on."""
    return net.one("Scale", [x, factor], x.shape, part=part, scale_param={"axis": axis})


def weighted_sum(net: NetBuilder, bottoms: Sequence[Blob], weights: Sequence[float], *, part: str = "") -> Blob:
    """Sum of weight·bottom over blobs of one shape, the weights as coefficients where the target heeds them."""
    if all(weight == 1.0 for weight in weights):
        return eltwise(net, bottoms, "SUM", part=part)
    if net.profile.limits.eltwise_coeff:
        return eltwise(net, bottoms, "SUM", coeff=weights, part=part)
    pairs = zip(bottoms, weights, strict=True)
    shares = [x if weight == 1.0 else power(net, x, scale=weight, part="share") for x, weight in pairs]
    return eltwise(net, shares, "SUM", part=part)


def absolute(net: NetBuilder, x: Blob, *, part: str = "") -> Blob:
    """|x|; where there is no AbsVal, a ReLU of slope -1."""
    return unary(net, x, "AbsVal", part=part) if net.profile.has("AbsVal") else relu(net, x, -1.0, part=part)


def eltwise(
    net: NetBuilder, bottoms: Sequence[Blob], operation: str, *, coeff: Sequence[float] = (), part: str = ""
) -> Blob:
    """SUM (with coefficients), PROD or MAX of blobs of one shape."""
    most = net.profile.limits.eltwise_bottoms
    if len(bottoms) > most and not coeff:
        first = eltwise(net, bottoms[:most], operation, part=part)
        return eltwise(net, [first, *bottoms[most:]], operation, part=part)
    x = bottoms[0]
    if not 2 <= x.rank <= 5:
        # OpenCV takes no other number of axes.
        rows = (x.shape[0], flattened(x, 1)) if x.rank else (1, 1)
        flat = [reshape(net, bottom, rows, part=f"rows{i}") for i, bottom in enumerate(bottoms)]
        return reshape(net, eltwise(net, flat, operation, coeff=coeff, part=part), x.shape, part="shape")
    fields: dict[str, Any] = {"operation": operation}
    if coeff:
        fields["coeff"] = list(coeff)
    return net.one("Eltwise", bottoms, bottoms[0].shape, part=part or operation.lower(), eltwise_param=fields)


def concat(net: NetBuilder, bottoms: Sequence[Blob], axis: int, *, part: str = "") -> Blob:
    """Join along `axis`."""
    return net.one("Concat", bottoms, part=part, concat_param={"axis": axis})


def slices(net: NetBuilder, x: Blob, lengths: Sequence[int], axis: int, *, part: str = "slice") -> list[Blob]:
    """Slice `x` along `axis` into pieces of these lengths."""
    points = np.cumsum(lengths)[:-1].tolist()
    return net.add("Slice", [x], part=part, slice_param={"axis": axis, "slice_point": points})


def reshape(net: NetBuilder, x: Blob, shape: Shape, *, part: str = "") -> Blob:
    """The same numbers in another shape.

    A leading axis of unchanged length is written as 0 (copy), so that the net can be given another batch size.
    """
    if shape == x.shape:
        return x
    if len(shape) == 2 and x.rank > 2 and shape[0] == x.shape[0] and net.profile.has("Flatten"):
        return net.one("Flatten", [x], shape, part=part)
    kept = bool(shape and x.shape) and shape[0] == x.shape[0]
    # A single number is written as one axis of length 1: OpenCV refuses a shape without axes.
    dims = [0, *shape[1:]] if kept else list(shape or (1,))
    return net.one("Reshape", [x], shape, part=part, reshape_param={"shape": {"dim": dims}})


def permute(net: NetBuilder, x: Blob, order: Sequence[int], *, part: str = "") -> Blob:
    """Transpose: axis i of the top is axis order[i] of `x`."""
    if tuple(order) == tuple(range(x.rank)):
        return x
    return net.one("Permute", [x], part=part, permute_param={"order": list(order)})


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
    shared = slope.size == 1
    # Every reader takes the legacy 4-D shape of one number; not all take an empty one.
    blob = slope.reshape(1, 1, 1, 1) if shared else slope.reshape(-1)
    return net.one("PReLU", [x], x.shape, part=part, blobs=[blob], prelu_param={"channel_shared": shared})


def power(
    net: NetBuilder, x: Blob, *, scale: float = 1.0, shift: float = 0.0, power: float = 1.0, part: str = ""
) -> Blob:
    """(shift + scale·x) ** power, where the target has no Power as a Scale, or a product of the blob with itself."""
    if not net.profile.has("Power"):
        return _power_of_scales(net, x, scale, shift, power, part)
    if power == 1.0 and not _is_linear(_maker(net, x)):
        # OpenCV would merge the two into one power, as if this one came first; it merges no Scale of many.
        axis = min(1, x.rank - 1)
        if x.rank != 4 and x.shape[axis] > 1:
            weight, bias = (np.full(x.shape[axis], value, np.float32) for value in (scale, shift))
            return _scale(net, x, weight, bias if shift else None, axis=axis, part=part)
        x = _kept_apart(net, x, {"Power"})
    fields = {"power": power, "scale": scale, "shift": shift}
    written = {name: value for name, value in fields.items() if value != (0.0 if name == "shift" else 1.0)}
    return net.one("Power", [x], x.shape, part=part, power_param=written)


def _power_of_scales(net: NetBuilder, x: Blob, scale: float, shift: float, power: float, part: str) -> Blob:
    if (scale, shift) != (1.0, 0.0) or power == 1.0:
        if x.rank < 2:
            raise UnsupportedNodeError(f"the target {net.profile.name!r} has no Power layer", "choose the target 'ssd'")
        weight, bias = (np.full(x.shape[1], value, np.float32) for value in (scale, shift))
        x = _scale(net, x, weight, bias if shift else None, axis=1, part=part if power == 1.0 else f"{part}_line")
    if power == 1.0:
        return x
    if power not in (2.0, 3.0):
        raise UnsupportedNodeError(
            f"the target {net.profile.name!r} has no Power layer, and no other gives the power {power:g}",
            "choose the target 'ssd'",
        )
    square = eltwise(net, [x, x], "PROD", part=part)
    return square if power == 2.0 else eltwise(net, [square, x], "PROD", part=part)


def constant_like(net: NetBuilder, x: Blob, value: float, *, part: str = "") -> Blob:
    """A blob of the shape of `x` that holds `value` everywhere."""
    if not net.profile.has("Power"):
        return power(net, x, scale=0.0, shift=value, part=part)
    return net.one("Power", [x], x.shape, part=part, power_param={"scale": 0.0, "shift": value})


def _maker(net: NetBuilder, x: Blob) -> LayerParameter | None:
    return next((layer.message for layer in reversed(net.layers) if x.name in layer.message.top), None)


def _is_linear(maker: LayerParameter | None) -> bool:
    return maker is None or maker.type != "Power" or maker.power_param.power == 1.0


def _kept_apart(net: NetBuilder, x: Blob, makers: set[str]) -> Blob:
    """`x`, behind a pooling over single values if a layer of these types makes it: no reader merges across that."""
    maker = _maker(net, x)
    if maker is None or maker.type not in makers:
        return x
    if x.rank == 4:
        return pooling(net, x, "MAX", (1, 1), (1, 1), (0, 0), part="apart")
    column = reshape(
        net, x, (1, 1, prod(x.shape), 1) if x.rank < 2 else (x.shape[0], flattened(x, 1), 1, 1), part="column"
    )
    return reshape(net, pooling(net, column, "MAX", (1, 1), (1, 1), (0, 0), part="apart"), x.shape, part="shape")


def _apart_from_groups(net: NetBuilder, x: Blob) -> Blob:
    """`x`, kept apart from a Deconvolution in groups: OpenCV merges factors per channel into it as if it had none."""
    maker = _maker(net, x)
    in_groups = maker is not None and maker.type == "Deconvolution" and maker.convolution_param.group > 1
    return _kept_apart(net, x, {"Deconvolution"}) if in_groups else x


def unary(net: NetBuilder, x: Blob, kind: str, *, part: str = "", **params: Any) -> Blob:
    """A layer with one bottom and a top of its shape: Sigmoid, TanH, Exp, Log, AbsVal, ELU, LRN, MVN, Normalize..."""
    return net.one(kind, [x], x.shape, part=part, **params)


def flattened(x: Blob, axis: int) -> int:
    """Number of values of `x` from `axis` on."""
    return prod(x.shape[axis:])
