"""Looking inside Caffe files, whoever made them."""

from __future__ import annotations

from pathlib import Path

from gluon2caffe.bridge.inspection.description import Inspection
from gluon2caffe.bridge.inspection.inspect import layer_rows
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter, NetParameter
from gluon2caffe.onnx2caffe.errors import Refusal, SourceError
from gluon2caffe.onnx2caffe.model import Layer
from gluon2caffe.onnx2caffe.prototxt import outline, read_net
from gluon2caffe.onnx2caffe.read import read_weights
from gluon2caffe.onnx2caffe.targets import Profile, profile_named

# They only say where the data come from: every reader has its own way of being fed.
_INPUT_TYPES = frozenset({"Input"})


def weights_beside(prototxt: Path) -> Path | None:
    """The .caffemodel of the same name in the same folder; None where there is none."""
    beside = prototxt.with_suffix(".caffemodel")
    return beside if beside.is_file() else None


def inspect_caffe_files(prototxt: Path, caffemodel: Path | None = None, *, target: str = "ssd") -> Inspection:
    """Look at the layers of a net: what they make, what they cost, and their weights where `caffemodel` is given.

    Fields of a prototxt that this converter never writes are passed over. What a layer of a type without a rule in
    `onnx2caffe.shapes` makes or costs is not known, nor the shape of what is made of that. A target refuses the types
    of layers that it does not have; what it makes of their fields is not looked at.

    Raises:
        SourceError: a file cannot be read, or is not what it should be.
        ConversionError: the target is not known.
    """
    profile = profile_named(target)
    net = read_net(prototxt)
    if not net.layer:
        raise SourceError(f"{prototxt} has no layers of the form `layer {{ ... }}`: it is empty, or in an older form.")
    weights = {} if caffemodel is None else read_weights(caffemodel)
    layers = [Layer(layer, weights.get(layer.name, [])) for layer in net.layer if layer.type not in _INPUT_TYPES]
    inputs, outputs = _ends(net)
    rows = layer_rows(layers, {}, inputs)
    shapes = {top: shape for row in rows for top, shape in zip(row.tops, row.shapes, strict=True)}
    files = [prototxt.name] if caffemodel is None else [prototxt.name, caffemodel.name]
    return Inspection(
        source=", ".join(files),
        target=target,
        inputs=inputs,
        outputs={name: shapes.get(name, inputs.get(name)) for name in outputs},
        nodes=(),
        layers=rows,
        refusals=tuple(_refusal(layer, profile) for layer in net.layer if _is_missing(layer, profile)),
        parameters=sum(blob.size for layer in layers for blob in layer.blobs),
    )


def _is_missing(layer: LayerParameter, profile: Profile) -> bool:
    return layer.type not in _INPUT_TYPES and not profile.has(layer.type)


def _refusal(layer: LayerParameter, profile: Profile) -> Refusal:
    blobs = f"{list(layer.bottom)} -> {list(layer.top)}"
    return Refusal(layer.name, layer.type, blobs, f"{profile.title} has no layer of this type", remedy="")


def _ends(net: NetParameter) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """The inputs with their shapes, and the outputs; a net for training may have neither."""
    found = outline(net)
    if not found.inputs or not all(found.inputs.values()):
        return {}, ()
    return dict(found.inputs), found.outputs
