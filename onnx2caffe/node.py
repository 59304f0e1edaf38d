"""A typed view of one ONNX node, as a lowering reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, TypeVar, cast

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.builder import Blob, Shape
from gluon2caffe.onnx2caffe.unsupported import UnsupportedNodeError

Array = np.ndarray[Any, np.dtype[Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class Node:
    """An ONNX node with the Caffe blobs of the tensors it reads.

    `blobs` maps ONNX tensor names to Caffe blobs; `ends` are the names of the graph's outputs.
    `cut_like` names the tensor to whose rows and columns the node cuts its first input, if it does.
    """

    raw: gs.Node
    blobs: Mapping[str, Blob]
    ends: frozenset[str] = frozenset()
    cut_like: str = ""

    @property
    def name(self) -> str:
        """The node's name."""
        return cast(str, self.raw.name)

    def attr(self, name: str, default: T) -> T:
        """The attribute `name`, or the operator's default, which stands at the call."""
        return cast(T, self.raw.attrs.get(name, default))

    def has_attr(self, name: str) -> bool:
        """Whether the attribute is written."""
        return name in self.raw.attrs

    @property
    def input_count(self) -> int:
        """Number of inputs, without trailing absent ones."""
        count = len(self.raw.inputs)
        while count and self._absent(count - 1):
            count -= 1
        return count

    def _absent(self, index: int) -> bool:
        return index >= len(self.raw.inputs) or not self.raw.inputs[index].name

    def blob(self, index: int = 0) -> Blob:
        """The computed input `index`; UnsupportedNodeError where it is a constant."""
        tensor = self.raw.inputs[index]
        if isinstance(tensor, gs.Constant):
            raise UnsupportedNodeError(f"its input {index} ({tensor.name}) is a constant, not a computed tensor")
        return self.blobs[tensor.name]

    def is_constant(self, index: int) -> bool:
        """Whether input `index` is a constant."""
        return not self._absent(index) and isinstance(self.raw.inputs[index], gs.Constant)

    def constant(self, index: int) -> Array:
        """The values of the constant input `index`; UnsupportedNodeError where it is computed at run time."""
        tensor = self.raw.inputs[index]
        if not isinstance(tensor, gs.Constant):
            raise UnsupportedNodeError(
                f"its input {index} ({tensor.name}) is computed at run time; Caffe needs a constant there"
            )
        return cast(Array, tensor.values)

    def optional_constant(self, index: int) -> Array | None:
        """Like `constant`; None where the input is absent."""
        return None if self._absent(index) else self.constant(index)

    def shape(self, index: int = 0) -> Shape:
        """The static shape of output `index`."""
        return tuple(self.raw.outputs[index].shape)

    def is_read(self, index: int) -> bool:
        """Whether output `index` is there, and read by a node or given by the graph."""
        if index >= len(self.raw.outputs):
            return False
        tensor = self.raw.outputs[index]
        return bool(tensor.outputs) or tensor.name in self.ends

    @property
    def output_count(self) -> int:
        """Number of outputs."""
        return len(self.raw.outputs)


def is_static(tensor: gs.Tensor) -> bool:
    """Whether the length of every axis of an ONNX tensor is known."""
    return is_static_shape(tensor.shape)


def is_static_shape(shape: Sequence[Any] | None) -> TypeGuard[Sequence[int]]:
    """Whether every length of a shape is known: none is a name, and the shape itself is there."""
    return shape is not None and all(isinstance(length, (int, np.integer)) for length in shape)


def axis_of(value: int, rank: int) -> int:
    """`value` counted from the front."""
    if not -rank <= value < rank:
        raise UnsupportedNodeError(f"axis {value} is outside a tensor of {rank} axes")
    return value % rank


__all__ = ["Array", "Node", "UnsupportedNodeError", "axis_of", "is_static", "is_static_shape"]
