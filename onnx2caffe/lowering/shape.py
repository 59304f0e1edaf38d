"""Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Concat, Split, Slice, Pad, Identity, Dropout, Cast."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from onnx2caffe import layers
from onnx2caffe.builder import Blob, NetBuilder
from onnx2caffe.lowering.spatial import pad_with_zeros
from onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from onnx2caffe.registry import lowering

FLOAT16 = 10


@lowering("Reshape")
@lowering("Flatten")
@lowering("Squeeze")
@lowering("Unsqueeze")
def reshape(node: Node, net: NetBuilder) -> Blob:
    """The same numbers in the shape that shape inference found."""
    return layers.reshape(net, node.blob(), node.shape())


@lowering("Transpose")
def transpose(node: Node, net: NetBuilder) -> Blob:
    """Permute; a Reshape where only axes of length 1 move."""
    x = node.blob()
    order = node.attr("perm", list(reversed(range(x.rank))))
    long = [axis for axis in order if x.shape[axis] != 1 or axis == 0]
    if long == sorted(long) and (order[0] == 0 or x.shape[0] == 1):
        return layers.reshape(net, x, node.shape())
    if not net.profile.has("Permute"):
        raise UnsupportedNodeError(f"the target {net.profile.name!r} has no Permute layer", "choose the target 'ssd'")
    return layers.permute(net, x, order)


@lowering("Concat")
def concat(node: Node, net: NetBuilder) -> Blob:
    """Concat."""
    blobs = [node.blob(index) for index in range(node.input_count)]
    return layers.concat(net, blobs, axis_of(node.attr("axis", 1), blobs[0].rank)) if len(blobs) > 1 else blobs[0]


@lowering("Split")
def split(node: Node, net: NetBuilder) -> list[Blob]:
    """Slice into the lengths that the outputs have."""
    x = node.blob()
    axis = axis_of(node.attr("axis", 0), x.rank)
    lengths = [node.shape(index)[axis] for index in range(node.output_count)]
    return [x] if len(lengths) == 1 else layers.cut(net, x, lengths, axis, part="pieces")


@lowering("Slice")
def slice_attributes(node: Node, net: NetBuilder) -> Blob:
    """Slice with attributes (opset 9 and before)."""
    starts, ends = node.attr("starts", [0]), node.attr("ends", [0])
    return _slice(node, net, starts, ends, node.attr("axes", list(range(len(starts)))), [1] * len(starts))


@lowering("Slice", since=10)
def slice_inputs(node: Node, net: NetBuilder) -> Blob:
    """Slice with inputs."""
    starts, ends = node.constant(1).tolist(), node.constant(2).tolist()
    axes, steps = node.optional_constant(3), node.optional_constant(4)
    return _slice(
        node,
        net,
        starts,
        ends,
        list(range(len(starts))) if axes is None else axes.tolist(),
        [1] * len(starts) if steps is None else steps.tolist(),
    )


def _slice(node: Node, net: NetBuilder, starts: list[int], ends: list[int], axes: list[int], steps: list[int]) -> Blob:
    x = node.blob()
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis = axis_of(axis, x.rank)
        low, high, stride = slice(start, end, step).indices(x.shape[axis])
        if stride != 1:
            raise UnsupportedNodeError(f"its step along axis {axis} is {step}; Caffe slices with step 1")
        if low >= high:
            raise UnsupportedNodeError(f"it cuts out nothing along axis {axis}")
        bounds = sorted({0, low, high, x.shape[axis]})
        if len(bounds) > 2:
            pieces = layers.cut(net, x, [b - a for a, b in pairwise(bounds)], axis, part=f"slice{axis}")
            x = pieces[bounds.index(low)]
    return x


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
    if mode != "constant":
        raise UnsupportedNodeError(f"padding mode {mode!r}")
    before, after = pads[: x.rank], pads[x.rank :]
    if min(pads) < 0:
        raise UnsupportedNodeError(f"negative pads {pads}")
    if x.rank != 4 or before[0] or after[0]:
        raise UnsupportedNodeError(f"it pads {x.shape} by {pads}; only channels, rows and columns can be padded")
    if not np.isfinite(value):
        raise UnsupportedNodeError(f"it pads with {value}")
    if value and any(pads):
        # Shift so that the padding value is 0, pad, and shift back.
        x = layers.power(net, x, shift=-value, part="from_value")
    x = _pad_channels(net, x, before[1], after[1])
    x = pad_with_zeros(net, x, (before[2], before[3]), (after[2], after[3]))
    return layers.power(net, x, shift=value, part="to_value") if value and any(pads) else x


def _pad_channels(net: NetBuilder, x: Blob, before: int, after: int) -> Blob:
    """A 1×1 convolution by an identity matrix with rows of zeros around it."""
    if not before and not after:
        return x
    channels = x.shape[1]
    weight = np.zeros((before + channels + after, channels, 1, 1), np.float32)
    weight[before : before + channels, :, 0, 0] = np.eye(channels, dtype=np.float32)
    return layers.convolution(net, x, weight, None, part="pad_channels")


@lowering("Identity")
@lowering("Dropout")
def identity(node: Node, net: NetBuilder) -> Blob:
    """Nothing at inference."""
    drops = node.optional_constant(2) if node.raw.op == "Dropout" and node.input_count > 2 else None
    if drops is not None and drops.any():
        raise UnsupportedNodeError("it is in training mode", "export the net for inference")
    if node.output_count > 1 and node.raw.outputs[1].outputs:
        raise UnsupportedNodeError("its mask is read")
    return node.blob()


@lowering("Cast")
def cast(node: Node, net: NetBuilder) -> Blob:
    """Nothing between float types: Caffe computes in float32."""
    if node.attr("to", 1) not in (1, 10, 11):
        raise UnsupportedNodeError("it casts to a type that is not a float")
    if node.attr("to", 1) == FLOAT16:
        net.notes.append(f"{net.scope}: a cast to float16 is left out; Caffe computes in float32")
    return node.blob()
