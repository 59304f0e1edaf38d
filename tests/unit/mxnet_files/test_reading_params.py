"""Parameter files of every version, dtype and storage type, against MXNet's own reader where it is installed."""

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon2caffe.bridge.mxnet_files import read_params
from gluon2caffe.onnx2caffe.errors import SourceError

VALUES = np.random.default_rng(0).uniform(-3, 3, (2, 3, 5)).astype(np.float32)
SHAPE_FORMS = {"V1": (0xF993FAC8, "<q"), "V2": (0xF993FAC9, "<q"), "V3": (0xF993FACA, "<q"), "before V1": (None, "<I")}


def encoded(arrays: dict[str, bytes]) -> bytes:
    """A list of arrays with their names."""
    names = b"".join(struct.pack("<Q", len(name)) + name.encode() for name in arrays)
    return (
        struct.pack("<QQQ", 0x112, 0, len(arrays)) + b"".join(arrays.values()) + struct.pack("<Q", len(arrays)) + names
    )


def one_array(version: str, values: np.ndarray, dtype_number: int = 0) -> bytes:
    """An array as that version of MXNet writes it, on GPU 1."""
    magic, form = SHAPE_FORMS[version]
    head = b"" if magic is None else struct.pack("<I", magic)
    if version in ("V2", "V3"):
        head += struct.pack("<i", 0)
    shape = struct.pack("<I", values.ndim) + b"".join(struct.pack(form, size) for size in values.shape)
    return head + shape + struct.pack("<iii", 2, 1, dtype_number) + values.tobytes()


@pytest.mark.parametrize("version", SHAPE_FORMS)
def test_every_version_of_the_format(tmp_path: Path, version: str) -> None:
    path = tmp_path / "net.params"
    path.write_bytes(
        encoded({"arg:w": one_array(version, VALUES), "aux:m": one_array(version, VALUES[0].astype("<i4"), 4)})
    )
    read = read_params(path)
    assert list(read.arrays) == ["w", "m"]
    assert np.array_equal(read.arrays["w"], VALUES)
    assert np.array_equal(read.arrays["m"], VALUES[0].astype(np.int32))
    assert read.notes == []


@pytest.mark.parametrize("version", ["V1", "V2", "before V1"])
def test_mxnet_reads_what_these_tests_write(mx: Any, tmp_path: Path, version: str) -> None:
    path = tmp_path / "net.params"
    path.write_bytes(encoded({"arg:w": one_array(version, VALUES)}))
    assert np.array_equal(mx.nd.load(str(path))["arg:w"].asnumpy(), VALUES)


def test_what_mxnet_writes(mx: Any, tmp_path: Path) -> None:
    arrays = {
        **{
            f"arg:{dtype}": mx.nd.array(VALUES, dtype=dtype)
            for dtype in ("float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool")
        },
        "arg:bfloat16": mx.nd.array(VALUES).astype(np.dtype([("bfloat16", np.uint16)])),
        "aux:rows": mx.nd.array([[0, 0], [1, 2], [0, 0], [3, 4]]).tostype("row_sparse"),
    }
    mx.nd.waitall()  # else MXNet 1.9.1 saves the row_sparse array's shape before it is known
    mx.nd.save(str(tmp_path / "net.params"), arrays)
    read = read_params(tmp_path / "net.params")
    assert [name.split(":")[1] for name in arrays] == list(read.arrays)
    for name, array in arrays.items():
        found = read.arrays[name.split(":")[1]]
        assert found.shape == array.shape
        assert np.array_equal(found.astype(np.float32), array.astype("float32").asnumpy())
    kinds = {name: array.dtype.name for name, array in read.arrays.items()}
    assert {kinds[name] for name in ("float32", "float64", "float16", "bfloat16", "rows")} == {"float32"}
    assert kinds["int8"] == "int8"
    assert read.notes == [
        f"1 parameters in {kind} were converted to float32." for kind in ("float64", "float16", "bfloat16")
    ]


def test_arrays_of_numpy_semantics(tmp_path: Path) -> None:
    scalar = struct.pack("<Iiiiii", 0xF993FACA, 0, 0, 1, 0, 0) + struct.pack("<f", 3.5)
    none = struct.pack("<Iii", 0xF993FACA, 0, -1)
    empty = struct.pack("<IiiQQiii", 0xF993FACA, 0, 2, 0, 3, 1, 0, 0)
    (tmp_path / "net.params").write_bytes(encoded({"scalar": scalar, "none": none, "empty": empty}))
    arrays = read_params(tmp_path / "net.params").arrays
    assert {name: array.shape for name, array in arrays.items()} == {"scalar": (), "empty": (0, 3)}
    assert arrays["scalar"] == 3.5


