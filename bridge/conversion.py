"""What a conversion gives: the Caffe model, and beside it all that the bridge remembers of how it was made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from gluon2caffe.bridge.options import ConversionOptions, Preprocessing
from gluon2caffe.onnx2caffe.caffe_pb2 import NetParameter
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer, SavedModel
from gluon2caffe.onnx2caffe.sizes import Sizes

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs

    from gluon2caffe.ssd_heads.heads import Heads

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Intermediate:
    """The normal-form graph between the two stages, and how it was made.

    Attributes:
        graph: static shapes, constants folded, weights by reference.
        options: those of the conversion.
        source: what the source is called.
        arrays: name -> array that goes beside the model, such as the priors of an SSD that ends in raw heads.
        notes: what was changed on the way in, such as weights of another precision.
        heads: the detection heads that the graph ends in; None for other nets.
        tensors: names of the source's own tensors, at which it could be cut.
        weight_bytes: what the source's weights take.
        ends: the tensors of the source that the outputs hold, where they are neither its own outputs nor those asked
            for; see `OutputsAside`.

    """

    graph: gs.Graph
    options: ConversionOptions
    source: str
    arrays: Arrays = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    heads: Heads | None = None
    tensors: frozenset[str] = frozenset()
    weight_bytes: int = 0
    ends: tuple[str, ...] | None = None


@dataclass(frozen=True, repr=False)
class Conversion:
    """A converted net.

    Attributes:
        model: what Caffe needs: layers with their weights, inputs, outputs.
        options: what it was converted with; a verifier makes the intermediate again from them.
        source: what the source is called.
        arrays: name -> array that is saved beside the two files, as PREFIX.name.npy.
        sources: name of an ONNX node -> names of the layers of the source whose work it does; a node that is not listed
            stands for itself.
        notes: what the user should know about the result, such as the approximations asked for.
        heads: the detection heads that the net ends in, for a verifier; None for other nets.
        ends: the tensors of the source that the outputs hold, where those are neither its own outputs nor those that
            the options ask for: constants are left out, and what is cast to integers ends before the cast.

    """

    model: CaffeModel
    options: ConversionOptions = field(default_factory=ConversionOptions)
    source: str = ""
    arrays: Arrays = field(default_factory=dict)
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    heads: Heads | None = None
    ends: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"<Conversion of {self.source!r}: {self.model!r}>"

    @property
    def name(self) -> str:
        """Name of the net."""
        return self.model.name

    @property
    def sizes(self) -> Sizes | None:
        """At which input sizes the model computes what its source does; None where it was read from files."""
        return self.model.sizes

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Input blob -> its shape, (N, C, H, W) for images."""
        return self.model.inputs

    @property
    def outputs(self) -> dict[str, str]:
        """Name of an output of the source -> the blob that holds it, in the order of the source."""
        return self.model.outputs

    @property
    def tensors(self) -> dict[str, str]:
        """Name of a tensor of the intermediate -> the blob that holds exactly its values and layout."""
        return self.model.tensors

    @property
    def layers(self) -> Sequence[Layer]:
        """All layers but the Input layers, each after those it reads from."""
        return self.model.layers

    @property
    def parameter_count(self) -> int:
        """Number of weights in all blobs."""
        return self.model.parameter_count

    @property
    def source_ends(self) -> Sequence[str] | None:
        """The tensors of the source that the outputs hold, in order; None for the source's own outputs."""
        return self.options.outputs if self.ends is None else self.ends

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What the net does to its input before the first layer of the source."""
        return self.options.preprocessing

    def layer(self, name: str) -> Layer:
        """Return the layer of that name; KeyError when there is none."""
        return self.model.layer(name)

    @property
    def documents(self) -> dict[str, str]:
        """Name -> text of JSON that is saved beside the two files: for raw heads, what `gluon2caffe.decode` needs."""
        return documents_of(self.heads, self.options)

    def prototxt(self) -> str:
        """Return the net as text, the way Caffe prints it."""
        return self.model.prototxt()

    def to_proto(self) -> NetParameter:
        """Return the whole net as one message, weights included (this copies them).

        Raises:
            ConversionError: the message would be larger than protobuf can serialise.

        """
        return self.model.to_proto()

    def save(self, prefix: str | PathLike[str]) -> SavedModel:
        """Write PREFIX.prototxt, PREFIX.caffemodel, the arrays as PREFIX.name.npy, and for raw heads PREFIX.heads.json.

        All of them or none.

        Files of those names are replaced.

        Raises:
            OutputError: the folder does not exist or cannot be written, or the disk is full.
            ConversionError: the weights are over protobuf's limit of 2 GB, or two layers share a name.

        """
        return self.model.save(prefix, arrays=self.arrays, documents=self.documents)

    def files(self, saved: SavedModel) -> list[Path]:
        """Every file that `save` writes beside the two of `saved`, after them."""
        return [*saved, *map(saved.array, self.arrays), *map(saved.document, self.documents)]


def documents_of(heads: Heads | None, options: ConversionOptions) -> dict[str, str]:
    """Name -> text of JSON that goes beside a net that ends at its raw predictions."""
    if heads is None or options.heads != "raw":
        return {}
    return {"heads": json.dumps(heads.document(), indent=1) + "\n"}
