"""The calls of the older GluonConverter, for code that was written for it."""

from __future__ import annotations

from os import PathLike
from typing import Any

from google.protobuf import text_format

from gluon2caffe.bridge.convert import to_caffe
from gluon2caffe.bridge.options import InputShape
from gluon2caffe.onnx2caffe.caffe_pb2 import NetParameter
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.model import SavedModel
from gluon2caffe.onnx2caffe.read import model_of


def convert_model(
    net: Any,
    input_shape: InputShape | None = None,
    softmax: bool = False,
    to_bgr: bool = False,
    merge_bn: bool = True,
) -> tuple[NetParameter, NetParameter]:
    """Convert a Gluon net; give the text net (layers without weights) and the binary net (with weights).

    The arguments are those of `to_caffe`, which also says what is raised.
    """
    model = to_caffe(net, input_shape, softmax=softmax, to_bgr=to_bgr, merge_bn=merge_bn)
    return text_format.Parse(model.prototxt(), NetParameter()), model.to_proto()


def convert_ssd_model(
    net: Any,
    input_shape: InputShape | None = None,
    to_bgr: bool = False,
    merge_bn: bool = True,
) -> tuple[NetParameter, NetParameter]:
    """Convert a GluonCV SSD, its input size being its own where `input_shape` is left out; like `convert_model`."""
    return convert_model(net, input_shape, to_bgr=to_bgr, merge_bn=merge_bn)


def save_model(text_net: NetParameter, binary_weights: NetParameter, prefix: str | PathLike[str]) -> SavedModel:
    """Write PREFIX.prototxt and PREFIX.caffemodel, both or neither.

    Raises:
        ConversionError: the two nets do not belong together.
        OutputError: the files cannot be written.
    """
    names = [[layer.name for layer in net.layer] for net in (text_net, binary_weights)]
    if names[0] != names[1]:
        raise ConversionError(
            "The text net and the weights have different layers: they come from different conversions."
        )
    return model_of(text_net, binary_weights).save(prefix)
