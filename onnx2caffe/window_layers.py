"""The layers that slide a window over (N, C, H, W), part of the vocabulary in `onnx2caffe.layers`."""

from __future__ import annotations

from typing import Any

import numpy as np

from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.shape_layers import concat, slices
from gluon2caffe.onnx2caffe.targets import Fault

Array = np.ndarray[Any, np.dtype[Any]]
Pair = tuple[int, int]


def _pair(field: str, value: Pair, *, always: bool = False) -> dict[str, int]:
    """`kernel`, `pad` or `stride` of a convolution; nothing where the default 0 or 1 would do."""
    default = 0 if field == "pad" else 1
    if value == (default, default) and not always:
        return {}
    return {f"{field}_h": value[0], f"{field}_w": value[1]}


def convolution(
    net: NetBuilder,
    x: Blob,
    weight: Array,
    bias: Array | None,
    *,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    group: int = 1,
    part: str = "",
) -> Blob:
    """Convolution of (N, C, H, W) with `weight` (M, C/group, kh, kw)."""
    fields = _spatial_fields(weight.shape[0], weight, bias, stride, pad, dilation, group)
    return net.one("Convolution", [x], part=part, blobs=with_bias(weight, bias), convolution_param=fields)


def deconvolution(
    net: NetBuilder,
    x: Blob,
    weight: Array,
    bias: Array | None,
    *,
    stride: Pair = (1, 1),
    pad: Pair = (0, 0),
    dilation: Pair = (1, 1),
    group: int = 1,
    part: str = "",
) -> Blob:
    """Transposed convolution of (N, C, H, W) with `weight` (C, M/group, kh, kw)."""
    depthwise = group == weight.shape[0] and weight.shape[1] == 1
    if group > 1 and not depthwise and net.profile.has_quirk(Fault.GROUPED_DECONVOLUTION):
        return _group_by_group(net, x, weight, bias, group, part, stride=stride, pad=pad, dilation=dilation)
    fields = _spatial_fields(weight.shape[1] * group, weight, bias, stride, pad, dilation, group)
    return net.one("Deconvolution", [x], part=part, blobs=with_bias(weight, bias), convolution_param=fields)


def _group_by_group(
    net: NetBuilder,
    x: Blob,
    weight: Array,
    bias: Array | None,
    group: int,
    part: str,
    *,
    stride: Pair,
    pad: Pair,
    dilation: Pair,
) -> Blob:
    """A Deconvolution for each group, side by side."""
    pieces = slices(net, x, [x.shape[1] // group] * group, 1, part="groups")
    weights = np.split(weight, group)
    biases = [None] * group if bias is None else np.split(bias, group)
    made = [
        deconvolution(net, piece, weights[i], biases[i], stride=stride, pad=pad, dilation=dilation, part=f"group{i}")
        for i, piece in enumerate(pieces)
    ]
    return concat(net, made, 1, part=part or "groups_joined")


def with_bias(weight: Array, bias: Array | None) -> list[Array]:
    """The blobs of a layer whose bias may be left out."""
    return [weight] if bias is None else [weight, bias]


def _spatial_fields(
    channels: int, weight: Array, bias: Array | None, stride: Pair, pad: Pair, dilation: Pair, group: int
) -> dict[str, Any]:
    kernel = (weight.shape[2], weight.shape[3])
    fields: dict[str, Any] = {"num_output": channels}
    if bias is None:
        fields["bias_term"] = False
    if all(a == b for a, b in (kernel, stride, pad)):
        # Square: the short form, which every reader has known longest.
        fields["kernel_size"] = [kernel[0]]
        if pad[0]:
            fields["pad"] = [pad[0]]
        if stride[0] != 1:
            fields["stride"] = [stride[0]]
    else:
        fields |= _pair("kernel", kernel, always=True) | _pair("pad", pad) | _pair("stride", stride)
    if dilation != (1, 1):
        fields["dilation"] = [dilation[0]] if dilation[0] == dilation[1] else list(dilation)
    if group != 1:
        fields["group"] = group
    return fields


def pooling(net: NetBuilder, x: Blob, method: str, kernel: Pair, stride: Pair, pad: Pair, *, part: str = "") -> Blob:
    """MAX or AVE pooling of (N, C, H, W), with Caffe's ceil rounding."""
    fields: dict[str, Any] = {"pool": method}
    if all(a == b for a, b in (kernel, stride, pad)):
        fields["kernel_size"] = kernel[0]
        fields["stride"] = stride[0]
        if pad[0]:
            fields["pad"] = pad[0]
    else:
        fields |= _pair("kernel", kernel, always=True) | _pair("stride", stride, always=True) | _pair("pad", pad)
    return net.one("Pooling", [x], part=part, pooling_param=fields)


def global_pooling(net: NetBuilder, x: Blob, method: str, *, part: str = "") -> Blob:
    """Pool each channel of (N, C, H, W) to (N, C, 1, 1)."""
    fields = {"pool": method, "global_pooling": True}
    return net.one("Pooling", [x], part=part, pooling_param=fields)
