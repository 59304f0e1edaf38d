"""Nodes and constants that hold numbers found from a size, marked before lowering.

Stage one computes shapes away: what a source says about the shape of a tensor is a constant in the graph. Where such a
constant decides more than a layer shows, the node that reads it is marked, and the model then holds for its own size.
The marks are attributes of the objects, as the record of sources is: passes move nodes and rename them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

_NODE, _AXES, _CONSTANT, _LIKE = "size_reasons", "size_axes", "from_size", "cut_like"
_LENGTHS = "lengths_of"
_numbers = count(1)


def bind(node: gs.Node, why: str) -> None:
    """Say that what `node` computes depends on the size of the net's inputs beyond what its layers show."""
    setattr(node, _NODE, tuple(dict.fromkeys((*bound_by(node), why))))


def bound_by(node: gs.Node) -> tuple[str, ...]:
    """Why `node` depends on the size of the inputs; empty where it does not."""
    reasons: tuple[str, ...] = getattr(node, _NODE, ())
    return reasons


def hand_on(node: gs.Node, other: gs.Node) -> None:
    """Let `other`, which does the work of `node` from now on, depend on what `node` does."""
    for reason in bound_by(node):
        bind(other, reason)
    for axes, reason in bound_axes_of(node):
        if node.op == other.op:
            bind_axes(other, axes, reason)
        else:
            bind(other, reason)


def bind_axes(node: gs.Node, axes: Iterable[int], why: str) -> None:
    """Say that what `node` computes depends on the lengths of these axes of its first input."""
    setattr(node, _AXES, (*bound_axes_of(node), (tuple(axes), why)))


def bound_axes_of(node: gs.Node) -> tuple[tuple[tuple[int, ...], str], ...]:
    """Axes of the first input of `node` that it depends on, and why."""
    bound: tuple[tuple[tuple[int, ...], str], ...] = getattr(node, _AXES, ())
    return bound


def mark_constant(tensor: gs.Tensor, places: npt.ArrayLike = True) -> None:
    """Say which values of a constant come from the shape of a computed tensor: a mask that broadcasts to it."""
    setattr(tensor, _CONSTANT, np.asarray(places, bool))


def from_size(tensor: gs.Tensor) -> npt.NDArray[np.bool_] | None:
    """Which values of a constant come from the shape of a computed tensor, in its shape; None where none do."""
    places: Any = getattr(tensor, _CONSTANT, None)
    if places is None or not isinstance(tensor, gs.Constant) or not places.any():
        return None
    return np.broadcast_to(places, tensor.values.shape)


@dataclass(frozen=True)
class Lengths:
    """Which values of a constant are the length of an axis of a computed tensor, unchanged.

    Attributes:
        places: of the constant's shape: the number of a length, or 0.
        known: number -> the tensor and the axis.
    """

    places: npt.NDArray[np.int64]
    known: dict[int, tuple[gs.Tensor, int]]

    def of(self, place: int) -> tuple[gs.Tensor, int] | None:
        """The tensor and the axis whose length stands at a place of the flattened constant; None where none does."""
        return self.known.get(int(self.places.reshape(-1)[place]))


def new_lengths(tensor: gs.Tensor, axes: Iterable[int]) -> Lengths:
    """The lengths of these axes of a tensor, as a constant that lists them."""
    known = {next(_numbers): (tensor, axis) for axis in axes}
    return Lengths(np.array(list(known), np.int64), known)


def mark_lengths(constant: gs.Tensor, lengths: Lengths) -> None:
    """Say which values of a constant are lengths of computed tensors."""
    setattr(constant, _LENGTHS, lengths)


def lengths_in(constant: gs.Tensor) -> Lengths | None:
    """Which values of a constant are lengths of computed tensors; None where none is known to be."""
    lengths: Lengths | None = getattr(constant, _LENGTHS, None)
    return lengths


def cut_like(node: gs.Node, tensor: gs.Tensor) -> None:
    """Say that `node` cuts or resizes rows and columns of its first input to as many as `tensor` has."""
    setattr(node, _LIKE, tensor)


def like_of(node: gs.Node) -> gs.Tensor | None:
    """The tensor to whose rows and columns `node` cuts or resizes its first input; None where it does neither."""
    tensor: gs.Tensor | None = getattr(node, _LIKE, None)
    return tensor
