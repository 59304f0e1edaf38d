"""Pad: constant, edge, reflect and wrap, along any axis."""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.axes import as_planes, select
from gluon2caffe.onnx2caffe.lowering.spatial import pad_with_zeros
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from gluon2caffe.onnx2caffe.registry import lowering

# What numpy.pad calls ONNX's modes.
_MIRRORS = {"edge": "edge", "reflect": "reflect", "wrap": "wrap"}


@lowering("Pad")
def pad_attributes(node: Node, net: NetBuilder) -> Blob:
    """Pad with attributes (opset 10 and before)."""
    return _pad(node, net, node.attr("pads", []), float(node.attr("value", 0.0)))


@lowering("Pad", since=11)
def pad_inputs(node: Node, net: NetBuilder) -> Blob:
    """Pad with inputs."""
    value, axes = node.optional_constant(2), node.optional_constant(3)
    pads = node.constant(1).tolist()
    if axes is not None:
        pads = _pads_of_all_axes(pads, axes.tolist(), node.blob().rank)
    return _pad(node, net, pads, 0.0 if value is None else float(value.item()))


def _pads_of_all_axes(pads: list[int], axes: list[int], rank: int) -> list[int]:
    """`pads` of the given axes, with zeros for the others."""
    full = [0] * (2 * rank)
    for position, axis in enumerate(axis_of(axis, rank) for axis in axes):
        full[axis], full[rank + axis] = pads[position], pads[len(axes) + position]
    return full


def _pad(node: Node, net: NetBuilder, pads: list[int], value: float) -> Blob:
    x = node.blob()
    mode = node.attr("mode", "constant")
    before, after = pads[: x.rank], pads[x.rank :]
    for axis, (front, behind) in enumerate(zip(before, after, strict=True)):
        if min(front, behind) < 0:
            # A negative pad cuts.
            kept = range(max(0, -front), x.shape[axis] - max(0, -behind))
            if not kept:
                raise UnsupportedNodeError(f"the result is empty along axis {axis}")
            x = select(net, x, axis, kept, part=f"cut{axis}")
    before, after = [max(0, pad) for pad in before], [max(0, pad) for pad in after]
    if mode == "constant":
        return _pad_with(net, x, before, after, value)
    if mode not in _MIRRORS:
        raise UnsupportedNodeError(f"padding mode {mode!r}")
    for axis, (front, behind) in enumerate(zip(before, after, strict=True)):
        growth.require_numbers(front + x.shape[axis] + behind, width=8)
        places = np.pad(np.arange(x.shape[axis]), (front, behind), mode=_MIRRORS[mode])  # type: ignore[call-overload]
        x = select(net, x, axis, places.tolist(), part=f"pad{axis}")
    return x


def _pad_with(net: NetBuilder, x: Blob, before: list[int], after: list[int], value: float) -> Blob:
    if not np.isfinite(value):
        raise UnsupportedNodeError(f"it pads with {value}")
    if not any(before) and not any(after):
        return x
    if value:
        # Shift so that the padding value is 0, pad, and shift back.
        x = layers.power(net, x, shift=-value, part="from_value")
    if x.rank == 4 and not before[0] and not after[0]:
        x = _pad_channels(net, x, before[1], after[1])
        x = pad_with_zeros(net, x, (before[2], before[3]), (after[2], after[3]))
    else:
        for axis, (front, behind) in enumerate(zip(before, after, strict=True)):
            x = _pad_axis(net, x, axis, front, behind)
    return layers.power(net, x, shift=value, part="to_value") if value else x


def _pad_axis(net: NetBuilder, x: Blob, axis: int, front: int, behind: int) -> Blob:
    """Zeros along one axis: rows of the picture that has this axis as its rows."""
    if not front and not behind:
        return x
    padded = pad_with_zeros(net, as_planes(net, x, axis, axis + 1), (front, 0), (behind, 0))
    return layers.reshape(
        net, padded, (*x.shape[:axis], x.shape[axis] + front + behind, *x.shape[axis + 1 :]), part="shape"
    )


def _pad_channels(net: NetBuilder, x: Blob, before: int, after: int) -> Blob:
    """A 1×1 convolution by an identity matrix with rows of zeros around it."""
    if not before and not after:
        return x
    channels = x.shape[1]
    weight = growth.zeros(before + channels + after, channels, 1, 1)
    weight[before : before + channels, :, 0, 0] = growth.eye(channels)
    return layers.convolution(net, x, weight, None, part="pad_channels")
