"""A Caffe model in memory: layers as messages, their weights as numpy arrays held by reference."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from google.protobuf import text_format

from gluon2caffe.onnx2caffe import write
from gluon2caffe.onnx2caffe.atomic import atomic_files, check_targets
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter, NetParameter
from gluon2caffe.onnx2caffe.errors import ConversionError, OutputError
from gluon2caffe.onnx2caffe.sizes import ShapeProgram, Sizes

_NO_FILE_NAME = re.compile(r"[^\w.-]")


class SavedModel(NamedTuple):
    """The two files of a saved model."""

    prototxt: Path
    caffemodel: Path

    @classmethod
    def at(cls, prefix: str | PathLike[str]) -> SavedModel:
        """Return PREFIX.prototxt and PREFIX.caffemodel; dots in the prefix are kept and ``~`` is expanded.

        Raises:
            OutputError: the prefix ends in a folder, so that the files would have no name.

        """
        text = os.fspath(prefix)
        folder, name = os.path.split(text)
        if name in ("", ".", ".."):
            raise OutputError(f"the output prefix {text!r} has no file name: add one, as in {Path(text) / 'net'}")
        try:
            path = Path(folder).expanduser()
        except RuntimeError as error:
            raise OutputError(f"the output prefix {text!r} cannot be used: {error}") from error
        return cls(path / f"{name}.prototxt", path / f"{name}.caffemodel")

    def document(self, name: str) -> Path:
        """Return PREFIX.name.json, which holds the document `name` of a model beside its two files."""
        return self.prototxt.with_suffix(f".{name}.json")

    def array(self, name: str) -> Path:
        """Return PREFIX.name.npy, which holds the array `name` of a model beside its two files."""
        return self.prototxt.with_suffix(f".{_NO_FILE_NAME.sub('_', name)}.npy")


@dataclass(repr=False)
class Layer:
    """One Caffe layer.

    Attributes:
        message: name, type, bottom, top and ``<x>_param``; never any blobs.
        blobs: the weights, float32, in the order and the shapes Caffe has for this type of layer.
        origin: names of the ONNX nodes whose work the layer does.

    """

    message: LayerParameter
    blobs: list[npt.NDArray[np.float32]] = field(default_factory=list)
    origin: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shapes = ", ".join(str(tuple(blob.shape)) for blob in self.blobs)
        return f"<{self.message.type} {self.message.name!r}{': ' if shapes else ''}{shapes}>"


@dataclass(repr=False)
class CaffeModel:
    """A whole net.

    Attributes:
        name: name of the net.
        inputs: input blob -> its shape, (N, C, H, W) for images. The Input layers are written from this.
        layers: all layers but the Input layers, each after those it reads from.
        outputs: name of an output of the source -> the blob that holds it, in the order of the source.
        tensors: name of an ONNX tensor -> the blob that holds exactly its values and layout.
        notes: what the user should know about the layers, such as the approximations asked for.
        shape_program: what the net makes of the shapes of its inputs; None for a model that was read from files.

    """

    name: str
    inputs: dict[str, tuple[int, ...]]
    layers: list[Layer]
    outputs: dict[str, str] = field(default_factory=dict)
    tensors: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    shape_program: ShapeProgram | None = None

    def __repr__(self) -> str:
        inputs = ", ".join(f"{name} {shape}" for name, shape in self.inputs.items())
        return (
            f"<CaffeModel {self.name!r}: {inputs} -> {', '.join(self.outputs.values())}; "
            f"{len(self.layers)} layers, {self.parameter_count:,} parameters>"
        )

    @cached_property
    def sizes(self) -> Sizes | None:
        """At which input sizes the model computes what its source computes; None for one that was read from files."""
        return None if self.shape_program is None else Sizes(self.shape_program, self.inputs)

    @property
    def parameter_count(self) -> int:
        """Number of weights in all blobs."""
        return sum(blob.size for layer in self.layers for blob in layer.blobs)

    def layer(self, name: str) -> Layer:
        """Return the layer of that name; KeyError when there is none."""
        for layer in self.layers:
            if layer.message.name == name:
                return layer
        raise KeyError(name)

    def all_layers(self) -> Iterator[Layer]:
        """Every layer as it stands in the files: one Input layer per input, then the others."""
        for name, shape in self.inputs.items():
            message = LayerParameter(name=name, type="Input", top=[name])
            message.input_param.shape.add(dim=shape)
            yield Layer(message)
        yield from self.layers

    def prototxt(self) -> str:
        """Return the net as text, the way Caffe prints it: defaults left out, two spaces per level.

        Float fields have the fewest digits that read back as the same float32; characters outside ASCII in names
        are escaped, since not every reader decodes UTF-8.
        """
        net = NetParameter(name=self.name, layer=[layer.message for layer in self.all_layers()])
        return text_format.MessageToString(net, as_utf8=False)

    def to_proto(self) -> NetParameter:
        """Return the whole net as one message, weights included (this copies them).

        Raises:
            ConversionError: the message would be larger than protobuf can serialise.

        """
        write.caffemodel_size(self.name, self._named_blobs())
        net = NetParameter(name=self.name)
        for layer in self.all_layers():
            message = net.layer.add()
            message.CopyFrom(layer.message)
            message.MergeFromString(b"".join(write.blob_chunks(layer.message, layer.blobs)))
        return net

    def save(
        self,
        prefix: str | PathLike[str],
        *,
        arrays: Mapping[str, npt.NDArray[np.float32]] | None = None,
        documents: Mapping[str, str] | None = None,
    ) -> SavedModel:
        """Write PREFIX.prototxt and PREFIX.caffemodel, both or neither; files of those names are replaced.

        Args:
            prefix: the path of the files without their endings.
            arrays: name -> array to write with them, as PREFIX.name.npy.
            documents: name -> text of JSON to write with them, as PREFIX.name.json.

        Raises:
            OutputError: the folder does not exist or cannot be written, or the disk is full.
            ConversionError: the weights are over protobuf's limit of 2 GB, or two layers share a name.

        """
        saved = SavedModel.at(prefix)
        arrays, documents = arrays or {}, documents or {}
        beside = [*map(saved.array, arrays), *map(saved.document, documents)]
        check_targets(*saved, *beside)
        layers = self._named_blobs()
        _check_names(layers)
        size = write.caffemodel_size(self.name, layers)
        text = f"{self._head()}{self.prototxt()}".encode("ascii")
        # The text goes into place last: a program ended by force between the two renames then leaves weights that no
        # reader opens by themselves, never a new net that readers would run with its weights missing.
        with atomic_files(*beside, saved.caffemodel, saved.prototxt, size=size + len(text)) as (*extra, weights, net):
            for file, array in zip(extra, arrays.values(), strict=False):
                np.save(file, array)
            for file, document in zip(extra[len(arrays) :], documents.values(), strict=True):
                file.write(document.encode())
            write.write_caffemodel(weights, self.name, layers)
            net.write(text)
        return saved

    def _head(self) -> str:
        """The comment that the text begins with: at which input sizes the files are exact."""
        return "" if self.sizes is None else f"# Exact at: {self.sizes.ascii_words}.\n"

    def _named_blobs(self) -> list[write.NamedBlobs]:
        return [(layer.message, layer.blobs) for layer in self.all_layers()]


def _check_names(layers: list[write.NamedBlobs]) -> None:
    """Refuse two layers of one name: readers match weights by name, so one would get the other's."""
    seen: set[str] = set()
    for message, _ in layers:
        if message.name in seen:
            raise ConversionError(f"two layers are called {message.name!r}; Caffe finds weights by layer name")
        seen.add(message.name)
