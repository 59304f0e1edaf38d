"""Reshape, Flatten, Squeeze and Unsqueeze, written so that they follow their input wherever the source does.

Caffe's Reshape reads 0 and -1 as ONNX does: copy the length of the same axis, infer the one that is left. What the
source leaves open stays open; a batch that it names is copied.
"""

from __future__ import annotations

from collections.abc import Sequence

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.node import Node, axis_of
from gluon2caffe.onnx2caffe.registry import lowering
from gluon2caffe.onnx2caffe.targets import Fault

NAMED = "a Reshape to fixed lengths"


@lowering("Reshape")
def reshape(node: Node, net: NetBuilder) -> Blob:
    """Reshape to the lengths that the node names, 0 and -1 among them."""
    x, shape = node.blob(), node.shape()
    target = _target(node, x, len(shape))
    if target is None:
        within = _within(node, net, x, shape)
        return _to_fixed(net, x, shape) if within is None else within
    return _to_open(net, x, shape, target)


def _within(node: Node, net: NetBuilder, x: Blob, shape: tuple[int, ...]) -> Blob | None:
    """For any size: a Reshape of the axes between those that stay in front and behind, such as C in (N, g, C/g, H, W).

    None where the target has no such form, or where a length is inferred among written ones, which would take in more
    of a larger picture.
    """
    if net.options.sizes != "any" or not net.profile.accepts("Reshape", "num_axes") or min(x.rank, len(shape)) < 3:
        return None
    inferred = node.is_constant(1) and -1 in node.constant(1)
    if inferred or shape[0] != x.shape[0]:
        return None
    most = min(x.rank, len(shape)) - 1
    front = next((i for i in range(most) if x.shape[i] != shape[i]), most)
    behind = next((i for i in range(most - front) if x.shape[-1 - i] != shape[-1 - i]), most - front)
    taken, made = x.rank - front - behind, shape[front : len(shape) - behind]
    if not behind or not taken or not made:
        return None
    dims = [-1] if len(made) == 1 else list(made)
    return net.one("Reshape", [x], shape, reshape_param={"shape": {"dim": dims}, "axis": front, "num_axes": taken})


def _target(node: Node, x: Blob, rank: int) -> list[int] | None:
    """The lengths as the node names them, if it leaves some open that Caffe can leave open too."""
    written: list[int] = node.attr("shape", [])
    if written:
        target = [int(length) for length in written]
    elif node.is_constant(1):
        target = [int(length) for length in node.constant(1).reshape(-1)]
    else:
        return None
    zeros = [i for i, length in enumerate(target) if length == 0]
    if x.rank < 2 or len(target) != rank or (zeros and (node.attr("allowzero", 0) or zeros[-1] >= x.rank)):
        return None
    if target and target[0] == x.shape[0]:
        target[0] = 0
    return target if -1 in target or any(zeros) else None


def _to_fixed(net: NetBuilder, x: Blob, shape: tuple[int, ...], *, batch: bool = True) -> Blob:
    """Reshape to lengths that are all written; the axis in front is copied, and open where it is a `batch`."""
    kept = batch and bool(shape and x.shape) and shape[0] == x.shape[0]
    net.sizes.exact(x, range(1 if kept else 0, x.rank), NAMED)
    return layers.reshape(net, x, shape)


def _to_open(net: NetBuilder, x: Blob, shape: tuple[int, ...], target: Sequence[int]) -> Blob:
    if shape == x.shape:
        # Whatever is inferred here, it is the length of that axis as long as the others are.
        net.sizes.exact(x, [axis for axis, length in enumerate(target) if length > 0], NAMED)
        return x
    if list(target) == [0, -1]:
        return layers.reshape(net, x, shape)
    if x.rank != len(shape) and net.profile.has_quirk(Fault.RESHAPE_COPIES_OTHER_AXIS):
        copied = [axis for axis, length in enumerate(target) if axis and length == 0]
        net.sizes.exact(x, copied, NAMED)
        target = [shape[axis] if axis in copied else length for axis, length in enumerate(target)]
    return net.one("Reshape", [x], shape, reshape_param={"shape": {"dim": list(target)}})


@lowering("Flatten")
def flatten(node: Node, net: NetBuilder) -> Blob:
    """A Flatten layer from axis 1; from another axis a Reshape."""
    x, shape = node.blob(), node.shape()
    axis = axis_of(node.attr("axis", 1), x.rank + 1)
    if axis == 1 and x.rank > 1:
        return layers.reshape(net, x, shape)
    return _to_fixed(net, x, shape, batch=axis > 0)


@lowering("Squeeze")
@lowering("Unsqueeze")
def squeeze(node: Node, net: NetBuilder) -> Blob:
    """Axes of length 1 left out or put in; those that stay in their place are copied, the first that moves inferred."""
    x, shape = node.blob(), node.shape()
    longer, shorter = (x.shape, shape) if x.rank > len(shape) else (shape, x.shape)
    places = _places(node, longer, len(longer) - len(shorter))
    if len(longer) == len(shorter) or places is None or min(x.rank, len(shape)) < 2 or 0 in places:
        return _to_fixed(net, x, shape, batch=places is None or 0 not in places)
    if longer is x.shape:
        net.sizes.exact(x, places, "axes of length 1 are left out")
    kept = [axis for axis in range(len(longer)) if axis not in places]
    target, inferred = [], False
    for axis, length in enumerate(shape):
        source = kept[axis] if longer is x.shape else (kept.index(axis) if axis in kept else None)
        if source is None:
            target.append(1)
        elif source == axis:
            target.append(0)
        elif not inferred:
            target.append(-1)
            inferred = True
        else:
            net.sizes.exact(x, [source], NAMED)
            target.append(length)
    if -1 not in target:
        return layers.reshape(net, x, shape)
    return _to_open(net, x, shape, target)


def _places(node: Node, longer: tuple[int, ...], count: int) -> list[int] | None:
    """The axes of length 1, as places in the longer of the two shapes; None where they are not told apart."""
    if node.has_attr("axes"):
        axes = list(node.attr("axes", []))
    elif node.is_constant(1):
        axes = node.constant(1).reshape(-1).tolist()
    else:
        axes = [axis for axis, length in enumerate(longer) if length == 1]
    places = sorted({axis_of(int(axis), len(longer)) for axis in axes})
    return places if len(places) == count else None
