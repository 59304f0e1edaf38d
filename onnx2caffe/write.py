"""Streams a ``.caffemodel`` from numpy buffers: protobuf's wire format around weights that are never copied.

Only the name, type, bottom, top and blobs of a layer are written. Field numbers of layer parameters differ between
forks of Caffe; without them the file means the same to all.

Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import IO, TypeAlias

import numpy as np
import numpy.typing as npt

from gluon2caffe.onnx2caffe.caffe_pb2 import BlobProto, LayerParameter, NetParameter
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.pages import pieces
from gluon2caffe.onnx2caffe.wire import LENGTH_DELIMITED, encode_varint

SIZE_LIMIT = 2**31 - 1
"""Bytes in the largest message that protobuf parses, and so in the largest ``.caffemodel``."""

NamedBlobs: TypeAlias = "tuple[LayerParameter, Sequence[npt.NDArray[np.float32]]]"
Chunk: TypeAlias = "bytes | memoryview"

_LAYER = NetParameter.LAYER_FIELD_NUMBER
_BLOBS = LayerParameter.BLOBS_FIELD_NUMBER
_DATA = BlobProto.DATA_FIELD_NUMBER


def check_size(named_sizes: Iterable[tuple[str, int]]) -> int:
    """Return the sum of (layer name, bytes) pairs, if a ``.caffemodel`` can hold it.

    Usable before any work is done, with the bytes of the weights alone: what else is in the file is negligible.

    Raises:
        ConversionError: the sum is over 2 GB; it names the sum and the layer that passes the limit.

    """
    total, tipping = 0, None
    for name, size in named_sizes:
        total += size
        if total > SIZE_LIMIT and tipping is None:
            tipping = name
    if tipping is not None:
        raise ConversionError(
            f"the model would take {total:,} bytes, more than the {SIZE_LIMIT:,} bytes (2 GB) of a .caffemodel, "
            f"which is one protobuf message; layer {tipping!r} is the one that passes the limit"
        )
    return total


def caffemodel_size(name: str, layers: Iterable[NamedBlobs]) -> int:
    """Return the bytes of the file that `write_caffemodel` would make of a net; see `check_size` for what is raised."""
    return check_size(chain([(name, len(_net_head(name)))], layer_sizes(layers)))


def layer_sizes(layers: Iterable[NamedBlobs]) -> Iterator[tuple[str, int]]:
    """Yield (layer name, bytes it takes in the file); no weight is touched."""
    for message, blobs in layers:
        size = len(_head(message)) + sum(_blob_field_size(message, blob) for blob in blobs)
        yield message.name, len(_prefix(_LAYER, size)) + size


def write_caffemodel(file: IO[bytes], name: str, layers: Iterable[NamedBlobs]) -> None:
    """Write a net to an open file, holding at most one converted blob in memory at a time.

    Blobs that are C-contiguous little-endian float32 go to the file straight from their buffers.
    """
    file.write(_net_head(name))
    for message, blobs in layers:
        head = _head(message)
        file.write(_prefix(_LAYER, len(head) + sum(_blob_field_size(message, blob) for blob in blobs)))
        file.write(head)
        for chunk in blob_chunks(message, blobs):
            file.write(chunk)


def blob_chunks(message: LayerParameter, blobs: Iterable[npt.NDArray[np.float32]]) -> Iterator[Chunk]:
    """Yield, piece by piece, the bytes of the ``blobs`` field of one layer."""
    for blob in blobs:
        before, after = _around_data(message, blob)
        yield _prefix(_BLOBS, len(before) + 4 * blob.size + len(after)) + before
        if blob.size:  # a memoryview of an empty array cannot be cast
            for piece in pieces(np.ascontiguousarray(blob, dtype="<f4")):
                yield piece.data.cast("B")
        yield after


def _net_head(name: str) -> bytes:
    return NetParameter(name=name).SerializeToString()


def _head(message: LayerParameter) -> bytes:
    """Return the serialised layer without parameters and blobs."""
    kept = LayerParameter(name=message.name, type=message.type, bottom=message.bottom, top=message.top)
    return kept.SerializeToString()


def _around_data(message: LayerParameter, blob: npt.NDArray[np.float32]) -> tuple[bytes, bytes]:
    """Return the bytes of a BlobProto before and after its numbers, in the order of the field numbers."""
    data = _prefix(_DATA, 4 * blob.size) if blob.size else b""
    if blob.size == 1 and _is_channel_shared(message):
        # One number for all channels: readers disagree on the shapes () and (1,), none on the old four axes.
        return BlobProto(num=1, channels=1, height=1, width=1).SerializeToString() + data, b""
    shaped = BlobProto()
    shaped.shape.dim.extend(blob.shape)
    shaped.shape.SetInParent()
    return data, shaped.SerializeToString()


def _is_channel_shared(message: LayerParameter) -> bool:
    if message.type == "PReLU":
        return message.prelu_param.channel_shared
    return message.type == "Normalize" and message.norm_param.channel_shared


def _blob_field_size(message: LayerParameter, blob: npt.NDArray[np.float32]) -> int:
    before, after = _around_data(message, blob)
    size = len(before) + 4 * blob.size + len(after)
    return len(_prefix(_BLOBS, size)) + size


def _prefix(field: int, length: int) -> bytes:
    """Return the tag of a length-delimited field and its length."""
    return encode_varint(field << 3 | LENGTH_DELIMITED) + encode_varint(length)
