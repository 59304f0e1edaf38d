"""Reads a saved pair back, the weights as views into the memory-mapped ``.caffemodel``."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError

from gluon2caffe.onnx2caffe import wire
from gluon2caffe.onnx2caffe.caffe_pb2 import BlobProto, BlobShape, LayerParameter, NetParameter
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer
from gluon2caffe.onnx2caffe.prototxt import outline, read_net
from gluon2caffe.onnx2caffe.wire import MalformedError

FloatArray: TypeAlias = npt.NDArray[np.float32]

_OLD_LAYERS = 2  # NetParameter.layers, of before Caffe's LayerParameter had type names
_DATA, _SHAPE = BlobProto.DATA_FIELD_NUMBER, BlobProto.SHAPE_FIELD_NUMBER
_OLD_SHAPE = (1, 2, 3, 4)  # BlobProto.num, .channels, .height, .width

# Without weights, Caffe would run these on what their fillers give, and say nothing.
_ALWAYS_WEIGHTED = frozenset(
    ("BatchNorm", "Convolution", "Deconvolution", "InnerProduct", "Normalize", "PReLU", "Parameter")
)
_WEIGHTED_WITH_ONE_BOTTOM = frozenset(("Bias", "Scale"))


class _OldFormatError(Exception):
    """A net of before Caffe's layers had type names."""


def read_model(prototxt: str | PathLike[str], caffemodel: str | PathLike[str]) -> CaffeModel:
    """Read a net from its two files, matching weights to layers by name, as Caffe does.

    The blobs are read-only float32 views into the file, which stays mapped while any of them lives; a number that was
    saved in the old four-axis form comes back with the shape (1, 1, 1, 1). The model's outputs are the blobs that no
    layer reads, under their own names; what the files do not hold (tensors, notes, origins) is empty.

    Raises:
        SourceError: a file cannot be read, is damaged or incomplete, or the two do not belong together.

    """
    net = read_net(Path(prototxt), ignore_unknown_fields=False)
    weights = read_weights(Path(caffemodel))
    _check_names(net, weights, caffemodel)
    return _joined(net, weights)


def model_of(text_net: NetParameter, binary_net: NetParameter) -> CaffeModel:
    """Join a net without weights and the same net with weights, as `read_model` does with their files."""
    return _joined(text_net, _weights_in(memoryview(binary_net.SerializeToString())))


def _joined(net: NetParameter, weights: dict[str, list[FloatArray]]) -> CaffeModel:
    layers = []
    for message in net.layer:
        if message.type == "Input":
            continue
        own = LayerParameter()
        own.CopyFrom(message)
        own.ClearField("blobs")
        layers.append(Layer(own, weights.get(message.name, [])))
    found = outline(net)
    return CaffeModel(net.name, dict(found.inputs), layers, outputs={blob: blob for blob in found.outputs})


def read_weights(path: Path) -> dict[str, list[FloatArray]]:
    """Return layer name -> its blobs, for the layers that have any, as views into the file, like `read_model`.

    Raises:
        SourceError: the file cannot be read, or is damaged.

    """
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:  # an empty file cannot be mapped
                raise SourceError(f"{path} is empty")
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    try:
        return _weights_in(content)
    except _OldFormatError:
        text = f"{path} is in Caffe's old format: convert it with Caffe's upgrade_net_proto_binary"
        raise SourceError(text) from None
    except (MalformedError, DecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} is not a complete .caffemodel: {error}") from error


def _weights_in(content: memoryview) -> dict[str, list[FloatArray]]:
    weights = {}
    for number, value in _fields(content):
        if number == _OLD_LAYERS:
            raise _OldFormatError
        if number == NetParameter.LAYER_FIELD_NUMBER:
            name, blobs = _layer(_message(value))
            if blobs:
                weights[name] = blobs
    return weights


def _layer(content: memoryview) -> tuple[str, list[FloatArray]]:
    name, blobs = "", []
    for number, value in _fields(content):
        if number == LayerParameter.NAME_FIELD_NUMBER:
            name = str(_message(value), "utf-8")
        elif number == LayerParameter.BLOBS_FIELD_NUMBER:
            blobs.append(_message(value))
    return name, [_blob(blob, f"blob {index} of layer {name!r}") for index, blob in enumerate(blobs)]


def _blob(content: memoryview, title: str) -> FloatArray:
    fields = list(_fields(content))
    shape = _shape(fields)
    floats = [value for number, value in fields if number == _DATA]
    if len(floats) == 1 and isinstance(floats[0], memoryview) and len(floats[0]) % 4 == 0:
        data: FloatArray = np.frombuffer(floats[0], dtype="<f4")
    else:  # none, numbers one by one, in several runs, or doubles: all legal, and none of them a plain buffer
        message = BlobProto.FromString(bytes(content))
        data = np.array(message.data or message.double_data, dtype=np.float32)
    if shape is None:
        return data
    if min(shape, default=1) < 0 or math.prod(shape) != data.size:
        raise MalformedError(f"{title} has the shape {shape} but holds {data.size:,} numbers")
    return data.reshape(shape)


def _shape(fields: list[tuple[int, int | memoryview]]) -> tuple[int, ...] | None:
    """Return the shape in a BlobProto, None when it has none."""
    for number, value in fields:
        if number == _SHAPE:
            return tuple(BlobShape.FromString(bytes(_message(value))).dim)
    old = {number: value for number, value in fields if number in _OLD_SHAPE and isinstance(value, int)}
    return tuple(old.get(number, 0) for number in _OLD_SHAPE) if old else None


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise MalformedError("a number where a message should be")
    return value


def _fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield the number and the value of each field of a message: an int for a varint, else its bytes, uncopied."""
    for field in wire.fields(content, 0, len(content)):
        if field.wire_type == wire.VARINT:
            yield field.number, wire.varint(content, field.value, field.end)[0]
        else:
            yield field.number, content[field.value : field.end]


def _check_names(net: NetParameter, weights: dict[str, list[FloatArray]], caffemodel: str | PathLike[str]) -> None:
    names = {layer.name for layer in net.layer}
    bare = [layer.name for layer in net.layer if _needs_weights(layer) and layer.name not in weights]
    if bare:
        raise SourceError(f"{caffemodel} has no weights for {_listed(bare)}")
    unknown = [name for name in weights if name not in names]
    if unknown:
        raise SourceError(f"{caffemodel} has weights for {_listed(unknown)}, which the .prototxt does not name")


def _needs_weights(layer: LayerParameter) -> bool:
    return layer.type in _ALWAYS_WEIGHTED or (layer.type in _WEIGHTED_WITH_ONE_BOTTOM and len(layer.bottom) == 1)


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return f"layer {shown}" if len(names) == 1 else f"{len(names)} layers ({shown}{', ...' if len(names) > 3 else ''})"
