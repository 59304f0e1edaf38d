"""What a prototxt says about a net's blobs: inputs, outputs, who writes what; and a variant with nothing in place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format

from gluon2caffe.bridge.verification.errors import ReaderError
from gluon2caffe.onnx2caffe import caffe_pb2


@dataclass(frozen=True)
class Writer:
    """The layer that writes a blob, and which of its tops the blob is."""

    layer: str
    top: int


@dataclass(frozen=True)
class Outline:
    """The blobs of a net.

    Attributes:
        inputs: input blob -> shape, in order.
        outputs: blobs that no layer reads after they were last written, in the order of the prototxt. (Caffe's own
            ``net.outputs`` holds the same blobs in alphabetical order.)
        writers: blob -> the layer that writes it last (an in-place layer writes its bottom); blobs that hold an input
            as it was fed are not in it.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    writers: Mapping[str, Writer]


def read_net(prototxt: Path) -> "caffe_pb2.NetParameter":
    """Parse a prototxt; fields that our own caffe.proto does not know are passed over.

    Raises:
        ReaderError: the file cannot be read or is not a prototxt.
    """
    try:
        text = prototxt.read_text(encoding="utf-8")
        return text_format.Parse(text, caffe_pb2.NetParameter(), allow_unknown_field=True)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise ReaderError(f"{prototxt} cannot be read as a prototxt: {error}") from error


def outline(net: "caffe_pb2.NetParameter") -> Outline:
    """Return the inputs, outputs and writers of a net.

    Raises:
        ReaderError: a net that declares no inputs: their names and shapes are not known.
    """
    inputs: dict[str, tuple[int, ...]] = {}
    writers: dict[str, Writer] = {}
    loose: dict[str, None] = {}
    for index, blob in enumerate(net.input):
        # The older form: names at the top of the file, each with an input_shape or four input_dim.
        legacy = net.input_dim[4 * index : 4 * index + 4]
        inputs[blob] = tuple(net.input_shape[index].dim if net.input_shape else legacy)
        loose[blob] = None
    for layer in net.layer:
        for bottom in layer.bottom:
            loose.pop(bottom, None)
        for index, top in enumerate(layer.top):
            loose.pop(top, None)
            loose[top] = None
            if layer.type == "Input":
                shapes = layer.input_param.shape
                # One shape stands for all tops when there is only one.
                inputs[top] = tuple(shapes[index if len(shapes) > 1 else 0].dim)
            else:
                writers[top] = Writer(layer.name, index)
    if not inputs:
        raise ReaderError("the prototxt declares no inputs, so their names and shapes are not known")
    return Outline(inputs, tuple(loose), writers)


@dataclass(frozen=True)
class Unfolded:
    """A net in which no layer overwrites a blob, and every blob is the first top of some layer.

    Attributes:
        net: the layers of the original by the same names (so that the same caffemodel fits), with some blobs renamed.
        versions: (layer name, blob of the original that it writes) -> blob of ``net`` with its values, in net order.
    """

    net: "caffe_pb2.NetParameter"
    versions: Mapping[tuple[str, str], str]

    @property
    def text(self) -> str:
        """The prototxt."""
        return str(text_format.MessageToString(self.net, as_utf8=False))


def without_in_place(net: "caffe_pb2.NetParameter") -> Unfolded:
    """Return the net with a new blob wherever a layer would overwrite one.

    The first writer of a blob keeps its name (inputs are fed by it); a later one writes ``<blob>@<layer>``. The values
    are the same, and each intermediate is still there after the forward pass.

    A top other than the first, if some layer reads it, gets a layer that copies it (``Power`` with its defaults), which
    is where to fetch it: OpenCV lets go of such a top as soon as it has been read.
    """
    result = caffe_pb2.NetParameter()
    result.CopyFrom(net)
    del result.layer[:]
    names = _Names({top for layer in net.layer for top in layer.top} | {layer.name for layer in net.layer})
    read = {bottom for layer in net.layer for bottom in layer.bottom}
    current = {blob: blob for blob in net.input}
    versions: dict[tuple[str, str], str] = {}
    for original in net.layer:
        layer = result.layer.add()
        layer.CopyFrom(original)
        layer.bottom[:] = [current.get(bottom, bottom) for bottom in original.bottom]
        for index, blob in enumerate(original.top):
            name = names.new(f"{blob}@{layer.name}") if blob in current else blob
            layer.top[index] = current[blob] = versions[layer.name, blob] = name
        for blob in original.top[1:]:
            if blob in read and layer.type != "Input":
                copy = names.new(f"{current[blob]}@copy")
                result.layer.add(name=copy, type="Power", bottom=[current[blob]], top=[copy])
                versions[layer.name, blob] = copy
    return Unfolded(result, versions)


class _Names:
    """Names for new blobs and layers, none of which is taken."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken

    def new(self, name: str) -> str:
        while name in self._taken:
            name += "+"
        self._taken.add(name)
        return name
