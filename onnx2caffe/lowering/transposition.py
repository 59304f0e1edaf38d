"""Transpose: Permute where the target has it, else Slice and Concat."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.axes import MOST_PIECES, join
from gluon2caffe.onnx2caffe.node import UnsupportedNodeError
from gluon2caffe.onnx2caffe.targets.remedy import target_with

# Values that are copied in no time to speak of.
FEW = 2**14


def transpose(net: NetBuilder, x: Blob, order: Sequence[int], *, part: str = "") -> Blob:
    """Axis i of the top is axis order[i] of `x`; a Reshape where only axes of length 1 move."""
    top = tuple(x.shape[axis] for axis in order)
    long = [axis for axis in order if x.shape[axis] != 1 or axis == 0]
    follows = order[0] == 0 and _follows(net, x)
    if long == sorted(long) and (order[0] == 0 or x.shape[0] == 1) and not follows:
        net.sizes.exact(x, _moving(x, order, long), "only axes of length 1 move")
        return layers.reshape(net, x, top, part=part)
    if net.profile.has("Permute"):
        return layers.permute(net, x, order, part=part)
    return layers.reshape(net, _by_swaps(net, x, order), top, part=part or "shape")


def _follows(net: NetBuilder, x: Blob) -> bool:
    """Whether a Permute stands where a Reshape would do at this size: it holds at every size, and costs a copy."""
    few = x.rank == 4 and prod(x.shape) <= FEW
    return net.profile.has("Permute") and (few or net.options.sizes == "any")


def _moving(x: Blob, order: Sequence[int], long: Sequence[int]) -> list[int]:
    """The axes that must be of length 1: those that move past others, and the batch where it does not stay in front."""
    kept = set(long) if order[0] == 0 else set(long) - {0}
    moving = [] if order[0] == 0 else [0]
    for axis in range(1, x.rank):
        together = [each for each in order if each in kept or each == axis]
        if together == sorted(together):
            kept.add(axis)
        else:
            moving.append(axis)
    return moving


def _by_swaps(net: NetBuilder, x: Blob, order: Sequence[int]) -> Blob:
    """Groups of axes that stay together, each brought to its place by a swap with those in front of it."""
    current = list(range(x.rank))
    for place, axis in enumerate(order):
        position = current.index(axis)
        if position == place:
            continue
        end = position + 1
        while end < x.rank and end - position + place < x.rank and order[place + end - position] == current[end]:
            end += 1
        lengths = [x.shape[axis] for axis in current]
        front, first, second = (prod(lengths[a:b]) for a, b in ((0, place), (place, position), (position, end)))
        x_now = layers.reshape(net, _named(x, lengths), (front, first, second, prod(lengths[end:])), part="groups")
        swapped = _swap(net, x_now)
        current = [*current[:place], *current[position:end], *current[place:position], *current[end:]]
        moved = tuple(x.shape[axis] for axis in current)
        x = Blob(layers.reshape(net, swapped, moved, part="moved").name, x.shape)
    return Blob(x.name, tuple(x.shape[axis] for axis in order))


def _named(x: Blob, lengths: Sequence[int]) -> Blob:
    return Blob(x.name, tuple(lengths))


def _swap(net: NetBuilder, x: Blob) -> Blob:
    """(F, A, B, R) -> (F, B, A, R): the B columns of pieces (F, A, 1, R) behind each other along A, or the A rows."""
    front, first, second, rest = x.shape
    if min(first, second) > MOST_PIECES or not net.profile.has("Slice", "Concat"):
        raise UnsupportedNodeError(
            f"the target {net.profile.name!r} has no Permute layer, and pieces by Slice would be too many",
            target_with("Permute"),
        )
    if second <= first:
        columns = layers.slices(net, x, [1] * second, 2, part="columns") if second > 1 else [x]
        return layers.reshape(net, join(net, columns, 1), (front, second, first, rest), part="swapped")
    rows = layers.slices(net, x, [1] * first, 1, part="rows") if first > 1 else [x]
    turned = [layers.reshape(net, row, (front, second, 1, rest), part="row") for row in rows]
    return join(net, turned, 2)
