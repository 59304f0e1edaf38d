"""Adds Caffe layers one by one and keeps the shape of every blob."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gluon2caffe.onnx2caffe import caffe_pb2, growth
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.model import Layer
from gluon2caffe.onnx2caffe.names import Names
from gluon2caffe.onnx2caffe.shapes import Shape as Shape
from gluon2caffe.onnx2caffe.shapes import top_shapes
from gluon2caffe.onnx2caffe.sizes.record import SizeRecord
from gluon2caffe.onnx2caffe.targets import Profile
from gluon2caffe.onnx2caffe.targets.check import require_accepted


@dataclass(frozen=True)
class Blob:
    """A Caffe blob: its name and its static shape."""

    name: str
    shape: Shape

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)


@dataclass(frozen=True)
class LoweringOptions:
    """What the user may choose about the Caffe layers.

    `relu6` is "exact" (ReLU and Power layers, on every reader), "layer" (a `ReLU6` layer, where the target
    has one) or "relu" (an approximation, reported in the model's notes). `merge_bn` False keeps
    BatchNormalization as `BatchNorm` + `Scale` layers. `sizes` is "free" (what costs nothing), "any" (layers that
    follow every input size, at a cost) or "fixed" (layers that fail at another size).
    """

    relu6: str = "exact"
    merge_bn: bool = True
    sizes: str = "free"


@dataclass
class NetBuilder:
    """The layers made so far, and the inputs of the net.

    While a node is lowered, `scope` is its name: every layer made is called `scope/part`, and the layer that
    makes the node's output is renamed to the output tensor by `finish`. `sizes` keeps the lengths that
    lowerings rely on.
    """

    profile: Profile
    options: LoweringOptions = field(default_factory=LoweringOptions)
    layers: list[Layer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    inputs: list[Blob] = field(default_factory=list)
    scope: str = ""
    origin: tuple[str, ...] = ()
    sizes: SizeRecord = field(default_factory=SizeRecord)
    _names: Names = field(default_factory=Names)
    _first_of_scope: int = 0
    _weights: growth.Total = field(default_factory=growth.Total)

    def begin(self, scope: str, origin: tuple[str, ...] = ()) -> None:
        """Start the layers of one ONNX node, or of the nodes `origin`, which are computed together."""
        self.scope = self.sizes.scope = scope
        self.origin = origin or (scope,)
        self._first_of_scope = len(self.layers)

    def reserve(self, name: str) -> None:
        """Keep `name` for a blob or layer to come."""
        self._names.reserve(name)

    def add(
        self,
        kind: str,
        bottoms: Sequence[Blob],
        tops: Sequence[Shape] | None = None,
        *,
        part: str = "",
        blobs: Sequence[np.ndarray[Any, Any]] = (),
        **params: Any,
    ) -> list[Blob]:
        """Append a layer of type `kind`; `params` are its `*_param` messages.

        `tops` are the shapes it makes; they follow from the layer itself where they are not given.

        Raises:
            UnsupportedNodeError: the target does not accept such a layer, or the node has become too many.
            ConversionError: the weights so far would not fit into a .caffemodel.

        """
        growth.require_layers(len(self.layers) + 1 - self._first_of_scope)
        excess = self._weights.excess(sum(blob.nbytes for blob in blobs))
        if excess:
            raise ConversionError(
                f"The weights up to {self.scope!r} take {excess}. Try: cut the net before it with outputs=[...]"
            )
        shapes = [bottom.shape for bottom in bottoms]
        if tops is None:
            tops = top_shapes(caffe_pb2.LayerParameter(type=kind, **params), shapes)
        name = self.fresh(f"{self.scope}/{part or kind.lower()}")
        names = [name] if len(tops) == 1 else [self.fresh(f"{name}/{i}") for i in range(len(tops))]
        message = caffe_pb2.LayerParameter(
            name=name, type=kind, bottom=[bottom.name for bottom in bottoms], top=names, **params
        )
        require_accepted(self.profile, message, shapes, tops)
        self.layers.append(Layer(message, list(blobs), self.origin))
        return [Blob(top, tuple(shape)) for top, shape in zip(names, tops, strict=True)]

    def one(self, kind: str, bottoms: Sequence[Blob], top: Shape | None = None, **kwargs: Any) -> Blob:
        """`add` for a layer with a single top."""
        return self.add(kind, bottoms, None if top is None else [top], **kwargs)[0]

    def finish(self, made: Blob, tensor: str) -> Blob:
        """Give the blob `made` by the current node the name of its ONNX tensor, if this node made it."""
        if not any(made.name in layer.message.top for layer in self.layers[self._first_of_scope :]):
            return made
        self.rename(made.name, tensor, first=self._first_of_scope)
        return Blob(tensor, made.shape)

    def rename(self, old: str, new: str, *, first: int = 0) -> None:
        """Call a blob `new`, and the layer too whose only top it is; `first` is the first layer that may know it."""
        self.sizes.rename(old, new)
        for layer in self.layers[first:]:
            message = layer.message
            if list(message.top) == [old]:
                message.name = new
            _replace(message.top, old, new)
            _replace(message.bottom, old, new)

    def fresh(self, wanted: str) -> str:
        """`wanted`, or with a number behind it where that is the name of a blob or layer already; it is kept."""
        return self._names.new(wanted)


def _replace(names: Any, old: str, new: str) -> None:
    for position, name in enumerate(names):
        if name == old:
            names[position] = new