def test_the_archives_of_mxnet_2(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **{"arg:w": VALUES.astype(np.float64), "columns": np.asfortranarray(VALUES[0])})
    read = read_params(tmp_path / "net.npz")
    assert np.array_equal(read.arrays["w"], VALUES.astype(np.float64).astype(np.float32))
    assert np.array_equal(read.arrays["columns"], VALUES[0])
    assert read.notes == ["1 parameters in float64 were converted to float32."]
    np.savez_compressed(tmp_path / "net.npz", w=VALUES)
    with pytest.raises(SourceError, match=r"w\.npy is not an uncompressed .npy file"):
        read_params(tmp_path / "net.npz")


def test_arrays_are_private_views_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.params"
    path.write_bytes(encoded({"w": one_array("V2", VALUES)}))
    before = path.read_bytes()
    array = read_params(path).arrays["w"]
    assert not array.flags.owndata
    array[:] = 7
    assert path.read_bytes() == before
    assert np.array_equal(read_params(path).arrays["w"], VALUES)


GOOD = one_array("V2", VALUES)
DAMAGED = {
    "empty": (b"", "8 bytes are declared where 0 are left"),
    "all ones": (b"\xff" * 8, "it does not start with MXNet's magic number 0x112"),
    "many arrays": (struct.pack("<QQQ", 0x112, 0, 2**63), "9223372036854775808 entries are declared where 0 bytes"),
    "shorter": (encoded({"w": GOOD[:-4]})[:-20], "bytes are declared where"),
    "a huge shape": (
        encoded({"w": struct.pack("<IiiQQiii", 0xF993FAC9, 0, 2, 2**40, 2**40, 1, 0, 0)}),
        "bytes are declared where",
    ),
    "a negative size": (encoded({"w": struct.pack("<IiiqIII", 0xF993FAC9, 0, 1, -5, 1, 0, 0)}), "an array of shape"),
    "many axes": (encoded({"w": struct.pack("<Iii", 0xF993FAC9, 0, 99)}), "an array of 99 axes"),
    "another magic": (encoded({"w": struct.pack("<I", 0xDEADBEEF)}), "starts with 0xdeadbeef, which no version"),
    "an unknown dtype": (encoded({"w": one_array("V2", VALUES, 99)}), "dtype number 99 does not exist"),
    "an unknown storage": (encoded({"w": struct.pack("<Ii", 0xF993FAC9, 7)}), "storage type 7 does not exist"),
    "csr": (encoded({"w": struct.pack("<Ii", 0xF993FAC9, 2)}), "only dense and row_sparse parameters are read"),
    "huge rows": (
        encoded({"w": struct.pack("<IiiQQiQQiiiiiQ", 0xF993FAC9, 1, 2, 0, 1, 2, 10**9, 1, 1, 0, 0, 6, 1, 0)}),
        "a row_sparse array would take 4000000000 bytes, more than twice the file",
    ),
    "a name too long": (encoded({"w": GOOD})[:-9] + struct.pack("<QB", 2**40, 1), "1099511627776 bytes are declared"),
    "a name that is no text": (encoded({"w": GOOD})[:-1] + b"\xff", "a parameter name is no text"),
    "a Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer; fetch the real"),
    "a web page": (b"<!DOCTYPE html><html>", "it is a web page"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_told_by_what_is_wrong(tmp_path: Path, case: str) -> None:
    content, reason = DAMAGED[case]
    path = tmp_path / "net.params"
    path.write_bytes(content)
    with pytest.raises(SourceError) as refusal:
        read_params(path)
    assert f"{path} is not a complete MXNet parameter file (" in str(refusal.value)
    assert reason in str(refusal.value)


def test_damaged_files_allocate_no_more_than_twice_their_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = struct.pack("<IiiQQiQQiiiiiQ", 0xF993FAC9, 1, 2, 2, 64, 2, 100, 64, 1, 0, 0, 6, 1, 2)
    rows += np.ones((2, 64), np.float32).tobytes() + np.array([3, 50], np.int64).tobytes()
    half = one_array("V2", rng.standard_normal((64, 64)).astype(np.float16), 2)
    arrays = {f"arg:w{index}": one_array("V2", rng.standard_normal((64, 64)).astype("f4")) for index in range(3)}
    whole = encoded({**arrays, "arg:rows": rows, "arg:half": half})
    path = tmp_path / "net.params"
    path.write_bytes(whole)
    assert {name: array.shape for name, array in read_params(path).arrays.items()}["rows"] == (100, 64)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            place = rng.integers(0, 200) if rng.random() < 0.7 else rng.integers(0, len(damaged) - 8)
            word = rng.choice(np.array([2**64 - 1, 2**63, 2**40, 2**20, 0, 1, 0xF993FACA], np.uint64))
            damaged[place : place + 8] = word.tobytes()
        path.write_bytes(damaged)
        tracemalloc.start()
        try:
            read_params(path)
            outcomes["read"] += 1
        except SourceError:
            outcomes["refused"] += 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= 2 * len(damaged) + 100_000  # and what Python's own objects take
    assert min(outcomes.values()) > 50
