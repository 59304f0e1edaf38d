"""Reads a prototxt, and says what it tells of the net's blobs: inputs, outputs, who writes what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format

from gluon2caffe.onnx2caffe.caffe_pb2 import NetParameter
from gluon2caffe.onnx2caffe.errors import SourceError


@dataclass(frozen=True)
class Writer:
    """The layer that writes a blob, and which of its tops the blob is."""

    layer: str
    top: int


@dataclass(frozen=True)
class Outline:
    """The blobs of a net.

    Attributes:
        inputs: input blob -> shape, in order; empty where the net declares none.
        outputs: blobs that no layer reads after they were last written, in the order of the prototxt. (Caffe's own
            ``net.outputs`` holds the same blobs in alphabetical order.)
        writers: blob -> the layer that writes it last (an in-place layer writes its bottom); blobs that hold an input
            as it was fed are not in it.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    writers: Mapping[str, Writer]


def read_net(path: Path, *, ignore_unknown_fields: bool = True) -> NetParameter:
    """Parse a prototxt.

    Args:
        path: the file.
        ignore_unknown_fields: whether fields that our own caffe.proto does not know, those of other forks, may be in
            it; they are lost. To look at a net or to run it by its own files that does no harm.

    Raises:
        SourceError: the file cannot be read or is not a prototxt.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return text_format.Parse(text, NetParameter(), allow_unknown_field=ignore_unknown_fields)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not a .prototxt: it is not text") from error
    except RecursionError as error:
        raise SourceError(f"{path} is not a .prototxt this program can read: it is nested too deep") from error
    except text_format.ParseError as error:
        raise SourceError(f"{path} is not a .prototxt this program can read: {_shortened(str(error))}") from error


def _shortened(text: str) -> str:
    """A parser quotes the whole line, which in a damaged file may be all of it; what it expected stands at the end."""
    return text if len(text) < 300 else f"{text[:200]} … {text[-60:]}"


def outline(net: NetParameter) -> Outline:
    """Return the inputs, outputs and writers of a net. An input without a shape has the shape ()."""
    inputs: dict[str, tuple[int, ...]] = {}
    writers: dict[str, Writer] = {}
    unread: dict[str, None] = {}
    for index, blob in enumerate(net.input):
        # The older form: names at the top of the file, each with an input_shape or four input_dim.
        legacy = net.input_dim[4 * index : 4 * index + 4]
        inputs[blob] = tuple(net.input_shape[index].dim) if index < len(net.input_shape) else tuple(legacy)
        unread[blob] = None
    for layer in net.layer:
        for bottom in layer.bottom:
            unread.pop(bottom, None)
        for index, top in enumerate(layer.top):
            unread.pop(top, None)
            unread[top] = None
            if layer.type == "Input":
                shapes = layer.input_param.shape
                # One shape stands for all tops when there is only one.
                place = index if len(shapes) > 1 else 0
                inputs[top] = tuple(shapes[place].dim) if place < len(shapes) else ()
            else:
                writers[top] = Writer(layer.name, index)
    return Outline(inputs, tuple(unread), writers)
