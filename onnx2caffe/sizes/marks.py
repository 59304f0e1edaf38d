"""Nodes and constants that hold numbers found from a size, marked before lowering.

Stage one computes shapes away: what a source says about the shape of a tensor is a constant in the graph. Where such a
constant decides more than a layer shows, the node that reads it is marked, and the model then holds for its own size.
The marks are attributes of the objects, as the record of sources is: passes move nodes and rename them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

_NODE, _AXES, _CONSTANT, _LIKE = "size_reasons", "size_axes", "from_size", "cut_like"


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


def cut_like(node: gs.Node, tensor: gs.Tensor) -> None:
    """Say that `node` cuts rows and columns of its first input to as many as `tensor` has, from the first on."""
    setattr(node, _LIKE, tensor)


def like_of(node: gs.Node) -> gs.Tensor | None:
    """The tensor to whose rows and columns `node` cuts its first input; None where it does nothing of the kind."""
    tensor: gs.Tensor | None = getattr(node, _LIKE, None)
    return tensor
