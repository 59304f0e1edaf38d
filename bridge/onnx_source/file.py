"""Reading an .onnx file without its large weights: those stay in the file until they are asked for.

A file is mapped and walked through; what a large initializer holds is left out of the message that protobuf parses.
Anything unusual is left in, for protobuf to judge.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.wire import LENGTH_DELIMITED, VARINT, Field, MalformedError, fields, message_field, varint

LARGE = 1 << 14
"""Bytes from which a weight stays in the file. Shapes, axes and scales are far smaller."""

_GRAPH = onnx.ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER = onnx.GraphProto.INITIALIZER_FIELD_NUMBER
_TENSOR = onnx.TensorProto
_RAW, _FLOATS, _DATA_TYPE = _TENSOR.RAW_DATA_FIELD_NUMBER, _TENSOR.FLOAT_DATA_FIELD_NUMBER, 2
_OTHER_DATA = frozenset(
    {
        _TENSOR.INT32_DATA_FIELD_NUMBER,
        _TENSOR.STRING_DATA_FIELD_NUMBER,
        _TENSOR.INT64_DATA_FIELD_NUMBER,
        _TENSOR.DOUBLE_DATA_FIELD_NUMBER,
        _TENSOR.UINT64_DATA_FIELD_NUMBER,
        _TENSOR.EXTERNAL_DATA_FIELD_NUMBER,
        _TENSOR.DATA_LOCATION_FIELD_NUMBER,
        _TENSOR.SEGMENT_FIELD_NUMBER,
    }
)

_FOREIGN_HEADS = {
    b"PK\x03\x04": "a zip archive (a PyTorch or Keras checkpoint, perhaps): export the model to ONNX first",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"\x89HDF": "an HDF5 file (a Keras model, perhaps): export the model to ONNX first",
    b"version https://git-lfs": "a pointer to a file in Git LFS: fetch the file itself with git lfs pull",
}


@dataclass(frozen=True)
class Extent:
    """Where bytes lie: `length` of them in the file `path`, from `offset` on."""

    path: Path
    offset: int
    length: int


@dataclass
class ModelFile:
    """A model, and for initializers without data (by their place in the graph) where their little-endian data lie."""

    model: onnx.ModelProto
    extents: dict[int, Extent] = field(default_factory=dict)


def read_file(path: Path) -> ModelFile:
    """Read an .onnx file.

    Raises:
        SourceError: there is no such file, it cannot be read, is damaged or no ONNX.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder, not an .onnx file.")
    if not path.is_file():
        raise SourceError(f"There is no file {path}.")
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise SourceError(f"{path} is empty.")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as content:
                _refuse_foreign(path, bytes(content[:512]))
                return _parse(path, content)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error


def _refuse_foreign(path: Path, head: bytes) -> None:
    for start, kind in _FOREIGN_HEADS.items():
        if head.startswith(start):
            raise SourceError(f"{path} is not an ONNX model but {kind}.")
    # Every ONNX model starts with a small number, its IR version, or a field's key: bytes that no text begins with.
    if all(byte in b"\t\n\r" or byte >= 32 for byte in head):
        try:
            head[:-3].decode("utf-8")
        except UnicodeDecodeError:
            return
        raise SourceError(f"{path} is not an ONNX model but text.")


def _parse(path: Path, content: memoryview) -> ModelFile:
    read = ModelFile(onnx.ModelProto())
    try:
        pieces = []
        for part in fields(content, 0, len(content)):
            if part.number == _GRAPH and part.wire_type == LENGTH_DELIMITED:
                pieces.append(message_field(_GRAPH, _light_graph(path, content, part, read.extents)))
            else:
                pieces.append(bytes(content[part.start : part.end]))
        read.model.ParseFromString(b"".join(pieces))
    except (MalformedError, DecodeError) as error:
        why = str(error) if isinstance(error, MalformedError) else "its content is not what ONNX writes"
        raise SourceError(f"{path} is not an ONNX model, or is damaged or cut off: {why}.") from error
    if not read.model.graph.node:
        raise SourceError(f"{path} is not an ONNX model with a graph: it may be empty, cut off or of another kind.")
    return read


def _light_graph(path: Path, content: memoryview, graph: Field, extents: dict[int, Extent]) -> bytes:
    pieces, index = [], 0
    for part in fields(content, graph.value, graph.end):
        kept = b""
        if part.number == _INITIALIZER and part.wire_type == LENGTH_DELIMITED:
            data = _large_data(content, part) if part.end - part.value >= LARGE else None
            if data is not None:
                extents[index] = Extent(path, data.value, data.end - data.value)
                around = bytes(content[part.value : data.start]) + bytes(content[data.end : part.end])
                kept = message_field(_INITIALIZER, around)
            index += 1
        pieces.append(kept or bytes(content[part.start : part.end]))
    return b"".join(pieces)


def _large_data(content: memoryview, tensor: Field) -> Field | None:
    """The field that holds all of the tensor's data as a plain buffer; None where there is no such field."""
    found: list[Field] = []
    data_type = 0
    for part in fields(content, tensor.value, tensor.end):
        if part.number in _OTHER_DATA:
            return None
        if part.number == _DATA_TYPE and part.wire_type == VARINT:
            data_type, _ = varint(content, part.value, part.end)
        if part.number in (_RAW, _FLOATS):
            found.append(part)
    if len(found) != 1 or found[0].wire_type != LENGTH_DELIMITED or found[0].end - found[0].value < LARGE:
        return None
    # Packed floats are written as a plain buffer too, but only those of type float stand for themselves.
    return found[0] if found[0].number == _RAW or data_type == _TENSOR.FLOAT else None
