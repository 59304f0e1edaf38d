"""How much a conversion may make out of little, in one place.

A few bytes can ask for gigabytes: a CumSum over 10,000 values is a matrix of 400 MB. Whatever expands asks here first,
and what is too much is refused before it is made, with what it would take and what it may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from gluon2caffe.onnx2caffe.unsupported import UnsupportedNodeError

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]

MOST_NODES = 1 << 16
"""Nodes, or layers, that may be made out of one node."""

MOST_BYTES = 1 << 28
"""Bytes of numbers that may be made out of one node."""

MOST_COPIED = 1 << 30
"""Bytes of a node's own weights that may be repeated, as for the steps of a recurrent node."""

MOST_IN_ALL = (1 << 31) - 1
"""Bytes that may be made in one conversion: what a .caffemodel holds."""

NOTED_TIMES = 2
"""A model whose weights are more than so many times those of its source says so..."""

NOTED_BYTES = 1_000_000
"""...unless there are fewer than so many bytes of them."""


def excess_of_nodes(count: int) -> str:
    """Why so many nodes may not be made out of one; empty where they may."""
    return "" if count <= MOST_NODES else f"{count:,} nodes; {MOST_NODES:,} are the most that one node may become"


def excess_of_bytes(count: int) -> str:
    """Why so many bytes may not be made out of one node; empty where they may."""
    return "" if count <= MOST_BYTES else f"{count:,} bytes; {MOST_BYTES:,} are the most that one node may make"


def excess_of_copies(count: int) -> str:
    """Why a node's weights may not be repeated to so many bytes; empty where they may."""
    return "" if count <= MOST_COPIED else f"{count:,} bytes; {MOST_COPIED:,} are the most that copies may take"


@dataclass
class Total:
    """The bytes that a conversion has made so far."""

    made: int = 0

    def excess(self, count: int) -> str:
        """Count so many more, and say why they may not be made; empty where they may."""
        self.made += count
        return "" if self.made <= MOST_IN_ALL else f"{self.made:,} bytes in all; a .caffemodel holds {MOST_IN_ALL:,}"


def require_layers(count: int) -> None:
    """Refuse a node that would become more layers than it may.

    Raises:
        UnsupportedNodeError: it would; both numbers are named.

    """
    excess = excess_of_nodes(count)
    if excess:
        raise UnsupportedNodeError(f"it would become {excess}")


def require_numbers(*lengths: int, width: int = 4) -> None:
    """Refuse an array of these lengths, each number of `width` bytes, where it would be too large.

    Raises:
        UnsupportedNodeError: it would; both numbers are named.

    """
    excess = excess_of_bytes(width * prod(lengths))
    if excess:
        shape = "×".join(f"{length:,}" for length in lengths)
        raise UnsupportedNodeError(f"it would need {shape} numbers, {excess}")


def full(shape: Sequence[int], value: float) -> Floats:
    """`value` everywhere; like the other makers here, refused by `require_numbers`."""
    require_numbers(*shape)
    return np.full(tuple(shape), value, np.float32)


def ones(*shape: int) -> Floats:
    """Ones."""
    return full(shape, 1.0)


def zeros(*shape: int) -> Floats:
    """Zeros."""
    return full(shape, 0.0)


def eye(size: int) -> Floats:
    """Ones on the diagonal of a square matrix."""
    require_numbers(size, size)
    return np.eye(size, dtype=np.float32)


def tiled(array: Floats, times: int) -> Floats:
    """`array` repeated along its first axis."""
    require_numbers(times, *array.shape)
    return np.tile(array, (times, *[1] * (array.ndim - 1)))


def padded(array: Floats, widths: Sequence[tuple[int, int]]) -> Floats:
    """`array` with zeros around it."""
    require_numbers(*(length + sum(width) for length, width in zip(array.shape, widths, strict=True)))
    return np.pad(array, widths)


def positions(*shape: int) -> npt.NDArray[np.int64]:
    """0, 1, 2, ... in this shape."""
    require_numbers(*shape, width=8)
    return np.arange(prod(shape)).reshape(shape)
