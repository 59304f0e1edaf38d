"""The form of a target profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gluon2caffe.onnx2caffe.targets.quirks import Fault, Quirk

# BVLC Caffe, include/caffe/blob.hpp.
MOST_AXES = 32


@dataclass(frozen=True)
class Limits:
    """What a reader cannot do with layers that it has. The defaults are what Caffe itself can.

    `axes` is the largest rank of a blob, batch included. `batch_axis`: whether Reshape, Permute, Slice and Concat may
    work on the batch axis. `inner_product_axes`: whether InnerProduct takes an axis other than 1. `scale_axes`:
    whether Scale takes weights that are not one value per channel; `scale_bottoms`: whether its factor can be a second
    bottom, or only one of shape (N, C); `scale_ranks` are the ranks that it takes, None for all. `eltwise_bottoms` is
    how many bottoms Eltwise takes. `permute_ranks` are the ranks that Permute takes, None for all. `equal_dilation`:
    whether a dilation is one number for both axes. `kernel` and `stride` are the largest of a window.
    """

    axes: int = MOST_AXES
    batch_axis: bool = True
    inner_product_axes: bool = True
    scale_axes: bool = True
    scale_bottoms: Literal["any", "channels", "none"] = "any"
    scale_ranks: frozenset[int] | None = None
    eltwise_bottoms: int = 1000
    permute_ranks: frozenset[int] | None = None
    equal_dilation: bool = False
    kernel: int = 1 << 30
    stride: int = 1 << 30


@dataclass(frozen=True)
class Profile:
    """A Caffe reader: the layer types and fields it accepts, and where that was found.

    `layers` are Caffe layer type names; `without` are the fields of a layer's parameter message that it does not
    accept, by layer type; `sources` say where each group of entries comes from. `quirks` are the faults of the readers
    that the files are meant for. `measured` is false where no reader was at hand and all rests on `sources`. `beyond`
    are layer types that the reader itself has, but others that its files are meant for lack: they are written only
    where no other layers compute the same, and noted. `multiplies_bottoms`: whether InnerProduct with two bottoms is
    the product of two computed matrices.
    """

    name: str
    title: str
    layers: frozenset[str]
    sources: tuple[str, ...]
    without: Mapping[str, frozenset[str]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    quirks: tuple[Quirk, ...] = ()
    measured: bool = True
    beyond: frozenset[str] = frozenset()
    multiplies_bottoms: bool = False

    def has(self, *kinds: str) -> bool:
        """Whether the reader has all these layer types."""
        return self.layers.issuperset(kinds)

    def takes(self, *kinds: str) -> bool:
        """Whether the reader itself has all these layer types, even if others that its files are meant for do not."""
        return (self.layers | self.beyond).issuperset(kinds)

    def accepts(self, kind: str, name: str) -> bool:
        """Whether the reader accepts the field `name` in the parameters of a layer of type `kind`."""
        return name not in self.without.get(kind, frozenset())

    def has_quirk(self, *faults: Fault) -> bool:
        """Whether a reader that the files are meant for has one of these faults."""
        return any(quirk.fault in faults for quirk in self.quirks)
