"""The .caffemodel: its bytes, its size, what writing it costs."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter, NetParameter
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer
from gluon2caffe.onnx2caffe.write import SIZE_LIMIT, caffemodel_size, check_size, layer_sizes

NetOf = Callable[..., CaffeModel]


def _parsed(path: Path) -> NetParameter:
    return NetParameter.FromString(path.read_bytes())


def test_bytes_are_those_protobuf_would_write(small_net: CaffeModel, tmp_path: Path) -> None:
    written = small_net.save(tmp_path / "net").caffemodel.read_bytes()
    bare = small_net.to_proto()
    for layer in bare.layer:
        for field, _ in layer.ListFields():
            if field.name.endswith("_param"):
                layer.ClearField(field.name)
    assert written == bare.SerializeToString()
    assert written.startswith(b"\x0a\x05small\xa2\x06\x13\x0a\x04data\x12\x05Input\x22\x04data")


def test_values_shapes_and_connections(small_net: CaffeModel, tmp_path: Path) -> None:
    net = _parsed(small_net.save(tmp_path / "net").caffemodel)
    assert [(layer.name, layer.type, list(layer.bottom), list(layer.top)) for layer in net.layer][1:] == [
        ("conv", "Convolution", ["data"], ["conv"]),
        ("norm", "BatchNorm", ["conv"], ["norm"]),
        ("scale", "Scale", ["norm"], ["scale"]),
        ("prelu", "PReLU", ["scale"], ["prelu"]),
    ]
    for layer, read in zip(small_net.layers[:3], net.layer[1:], strict=False):
        assert len(read.blobs) == len(layer.blobs)
        for blob, found in zip(layer.blobs, read.blobs, strict=True):
            assert tuple(found.shape.dim) == blob.shape
            np.testing.assert_array_equal(np.array(found.data, np.float32), blob.ravel())


def test_no_parameters_in_the_file(small_net: CaffeModel, tmp_path: Path) -> None:
    net = _parsed(small_net.save(tmp_path / "net").caffemodel)
    fields = {field.name for layer in net.layer for field, _ in layer.ListFields()}
    assert fields == {"name", "type", "bottom", "top", "blobs"}


@pytest.mark.parametrize(("kind", "param"), [("PReLU", "prelu_param"), ("Normalize", "norm_param")])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1, 1)])
def test_a_shared_number_has_the_old_shape(kind: str, param: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    message = LayerParameter(name="l", type=kind, bottom=["x"], top=["l"])
    getattr(message, param).channel_shared = True
    model = CaffeModel("n", {"x": (1, 4)}, [Layer(message, [np.full(shape, 0.25, np.float32)])])
    (blob,) = _parsed(model.save(tmp_path / "net").caffemodel).layer[1].blobs
    assert not blob.HasField("shape")
    assert (blob.num, blob.channels, blob.height, blob.width, list(blob.data)) == (1, 1, 1, 1, [0.25])


def test_one_slope_of_one_channel_keeps_its_shape(tmp_path: Path) -> None:
    message = LayerParameter(name="l", type="PReLU", bottom=["x"], top=["l"])
    model = CaffeModel("n", {"x": (1, 1)}, [Layer(message, [np.ones(1, np.float32)])])
    (blob,) = _parsed(model.save(tmp_path / "net").caffemodel).layer[1].blobs
    assert list(blob.shape.dim) == [1] and not blob.HasField("num")


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (2, 3, 1, 1, 2), (300, 100)])
def test_any_shape(shape: tuple[int, ...], net_of: NetOf, tmp_path: Path) -> None:
    blob = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    (read,) = _parsed(net_of(blob).save(tmp_path / "net").caffemodel).layer[1].blobs
    assert read.HasField("shape") and tuple(read.shape.dim) == shape
    assert list(read.data) == list(range(blob.size))


_COUNT = np.arange(24, dtype=np.float32).reshape(4, 6)


@pytest.mark.parametrize(
    "blob",
    [
        _COUNT.T,
        _COUNT[:, ::-2],
        np.broadcast_to(_COUNT[:1], (3, 6)),
        _COUNT.astype("f8"),
        _COUNT.astype(">f4"),
        _COUNT.astype("i4"),
    ],
    ids=["transposed", "strided", "broadcast", "float64", "big-endian", "int32"],
)
def test_arrays_of_another_layout_or_type(blob: Any, net_of: NetOf, tmp_path: Path) -> None:
    (read,) = _parsed(net_of(blob).save(tmp_path / "net").caffemodel).layer[1].blobs
    assert tuple(read.shape.dim) == blob.shape
    assert list(read.data) == blob.ravel().tolist()


def test_special_values_survive_bit_by_bit(net_of: NetOf, tmp_path: Path) -> None:
    bits = np.array([0x80000000, 1, 0x7F7FFFFF, 0x7F800000, 0x7FC00001, 0xFF800000], np.uint32)
    content = net_of(bits.view(np.float32)).save(tmp_path / "net").caffemodel.read_bytes()
    assert bits.astype("<u4").tobytes() in content


def test_sizes_are_those_of_the_file(small_net: CaffeModel, net_of: NetOf, tmp_path: Path) -> None:
    # Lengths on both sides of the steps of a varint: 127 | 128 and 16383 | 16384 bytes.
    model = net_of(
        *[np.ones(count, np.float32) for count in (1, 20, 22, 23, 24, 28, 31, 32, 4080, 4085, 4090, 4095, 4096)]
    )
    for net in (small_net, model):
        layers = [(layer.message, layer.blobs) for layer in net.all_layers()]
        file_size = net.save(tmp_path / "net").caffemodel.stat().st_size
        assert caffemodel_size(net.name, layers) == file_size
        assert 2 + len(net.name) + sum(dict(layer_sizes(layers)).values()) == file_size


def test_check_size_adds_up() -> None:
    assert check_size([("a", 1), ("b", 2**31 - 2)]) == SIZE_LIMIT == 2147483647
    with pytest.raises(ConversionError) as caught:
        check_size([("a", 1), ("b", 2**31 - 2), ("c", 1), ("d", 10)])
    assert "2,147,483,658 bytes" in str(caught.value)
    assert "layer 'c' is the one that passes the limit" in str(caught.value)


@pytest.mark.parametrize("do", ["save", "to_proto"])
def test_over_two_gigabytes_is_refused_before_any_file(do: str, net_of: NetOf, tmp_path: Path) -> None:
    quarter = np.broadcast_to(np.float32(1), (2**27 // 1024, 1024))  # 512 MB in the file, 4 bytes in memory
    model = net_of(quarter, quarter, quarter, quarter, quarter)
    with pytest.raises(ConversionError, match=r"would take 2,684,354,\d{3} bytes.*layer 'ip3'"):
        model.to_proto() if do == "to_proto" else model.save(tmp_path / "net")
    assert not list(tmp_path.iterdir())


def _added_by_saving(model: CaffeModel, prefix: Path) -> int:
    """Most bytes allocated at any time during a save, over those there before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        model.save(prefix)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_saving_takes_no_memory(net_of: NetOf, tmp_path: Path) -> None:
    model = net_of(*[np.ones((1280, 1024), np.float32) for _ in range(10)])  # 50 MB
    added = _added_by_saving(model, tmp_path / "net")
    assert (tmp_path / "net.caffemodel").stat().st_size > 50 * 2**20
    assert added < 2**20


def test_converting_takes_one_blob_at_a_time(net_of: NetOf, tmp_path: Path) -> None:
    model = net_of(*[np.ones((1280, 1024), np.float32).T for _ in range(10)])  # ten times 5 MB
    assert 5 * 2**20 <= _added_by_saving(model, tmp_path / "net") < 6 * 2**20
