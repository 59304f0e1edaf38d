"""The user's own data: arrays and images, as the net takes them."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import model

import gluon2caffe
from gluon2caffe.bridge.verification import against_source
from gluon2caffe.bridge.verification.prerequisites import MissingExtraError, check_prerequisites, needed_module
from gluon2caffe.bridge.verification.readers import InstalledReaders, OpenCVReader
from gluon2caffe.bridge.verification.sample_files import read_samples
from gluon2caffe.onnx2caffe.errors import ConversionError, SourceError

Image = pytest.importorskip("PIL.Image")
SHAPE = {"data": (1, 3, 2, 4)}
RED = (255, 10, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, a red one and one that is half red and half blue, and a file that is none."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (8, 4), RED).save(pictures / "a.png")
    halves = Image.new("RGB", (4, 2), RED)
    halves.paste((0, 0, 200), (2, 0, 4, 2))
    halves.save(pictures / "b.png")
    (pictures / "notes.txt").write_text("not an image")
    return pictures


def test_a_folder_of_images_in_the_order_of_their_names(folder: Path) -> None:
    data = read_samples([folder], SHAPE)["data"]
    assert (data.shape, data.dtype) == ((2, 3, 2, 4), np.float32)
    assert data[0, :, 0, 0].tolist() == list(RED)
    assert data[1, :, 1, 3].tolist() == [0, 0, 200]
    assert data[1, 0, 0].tolist() == [255, 255, 0, 0]


def test_channels_and_layout_are_those_of_the_net(folder: Path) -> None:
    file = folder / "a.png"
    assert read_samples([file], SHAPE, bgr=True)["data"][0, :, 0, 0].tolist() == [0, 10, 255]
    assert read_samples([file], {"x": (1, 2, 4, 3)})["x"][0, 0, 0].tolist() == list(RED)
    grey = read_samples([file, file], {"x": (1, 1, 5, 6)})["x"]
    assert grey.shape == (2, 1, 5, 6)
    assert grey.max() == round(0.299 * 255 + 0.587 * 10)


def test_a_camera_s_rotation_is_undone(tmp_path: Path) -> None:
    turned = Image.new("RGB", (2, 4), RED)
    turned.paste((0, 0, 0), (0, 2, 2, 4))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter, clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    data = read_samples([tmp_path / "turned.png"], SHAPE)["data"]
    assert data[0, 0].tolist() == [[0, 0, 255, 255]] * 2


def test_arrays_in_files(tmp_path: Path) -> None:
    batch = np.arange(48, dtype=np.float64).reshape(2, 3, 2, 4)
    np.save(tmp_path / "batch.npy", batch)
    np.save(tmp_path / "one.npy", batch[0])
    np.savez(tmp_path / "one.npz", other=batch)
    np.savez(tmp_path / "two.npz", a=batch, b=batch[:, :1])
    assert read_samples([tmp_path / "batch.npy"], SHAPE)["data"].tolist() == batch.tolist()
    assert read_samples([str(tmp_path / "one.npy")], SHAPE)["data"].shape == (1, 3, 2, 4)
    assert read_samples([tmp_path / "one.npz"], SHAPE)["data"].shape == (2, 3, 2, 4)
    both = read_samples([tmp_path / "two.npz"], {"b": (1, 1, 2, 4), "a": (1, 3, 2, 4)})
    assert {name: array.shape for name, array in both.items()} == {"a": (2, 3, 2, 4), "b": (2, 1, 2, 4)}


WRONG = {
    "missing": (["nowhere.npy"], SHAPE, "There is no file .*nowhere.npy"),
    "no array": (["pictures/notes.txt"], SHAPE, "notes.txt cannot be read as an image"),
    "pickle": (["pickle.npy"], SHAPE, "pickle.npy cannot be read as an array: Object arrays"),
    "text": (["text.npy"], SHAPE, "the array for data is of type <U1, expected numbers"),
    "several": (["text.npy", "pictures"], SHAPE, r"Several files of samples include text.npy. Try: one .npz file"),
    "names": (["two.npz"], SHAPE, "two.npz holds a, b; the net's inputs are data"),
    "inputs": (["text.npy"], {"a": (1, 2), "b": (1, 2)}, "holds one array; the net's inputs are a, b. Try: an .npz"),
    "images for two": (["pictures"], {"a": (1, 3, 2, 2), "b": (1, 3, 2, 2)}, "images go into one. Try: an .npz file"),
    "channels": (["pictures"], {"a": (1, 5, 7, 9)}, r"Images do not fit input a: its shape is \(1, 5, 7, 9\)"),
    "empty folder": (["empty"], SHAPE, "The folder .*empty holds no images"),
}


@pytest.mark.parametrize(("names", "shapes", "words"), WRONG.values(), ids=list(WRONG))
def test_what_does_not_suit_is_named(
    folder: Path, names: list[str], shapes: dict[str, tuple[int, ...]], words: str
) -> None:
    root = folder.parent
    np.save(root / "pickle.npy", np.array([{}], object), allow_pickle=True)
    np.save(root / "text.npy", np.array([["a"]]))
    np.savez(root / "two.npz", a=np.zeros(1), b=np.zeros(1))
    (root / "empty").mkdir()
    with pytest.raises(SourceError, match=words):
        read_samples([root / name for name in names], shapes)


def test_verify_runs_on_the_user_s_images(folder: Path) -> None:
    source = model("(float[1,3,2,4] x) => (float[] y) { y = Neg(x) }")
    converted = gluon2caffe.to_caffe(source, to_bgr=True, mean=(1, 2, 3))
    report = gluon2caffe.verify(converted, source, folder, readers=[OpenCVReader()])
    assert report.passed
    assert report.rows[0].shape == (2, 3, 2, 4)
    # 254 is red's 255 less its mean: the images have come through.
    assert "moves y by 0.00024 " in report.notes[0]
    report = gluon2caffe.verify(converted, source, [folder / "a.png"], readers=[OpenCVReader()])
    assert report.rows[0].shape == (1, 3, 2, 4)


def test_what_does_not_fit_is_refused_before_anything_runs(tmp_path: Path) -> None:
    source = model("(float[1,3,2,4] x) => (float[] y) { y = Neg(x) }")
    np.save(tmp_path / "small.npy", np.zeros((1, 3, 2, 2)))
    with pytest.raises(ConversionError, match=r"input x has the shape \(1, 3, 2, 2\), the net takes \(1, 3, 2, 4\)"):
        gluon2caffe.verify(gluon2caffe.to_caffe(source), source, tmp_path / "small.npy", readers=[])
    with pytest.raises(ConversionError, match="The number of samples is 0, expected 1 or more"):
        gluon2caffe.verify(gluon2caffe.to_caffe(source), source, 0, readers=[])


def test_what_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install = r"Try: pip install 'gluon2caffe\[verify\]'"
    for module in ("onnxruntime", "PIL.Image"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"onnxruntime is needed for verifying an ONNX model: .* {install}"):
        check_prerequisites("net.onnx")
    with pytest.raises(MissingExtraError, match=f"Pillow is needed for images as samples: .* {install}"):
        check_prerequisites(("net-symbol.json", "net-0000.params"), [tmp_path / "images"])
    check_prerequisites(("net-symbol.json", "net-0000.params"), [tmp_path / "data.npy"])
    with pytest.raises(MissingExtraError, match=f"no_such_module is needed for tests: .* {install}"):
        needed_module("no_such_module", "tests")


def test_without_a_reader_nothing_is_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> InstalledReaders:
        return InstalledReaders((), {"OpenCV": "No module named 'cv2'"})

    monkeypatch.setattr(against_source, "readers_for", nothing)
    source = model("(float[1,2] x) => (float[] y) { y = Neg(x) }")
    with pytest.raises(
        MissingExtraError, match=r"No reader of Caffe files works here \(OpenCV: No module named 'cv2'\)"
    ):
        gluon2caffe.verify("never-opened", source)


@pytest.mark.parametrize("tolerance", [float("nan"), float("inf"), -1e-4])
def test_a_tolerance_is_a_number(tolerance: float) -> None:
    source = model("(float[1,2] x) => (float[] y) { y = Neg(x) }")
    with pytest.raises(ConversionError, match=f"tolerance={tolerance} is not valid: expected a number of 0 or more."):
        gluon2caffe.verify(gluon2caffe.to_caffe(source), source, tolerance=tolerance)
