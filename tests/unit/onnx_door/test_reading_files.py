"""Files: what is no ONNX, what is damaged, weights in the file and beside it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from agreement import agrees, model, random_inputs
from onnx import numpy_helper

import gluon2caffe
from gluon2caffe import SourceError
from gluon2caffe.bridge.onnx_source.file import LARGE, read_file
from gluon2caffe.bridge.verification.reference_onnx import run_onnx

WIDE = "(float[1,64,6,6] x) => (float[] y) <float[80,64,3,3] w, float[80] b> { a = Conv(x, w, b)\n y = Relu(a) }"
WEIGHT_BYTES = 4 * 80 * 64 * 3 * 3


def _weight(source: onnx.ModelProto) -> np.ndarray:
    return numpy_helper.to_array(next(t for t in source.graph.initializer if t.name == "w"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty."),
        (b"name: 'net'\nlayer { }\n", "is not an ONNX model but text."),
        ("größer\n".encode(), "is not an ONNX model but text."),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "fetch the file itself with git lfs pull"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "is not an ONNX model but a PNG picture."),
        (b"\xff\xd8\xff\xe0" + bytes(50), "is not an ONNX model but a JPEG picture."),
        (b"PK\x03\x04" + bytes(50), "is not an ONNX model but a zip archive"),
        (bytes(100), "is not an ONNX model, or is damaged or cut off: a field without a number."),
        (b"\x08\x07\x12\x04abcd", "is not an ONNX model with a graph"),
        (b"\x08\x07\x3a\xff\x01ab", "it breaks off, 253 bytes short."),
        (b"\x08\x07\x3b\x01", "a field of the unknown wire type 3."),
    ],
)
def test_what_is_no_onnx(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(SourceError) as error:
        gluon2caffe.to_caffe(path)
    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is a folder, not an .onnx file"):
        gluon2caffe.to_caffe(tmp_path)


def test_truncated_anywhere(tmp_path: Path) -> None:
    path, content = tmp_path / "net.onnx", model(WIDE).SerializeToString()
    small = [*range(0, 200, 7), *range(len(content) - 150, len(content), 11)]
    for length in (*small, len(content) // 2):
        path.write_bytes(content[:length])
        with pytest.raises(SourceError):
            gluon2caffe.to_caffe(path)


def _as_raw(source: onnx.ModelProto) -> None:
    """The form of almost all exporters: bytes."""


def _as_floats(source: onnx.ModelProto) -> None:
    """The form of mx.onnx.export_model: numbers in a list."""
    for tensor in source.graph.initializer:
        values = numpy_helper.to_array(tensor)
        tensor.ClearField("raw_data")
        tensor.float_data.extend(values.reshape(-1).tolist())


def _as_inputs(source: onnx.ModelProto) -> None:
    """The form of IR versions before 4: weights are inputs too."""
    source.ir_version = 3
    for tensor in source.graph.initializer:
        source.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))


def _as_constant_nodes(source: onnx.ModelProto) -> None:
    for tensor in source.graph.initializer:
        source.graph.node.insert(0, onnx.helper.make_node("Constant", [], [tensor.name], value=tensor))
    del source.graph.initializer[:]


@pytest.mark.parametrize("write", [_as_raw, _as_floats, _as_inputs, _as_constant_nodes])
def test_forms_of_weights(tmp_path: Path, write: Callable[[onnx.ModelProto], None]) -> None:
    source = model(WIDE)
    expected = _weight(source)
    write(source)
    path = tmp_path / "net.onnx"
    onnx.save(source, path)
    x = random_inputs({"x": (1, 64, 6, 6)})
    for converted in (gluon2caffe.to_caffe(path), gluon2caffe.to_caffe(source)):
        assert list(converted.inputs) == ["x"]
        assert np.array_equal(converted.layers[0].blobs[0], expected)
        agrees(converted, x, run_onnx(model(WIDE), x))


def test_large_weights_stay_out_of_what_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(model(WIDE), path)
    read = read_file(path)
    assert WEIGHT_BYTES > LARGE
    assert {index: extent.length for index, extent in read.extents.items()} == {0: WEIGHT_BYTES}
    assert not read.model.graph.initializer[0].raw_data
    assert read.model.ByteSize() < 1000
    assert path.read_bytes()[read.extents[0].offset :][:WEIGHT_BYTES] == _weight(model(WIDE)).tobytes()


def test_weights_of_a_model_in_memory_are_not_copied() -> None:
    source = model(WIDE)
    blob = gluon2caffe.to_caffe(source).layers[0].blobs[0]
    assert not blob.flags.owndata
    assert not blob.flags.writeable


def test_the_callers_model_stays_as_it_is() -> None:
    source = model(WIDE)
    source.opset_import[0].domain = "ai.onnx"
    before = source.SerializeToString()
    gluon2caffe.to_caffe(source)
    assert source.SerializeToString() == before


@pytest.mark.parametrize("length", [WEIGHT_BYTES - 4, WEIGHT_BYTES + 4])
def test_data_that_do_not_fit_the_shape(tmp_path: Path, length: int) -> None:
    source = model(WIDE)
    source.graph.initializer[0].raw_data = (_weight(source).tobytes() + bytes(4))[:length]
    path = tmp_path / "net.onnx"
    onnx.save(source, path)
    with pytest.raises(SourceError, match=rf"'w' has the shape .*, 184,320 bytes, but {length:,} bytes of data"):
        gluon2caffe.to_caffe(path)
    with pytest.raises(SourceError, match="The data of 'w' do not fit its shape"):
        gluon2caffe.to_caffe(source)


@pytest.fixture
def beside(tmp_path: Path) -> tuple[Path, onnx.ModelProto]:
    """A model whose weight is in a file beside it, and the model itself."""
    (tmp_path / "models").mkdir()
    path = tmp_path / "models" / "net.onnx"
    onnx.save(model(WIDE), path, save_as_external_data=True, location="net.data", size_threshold=1000)
    return path, onnx.load(path, load_external_data=False)


def test_external_data(beside: tuple[Path, onnx.ModelProto]) -> None:
    path, _ = beside
    assert np.array_equal(gluon2caffe.to_caffe(path).layers[0].blobs[0], _weight(model(WIDE)))


def test_external_data_of_a_model_in_memory(beside: tuple[Path, onnx.ModelProto]) -> None:
    with pytest.raises(
        SourceError, match=r"The values of 'w' are in a file beside the model \(net.data\): hand in the"
    ):
        gluon2caffe.to_caffe(beside[1])


def _rewritten(path: Path, source: onnx.ModelProto, **entries: str) -> None:
    tensor = source.graph.initializer[0]
    found = {entry.key: entry.value for entry in tensor.external_data} | entries
    del tensor.external_data[:]
    for key, value in found.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(source.SerializeToString())


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "/etc/passwd"}, "'w' are said to be in '/etc/passwd': only files in the folder of the model"),
        ({"location": "../secret.data"}, "'../secret.data': only files in the folder of the model are read"),
        ({"location": "a/../../secret.data"}, "only files in the folder of the model are read"),
        ({"location": "..\\secret.data"}, "only files in the folder of the model are read"),
        ({"location": "C:\\secret.data"}, "only files in the folder of the model are read"),
        ({"location": ""}, "said to be in '': only files in the folder of the model are read"),
        ({"location": "link.data"}, "'link.data', a link that leads out of the folder of the model"),
        ({"location": "folder/secret.data"}, "a link that leads out of the folder of the model"),
        ({"location": "absent.data"}, "in 'absent.data', but there is no such file beside the model"),
        ({"location": "."}, "but there is no such file beside the model"),
        ({"offset": "100000"}, "should be 184,320 bytes from byte 100,000 of net.data, which has"),
        ({"offset": "-4"}, "should be 184,320 bytes from byte -4 of net.data"),
        ({"length": "184316"}, "184,320 bytes, but 184,316 bytes of data"),
        ({"length": "many"}, "Where the values of 'w' lie in net.data is not given in numbers"),
    ],
)
def test_external_data_that_are_refused(
    beside: tuple[Path, onnx.ModelProto], entries: dict[str, str], message: str
) -> None:
    path, source = beside
    secret = path.parent.parent / "secret.data"
    secret.write_bytes(bytes(WEIGHT_BYTES))
    (path.parent / "link.data").symlink_to(secret)
    (path.parent / "folder").symlink_to(path.parent.parent)
    _rewritten(path, source, **entries)
    with pytest.raises(SourceError) as error:
        gluon2caffe.to_caffe(path)
    assert message in str(error.value)


def test_a_link_within_the_folder(beside: tuple[Path, onnx.ModelProto]) -> None:
    path, source = beside
    (path.parent / "link.data").symlink_to("net.data")
    _rewritten(path, source, location="link.data")
    assert np.array_equal(gluon2caffe.to_caffe(path).layers[0].blobs[0], _weight(model(WIDE)))


def test_more_weights_than_a_caffemodel_holds(tmp_path: Path) -> None:
    source = model("(float[1,8] x) => (float[] y) <float[8,8] v, float[8,8] w> { a = MatMul(x, v)\n y = MatMul(a, w) }")
    with (tmp_path / "big.data").open("wb") as file:
        file.truncate(2 * 4 * 8 * 40_000_000)  # takes no room on the disk
    for index, tensor in enumerate(source.graph.initializer):
        shape = (8, 40_000_000) if index == 0 else (40_000_000, 8)
        tensor.ClearField("raw_data")
        tensor.dims[:] = shape
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="big.data")
        tensor.external_data.add(key="offset", value=str(index * 4 * 8 * 40_000_000))
        tensor.external_data.add(key="length", value=str(4 * 8 * 40_000_000))
    path = tmp_path / "net.onnx"
    path.write_bytes(source.SerializeToString())
    with pytest.raises(
        gluon2caffe.ConversionError, match=r"would take 2,560,000,000 bytes, .*; layer 'y' is the one that"
    ):
        gluon2caffe.to_caffe(path)
    with pytest.raises(gluon2caffe.ConversionError, match=r"would take 2,560,000,000 bytes"):
        gluon2caffe.to_caffe(path, outputs=["y"])
