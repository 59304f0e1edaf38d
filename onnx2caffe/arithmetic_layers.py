"""The layers that add, multiply and take powers, part of the vocabulary in `onnx2caffe.layers`.

Where the target lacks a layer, or a quirk of it forbids the plain form, others stand for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon2caffe.onnx2caffe.barriers import before_batch_norm, before_power, before_scale, is_behind_curve
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.shape_layers import flattened, reshape
from gluon2caffe.onnx2caffe.targets import Fault
from gluon2caffe.onnx2caffe.targets.remedy import target_with
from gluon2caffe.onnx2caffe.unsupported import UnsupportedNodeError
from gluon2caffe.onnx2caffe.window_layers import with_bias

Array = np.ndarray[Any, np.dtype[Any]]


def batch_norm(net: NetBuilder, x: Blob, mean: Array, variance: Array, epsilon: float, *, part: str = "") -> Blob:
    """(x - mean) / sqrt(variance + epsilon) per channel."""
    x = before_batch_norm(net, x, channels=mean.size)
    blobs = [mean, variance, np.ones(1, np.float32)]
    fields = {"use_global_stats": True, "eps": epsilon}
    return net.one("BatchNorm", [x], x.shape, part=part, blobs=blobs, batch_norm_param=fields)


def scale(net: NetBuilder, x: Blob, weight: Array, bias: Array | None, *, axis: int = 1, part: str = "") -> Blob:
    """x·weight + bias, with `weight` and `bias` shaped like the axes of `x` from `axis` on."""
    x = before_scale(net, x, values=weight.size, per_channel=axis == 1 and weight.ndim == 1)
    return _scale(net, x, weight, bias, axis=axis, part=part)


def _scale(net: NetBuilder, x: Blob, weight: Array, bias: Array | None, *, axis: int, part: str) -> Blob:
    ranks = net.profile.limits.scale_ranks
    if ranks is not None and x.rank not in ranks and (axis, weight.ndim) == (1, 1):
        picture = reshape(net, x, (*x.shape[:2], flattened(x, 2), 1), part="picture")
        return reshape(net, _scale(net, picture, weight, bias, axis=1, part=part), x.shape, part="shape")
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


def eltwise(
    net: NetBuilder, bottoms: Sequence[Blob], operation: str, *, coeff: Sequence[float] = (), part: str = ""
) -> Blob:
    """SUM (with coefficients), PROD or MAX of blobs of one shape."""
    most = net.profile.limits.eltwise_bottoms
    if operation != "SUM" and net.profile.has_quirk(Fault.ELTWISE_MORE_THAN_TWO):
        most = min(most, 2)
    if len(bottoms) > most and not coeff:
        first = eltwise(net, bottoms[:most], operation, part=part)
        return eltwise(net, [first, *bottoms[most:]], operation, part=part)
    x = bottoms[0]
    if not 2 <= x.rank <= 5 and net.profile.has_quirk(Fault.ELTWISE_RANKS):
        rows = (x.shape[0], flattened(x, 1)) if x.rank else (1, 1)
        flat = [reshape(net, bottom, rows, part=f"rows{i}") for i, bottom in enumerate(bottoms)]
        return reshape(net, eltwise(net, flat, operation, coeff=coeff, part=part), x.shape, part="shape")
    fields: dict[str, Any] = {"operation": operation}
    if coeff:
        fields["coeff"] = list(coeff)
    return net.one("Eltwise", bottoms, bottoms[0].shape, part=part or operation.lower(), eltwise_param=fields)


def weighted_sum(net: NetBuilder, bottoms: Sequence[Blob], weights: Sequence[float], *, part: str = "") -> Blob:
    """Sum of weight·bottom over blobs of one shape, the weights as coefficients where the target takes them."""
    if all(weight == 1.0 for weight in weights):
        return eltwise(net, bottoms, "SUM", part=part)
    if tuple(weights) == (-1.0, 1.0):
        bottoms, weights = bottoms[::-1], weights[::-1]
    difference_only = net.profile.has_quirk(Fault.ELTWISE_COEFFICIENTS_OF_MANY) and tuple(weights) != (1.0, -1.0)
    if not difference_only and not net.profile.has_quirk(Fault.ELTWISE_COEFFICIENTS):
        return eltwise(net, bottoms, "SUM", coeff=weights, part=part)
    pairs = zip(bottoms, weights, strict=True)
    shares = [x if weight == 1.0 else power(net, x, scale=weight, part="share") for x, weight in pairs]
    return eltwise(net, shares, "SUM", part=part)


def power(
    net: NetBuilder, x: Blob, *, scale: float = 1.0, shift: float = 0.0, power: float = 1.0, part: str = ""
) -> Blob:
    """(shift + scale·x) ** power; without a Power layer as a Scale, or a product of the blob with itself."""
    if not net.profile.has("Power"):
        return _power_of_scales(net, x, scale, shift, power, part)
    if power == 1.0 and is_behind_curve(net, x) and net.profile.has_quirk(Fault.POWER_AFTER_POWER):
        axis = min(1, x.rank - 1)
        if x.rank != 4 and x.shape[axis] > 1:
            # A Scale of many values is merged with no Power.
            weight, bias = (np.full(x.shape[axis], value, np.float32) for value in (scale, shift))
            return _scale(net, x, weight, bias if shift else None, axis=axis, part=part)
        x = before_power(net, x)
    fields = {"power": power, "scale": scale, "shift": shift}
    written = {name: value for name, value in fields.items() if value != (0.0 if name == "shift" else 1.0)}
    return net.one("Power", [x], x.shape, part=part, power_param=written)


def copy(net: NetBuilder, x: Blob, *, part: str = "copy") -> Blob:
    """The same values in a blob of its own."""
    if net.profile.has_quirk(Fault.IDLE_POWER_AS_OUTPUT):
        return eltwise(net, [x, x], "MAX", part=part)
    return power(net, x, part=part)


def _power_of_scales(net: NetBuilder, x: Blob, scale: float, shift: float, power: float, part: str) -> Blob:
    if (scale, shift) != (1.0, 0.0) or power == 1.0:
        if x.rank < 2:
            raise UnsupportedNodeError(f"the target {net.profile.name!r} has no Power layer", target_with("Power"))
        weight, bias = (np.full(x.shape[1], value, np.float32) for value in (scale, shift))
        x = _scale(net, x, weight, bias if shift else None, axis=1, part=part if power == 1.0 else f"{part}_line")
    if power == 1.0:
        return x
    if power not in (2.0, 3.0):
        raise UnsupportedNodeError(
            f"the target {net.profile.name!r} has no Power layer, and no other gives the power {power:g}",
            target_with("Power"),
        )
    square = eltwise(net, [x, x], "PROD", part=part)
    return square if power == 2.0 else eltwise(net, [square, x], "PROD", part=part)


def constant_like(net: NetBuilder, x: Blob, value: float, *, part: str = "") -> Blob:
    """A blob of the shape of `x` that holds `value` everywhere."""
    if not net.profile.has("Power"):
        return power(net, x, scale=0.0, shift=value, part=part)
    return net.one("Power", [x], x.shape, part=part, power_param={"scale": 0.0, "shift": value})
