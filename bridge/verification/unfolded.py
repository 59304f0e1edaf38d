"""The variant of a net in which no layer overwrites a blob."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf import text_format

from gluon2caffe.onnx2caffe import caffe_pb2
from gluon2caffe.onnx2caffe.names import Names


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
    names = Names({top for layer in net.layer for top in layer.top} | {layer.name for layer in net.layer})
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
