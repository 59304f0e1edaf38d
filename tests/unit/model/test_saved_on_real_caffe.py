"""What real readers make of a saved pair: their own messages parse it, and it computes what its weights say."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

import gluon2caffe.onnx2caffe.caffe_pb2 as caffe_pb2
from gluon2caffe.bridge.verification.readers import CaffeReader, OpenCVReader, Reader, caffe_readers
from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer

CAFFES = caffe_readers()

DESCRIBE = """
import base64, json, sys
from caffe.proto import caffe_pb2
json.dump(base64.b64encode(caffe_pb2.DESCRIPTOR.serialized_pb).decode(), sys.stdout)
"""

PARSE = """
import json, sys
from caffe.proto import caffe_pb2
from google.protobuf import text_format
text = text_format.Parse(open(sys.argv[1]).read(), caffe_pb2.NetParameter())
weights = caffe_pb2.NetParameter.FromString(open(sys.argv[2], "rb").read())
json.dump({
    "names": [text.name, weights.name],
    "types": [layer.type for layer in text.layer],
    "weights": {layer.name: [list(blob.data) for blob in layer.blobs] for layer in weights.layer},
    "shapes": {layer.name: [list(blob.shape.dim) for blob in layer.blobs] for layer in weights.layer},
    "fields": sorted({field.name for layer in weights.layer for field, _ in layer.ListFields()}),
}, sys.stdout)
"""

NUMBER_OF_ITS_OWN = {
    # Fields whose numbers forks chose for themselves; the file that carries them is text, where only names count.
    ("PoolingParameter", "round_mode"): "13 in BVLC since 2018, where some forks have another field",
    ("PoolingParameter", "ceil_mode"): "in forks only",
    ("LayerParameter", "roi_pooling_param"): "8266711 in Faster R-CNN's Caffe, another number in forks",
    ("LayerParameter", "upsample_param"): "160 here, another number in forks",
    ("LayerParameter", "clip_param"): "148 in BVLC, 165 in a fork that had given 148 away",
}

NO_CAFFE = "no Caffe set up; `gluon2caffe readers setup caffe` makes one"
needs_caffe = pytest.mark.skipif(not CAFFES, reason=NO_CAFFE)


def _ask(caffe: CaffeReader, script: str, *arguments: Path) -> Any:
    """Run a script in the Caffe's own Python; what it prints is JSON."""
    command = [caffe.python, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=dict(caffe._environment or {}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _described(field: FieldDescriptorProto) -> dict[str, Any]:
    # The same float32 is 0.999 to one release of protoc and 0.999000013 to another.
    is_float = field.type == FieldDescriptorProto.TYPE_FLOAT and field.default_value
    return {
        "number": field.number,
        "label": field.label,
        "type": field.type,
        "of": field.type_name.rsplit(".", 1)[-1],
        "default": np.float32(field.default_value) if is_float else field.default_value,
        "packed": field.options.packed,
    }


@needs_caffe
@pytest.mark.parametrize("caffe", CAFFES, ids=lambda caffe: caffe.name)
def test_fields_are_those_of_caffe(caffe: CaffeReader) -> None:
    described = FileDescriptorProto.FromString(base64.b64decode(_ask(caffe, DESCRIBE)))
    theirs = {message.name: message for message in described.message_type}
    compared = 0
    for message in FileDescriptorProto.FromString(caffe_pb2.DESCRIPTOR.serialized_pb).message_type:
        if message.name not in theirs:
            continue
        fields = {field.name: _described(field) for field in theirs[message.name].field}
        for field in message.field:
            if field.name in fields:
                expected, ours = fields[field.name], _described(field)
                if (message.name, field.name) in NUMBER_OF_ITS_OWN:
                    ours["number"] = expected["number"]
                assert ours == expected, f"{message.name}.{field.name}"
                compared += 1
        enums = {enum.name: {v.name: v.number for v in enum.value} for enum in theirs[message.name].enum_type}
        for enum in message.enum_type:
            assert {v.name: v.number for v in enum.value} == enums[enum.name], f"{message.name}.{enum.name}"
    assert compared > 130


@needs_caffe
@pytest.mark.parametrize("caffe", CAFFES, ids=lambda caffe: caffe.name)
def test_its_own_messages_parse_the_pair(caffe: CaffeReader, small_net: CaffeModel, tmp_path: Path) -> None:
    small_net.name = 'odd "name" \\ café'
    read = _ask(caffe, PARSE, *small_net.save(tmp_path / "net"))
    assert read["names"] == [small_net.name, small_net.name]
    assert read["types"] == ["Input", "Convolution", "BatchNorm", "Scale", "PReLU"]
    expected = {layer.message.name: [blob.ravel().tolist() for blob in layer.blobs] for layer in small_net.layers}
    assert read["weights"] == {"data": [], **expected}
    assert read["shapes"]["conv"] == [[2, 3, 1, 1], [2]] and read["shapes"]["prelu"] == [[]]
    assert read["fields"] == ["blobs", "bottom", "name", "top", "type"]


READERS: list[Reader] = [OpenCVReader(), *CAFFES]


def _run(reader: Reader, model: CaffeModel, prefix: Path, x: Any) -> Any:
    if not reader.available:
        pytest.skip(reader.reason)
    (result,) = reader.run(*model.save(prefix), {"data": x}).values()
    return result


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_computes_what_its_weights_say(reader: Reader, small_net: CaffeModel, tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(1, 3, 4, 5)).astype(np.float32)
    (weight, bias), (mean, variance, _), (gamma, beta), (slope,) = (layer.blobs for layer in small_net.layers)
    y = np.einsum("oi,nihw->nohw", weight[:, :, 0, 0], x) + bias[:, None, None]
    y = (y - mean[:, None, None]) / np.sqrt(variance + 1e-3)[:, None, None]
    y = y * gamma[:, None, None] + beta[:, None, None]
    expected = np.where(y > 0, y, slope * y)
    assert (y < -0.1).any() and (y > 0.1).any()
    np.testing.assert_allclose(_run(reader, small_net, tmp_path / "net1.0", x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_one_scale_for_all_channels(reader: Reader, tmp_path: Path) -> None:
    """L2 normalization over channels times one number, whose blob every reader takes in its old shape."""
    if isinstance(reader, CaffeReader) and "Normalize" not in reader.layer_types():
        pytest.skip("this Caffe has no Normalize layer")
    message = LayerParameter(name="norm", type="Normalize", bottom=["data"], top=["norm"])
    message.norm_param.across_spatial = False
    message.norm_param.channel_shared = True
    message.norm_param.eps = 1e-10
    model = CaffeModel("n", {"data": (1, 3, 2, 2)}, [Layer(message, [np.full((1,), 2.5, np.float32)])])
    x = np.random.default_rng(2).normal(size=(1, 3, 2, 2)).astype(np.float32)
    expected = 2.5 * x / np.sqrt((x * x).sum(axis=1, keepdims=True) + 1e-10)
    np.testing.assert_allclose(_run(reader, model, tmp_path / "net", x), expected, rtol=1e-5, atol=1e-6)
