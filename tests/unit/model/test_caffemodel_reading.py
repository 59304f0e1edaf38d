"""Reading a saved pair back, and what is said of a damaged one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from gluon2caffe.onnx2caffe.caffe_pb2 import BlobProto, NetParameter
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.model import CaffeModel, SavedModel
from gluon2caffe.onnx2caffe.read import read_model


@pytest.fixture
def saved(small_net: CaffeModel, tmp_path: Path) -> SavedModel:
    return small_net.save(tmp_path / "net")


def test_round_trip(small_net: CaffeModel, saved: SavedModel, tmp_path: Path) -> None:
    read = read_model(*saved)
    assert (read.name, read.inputs, read.outputs) == ("small", {"data": (1, 3, 4, 5)}, {"prelu": "prelu"})
    assert [layer.message for layer in read.layers] == [layer.message for layer in small_net.layers]
    for layer, original in zip(read.layers[:3], small_net.layers, strict=False):
        for blob, expected in zip(layer.blobs, original.blobs, strict=True):
            assert blob.shape == expected.shape and blob.dtype == np.float32
            np.testing.assert_array_equal(blob, expected)
    assert read.layer("prelu").blobs[0].shape == (1, 1, 1, 1)
    assert read.layer("prelu").blobs[0].item() == 0.25
    again = read.save(tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in saved]


def test_blobs_are_views_of_the_file(saved: SavedModel) -> None:
    blob = read_model(*saved).layer("conv").blobs[0]
    assert not blob.flags.owndata and not blob.flags.writeable


def test_a_model_can_be_saved_over_its_own_files(saved: SavedModel) -> None:
    before = [path.read_bytes() for path in saved]
    read_model(*saved).save(saved.prototxt.with_suffix(""))
    assert [path.read_bytes() for path in saved] == before


def test_every_truncation_is_noticed(saved: SavedModel) -> None:
    content = saved.caffemodel.read_bytes()
    for length in range(len(content)):
        saved.caffemodel.write_bytes(content[:length])
        with pytest.raises(SourceError, match=r"is empty|is not a complete|has no weights for"):
            read_model(*saved)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xa2\x06\x7f\x0a", "it breaks off, 126 bytes short"),
        (b"\xa2\x06\x80", "it breaks off inside a number"),
        (b"\xff" * 20, "a number of more than 64 bits"),
        (b"\x00\x01", "a field without a number"),
        (b"\x0b\x0c", "a field of the unknown wire type 3"),
        (b"\xa0\x06\x01", "a number where a message should be"),
        (b"\xa2\x06\x03\x0a\x01\xff", "utf-8"),
        (b"\x12\x00", "is in Caffe's old format"),
    ],
)
def test_damaged_weights(content: bytes, says: str, saved: SavedModel) -> None:
    saved.caffemodel.write_bytes(content)
    with pytest.raises(SourceError, match=f"net.caffemodel .*{says}"):
        read_model(*saved)


def _edit(saved: SavedModel, change: Callable[[NetParameter], object]) -> None:
    net = NetParameter.FromString(saved.caffemodel.read_bytes())
    change(net)
    saved.caffemodel.write_bytes(net.SerializeToString())


def test_a_shape_that_does_not_fit(saved: SavedModel) -> None:
    _edit(saved, lambda net: net.layer[1].blobs[0].data.pop())
    with pytest.raises(SourceError, match=r"blob 0 of layer 'conv' has the shape \(2, 3, 1, 1\) but holds 5 numbers"):
        read_model(*saved)


def test_weights_of_another_net(saved: SavedModel) -> None:
    _edit(saved, lambda net: setattr(net.layer[1], "name", "other"))
    with pytest.raises(SourceError, match=r"net\.caffemodel has no weights for layer 'conv'"):
        read_model(*saved)
    _edit(saved, lambda net: setattr(net.layer[1], "name", "conv"))
    _edit(saved, lambda net: net.layer.add(name="extra").blobs.add(data=[1.0]))
    with pytest.raises(SourceError, match=r"has weights for layer 'extra', which the \.prototxt does not name"):
        read_model(*saved)


@pytest.mark.parametrize(
    "blob",
    [
        BlobProto(num=1, channels=1, height=1, width=2, data=[1.5, 2.5]),
        BlobProto(double_data=[1.5, 2.5]),
        BlobProto(data=[1.5, 2.5]),
    ],
    ids=["four-axis shape", "doubles", "no shape"],
)
def test_other_forms_of_a_blob(blob: BlobProto, saved: SavedModel) -> None:
    _edit(saved, lambda net: net.layer[1].blobs[1].CopyFrom(blob))
    bias = read_model(*saved).layer("conv").blobs[1]
    assert bias.dtype == np.float32 and bias.ravel().tolist() == [1.5, 2.5]
    assert bias.shape == ((1, 1, 1, 2) if blob.HasField("num") else (2,))


def test_numbers_one_by_one(saved: SavedModel) -> None:
    """The bytes of unpacked floats, which protobuf itself would pack again, put straight into the file."""
    packed = b"\x2a\x08\x00\x00\xc0\x3f\x00\x00\x20\x40"
    loose = b"\x2d\x00\x00\xc0\x3f\x2d\x00\x00\x20\x40"
    assert len(packed) == len(loose)
    _edit(saved, lambda net: net.layer[1].blobs[1].CopyFrom(BlobProto(data=[1.5, 2.5])))
    content = saved.caffemodel.read_bytes()
    assert content.count(packed) == 1
    saved.caffemodel.write_bytes(content.replace(packed, loose))
    assert read_model(*saved).layer("conv").blobs[1].tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"layer {", "net.prototxt is not a .prototxt this program can read: 1:7"),
        (b'name: "n"\nlayer { nonsense: 1 }', "2:9 : .*nonsense"),
        (b"\x80\x81", "it is not text"),
    ],
)
def test_damaged_text(text: bytes, says: str, saved: SavedModel) -> None:
    saved.prototxt.write_bytes(text)
    with pytest.raises(SourceError, match=says):
        read_model(*saved)


def test_files_that_are_not_there(saved: SavedModel, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot read .*no\.prototxt: No such file or directory"):
        read_model(tmp_path / "no.prototxt", saved.caffemodel)
    with pytest.raises(SourceError, match=r"cannot read .*no\.caffemodel: No such file or directory"):
        read_model(saved.prototxt, tmp_path / "no.caffemodel")
    with pytest.raises(SourceError, match="Is a directory"):
        read_model(saved.prototxt, tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        "input: 'data' input_shape { dim: 1 dim: 3 dim: 4 dim: 5 }",
        "input: 'data' input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 5",
    ],
)
def test_older_ways_to_declare_an_input(header: str, saved: SavedModel) -> None:
    net = text_format.Parse(saved.prototxt.read_text(), NetParameter())
    del net.layer[0]
    saved.prototxt.write_text(header + "\n" + text_format.MessageToString(net))
    assert read_model(*saved).inputs == {"data": (1, 3, 4, 5)}


def test_outputs_are_the_blobs_left_unread(saved: SavedModel) -> None:
    extra = (
        'layer { name: "r" type: "ReLU" bottom: "prelu" top: "prelu" }\n'
        'layer { name: "s" type: "Slice" bottom: "conv" top: "one" top: "two" }\n'
        'layer { name: "end" type: "Silence" bottom: "one" }\n'
    )
    saved.prototxt.write_text(saved.prototxt.read_text() + extra)
    assert list(read_model(*saved).outputs) == ["prelu", "two"]


def test_a_copy_elsewhere_reads_the_same(saved: SavedModel, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    for path in saved:
        shutil.copy(path, tmp_path / "copy")
    read = read_model(*SavedModel.at(tmp_path / "copy" / "net"))
    np.testing.assert_array_equal(read.layer("norm").blobs[1], read_model(*saved).layer("norm").blobs[1])
