"""`gluon2caffe convert`: what is written and what is printed."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnx.parser
import pytest
from click.testing import Result

from gluon2caffe.onnx2caffe.read import read_model

Run = Callable[..., Result]


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _weights(path: str) -> npt.NDArray[np.float32]:
    return next(layer.blobs[0] for layer in read_model(f"{path}.prototxt", f"{path}.caffemodel").layers if layer.blobs)


def test_writes_the_pair_and_says_what_it_is(run: Run, net: Path, folder: Path) -> None:
    result = run("convert", "net.onnx", "-o", "caffe")
    assert (result.exit_code, result.stderr) == (0, "")
    assert _files(folder) == ["caffe.caffemodel", "caffe.prototxt", "net.onnx"]
    lines = [re.split(r" {2,}", line.rstrip()) for line in result.stdout.splitlines()]
    assert lines[:5] == [
        ["Source", "net.onnx"],
        ["Input", "data", "1×3×8×8"],
        ["Output", "scores", "1×4×8×8"],
        ["Layers", "2"],
        ["Parameters", "108"],
    ]
    sizes = {name: f"{(folder / name).stat().st_size} bytes" for name in ("caffe.prototxt", "caffe.caffemodel")}
    assert lines[5] == ["Exact at", "any size, any batch"]
    assert lines[6] == ["Files", "caffe.prototxt", sizes["caffe.prototxt"]]
    assert lines[7] == ["", "caffe.caffemodel", sizes["caffe.caffemodel"]]
    assert re.fullmatch(r"Time +\d+\.\d s", " ".join(lines[8]))
    assert lines[9][0] == "Feed it" and lines[9][1].startswith("RGB, normalised as the source takes it: ")
    assert lines[10:] == [["", "cv2.dnn.blobFromImage(image, 1.0, (8, 8), swapRB=True)"]]


def test_the_name_of_the_source_is_the_default(run: Run, net: Path, folder: Path) -> None:
    (folder / "below").mkdir()
    net.rename(folder / "below" / "mobilenet_1.0.onnx")
    assert run("convert", "below/mobilenet_1.0.onnx", "-q").exit_code == 0
    assert _files(folder) == ["below", "mobilenet_1.0.caffemodel", "mobilenet_1.0.prototxt"]


@pytest.mark.parametrize("ending", [".prototxt", ".caffemodel"])
def test_an_ending_in_the_prefix_is_not_doubled(run: Run, net: Path, folder: Path, ending: str) -> None:
    run("convert", "net.onnx", "-q", "-o", f"caffe{ending}")
    assert _files(folder) == ["caffe.caffemodel", "caffe.prototxt", "net.onnx"]


def test_quiet_prints_nothing(run: Run, net: Path) -> None:
    result = run("convert", "net.onnx", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_json_is_one_object(run: Run, net: Path, folder: Path) -> None:
    result = run(
        "convert", "net.onnx", "--json", "--quiet", "--bgr", "--mean", "1,2,3", "--std", "2", "--save-onnx", "-o", "x"
    )
    assert (result.exit_code, result.stderr) == (0, "")
    got = json.loads(result.stdout)
    assert got.pop("seconds") > 0
    model = read_model("x.prototxt", "x.caffemodel")
    assert model.parameter_count >= 108
    origins = got.pop("layer_origins")
    assert list(origins) == [layer.message.name for layer in model.layers]
    assert origins["conv"] == {"nodes": ["conv"], "source": ["conv"]}
    fed = got.pop("how_to_feed")
    assert (fed["order"], fed["takes"]) == ("BGR", "BGR, values of 0 to 255; mean and std are in the net.")
    assert fed["calls"]["opencv"] == "cv2.dnn.blobFromImage(image, 1.0, (8, 8))"
    assert got == {
        "source": "net.onnx",
        "inputs": {"data": [1, 3, 8, 8]},
        "outputs": {"scores": [1, 4, 8, 8]},
        "layers": len(model.layers),
        "parameters": model.parameter_count,
        "output_blobs": {"scores": "scores"},
        "target": "ssd",
        "preprocessing": {"to_bgr": True, "mean": [1, 2, 3], "std": [2]},
        "files": [
            {"path": name, "bytes": (folder / name).stat().st_size} for name in ("x.prototxt", "x.caffemodel", "x.onnx")
        ],
        "notes": [],
        "sizes": {
            "words": "any size, any batch",
            "any_batch": True,
            "axes": {"data": [{"least": 1, "modulus": 1, "remainders": [0]}] * 2},
            "reasons": [],
        },
        "verification": None,
    }


def test_the_intermediate_is_saved_beside_the_pair(run: Run, net: Path, folder: Path) -> None:
    run("convert", "net.onnx", "-o", "caffe", "--save-onnx", "-q")
    assert _files(folder) == ["caffe.caffemodel", "caffe.onnx", "caffe.prototxt", "net.onnx"]
    model = onnx.load(folder / "caffe.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Conv", "Relu"]


def test_options_reach_the_conversion(run: Run, net: Path) -> None:
    run("convert", "net.onnx", "-q", "-o", "plain")
    run("convert", "net.onnx", "-q", "-o", "swapped", "--bgr", "--std", "2,4,8")
    expected = _weights("plain") / np.array([2, 4, 8], np.float32)[:, None, None]
    np.testing.assert_allclose(_weights("swapped"), expected[:, ::-1], rtol=1e-6)


def test_softmax_and_outputs(run: Run, net: Path) -> None:
    run("convert", "net.onnx", "-q", "-o", "cut", "--outputs", "conv", "--softmax")
    kinds = [layer.message.type for layer in read_model("cut.prototxt", "cut.caffemodel").layers]
    assert kinds == ["Convolution", "Softmax"]


@pytest.mark.parametrize("shape", ["2,3,8,8", "data:2,3,8,8"])
def test_input_shape(run: Run, net: Path, shape: str) -> None:
    result = run("convert", "net.onnx", "--json", "--input-shape", shape)
    assert json.loads(result.stdout)["inputs"] == {"data": [2, 3, 8, 8]}


def test_names_of_inputs_may_hold_colons(run: Run, net: Path) -> None:
    model = onnx.load(net)
    model.graph.input[0].name = model.graph.node[0].input[0] = "data:0"
    onnx.save(model, net)
    result = run("convert", "net.onnx", "--json", "--input-shape", "data:0:3,3,8,8")
    assert json.loads(result.stdout)["inputs"] == {"data:0": [3, 3, 8, 8]}


def test_batch_normalisation_stays_when_asked_for(run: Run, folder: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["": 13]>
    bn (float[1,1,2,2] x) => (float[1,1,2,2] y)
    <float[1,1,1,1] w = {2}, float[1] g = {3}, float[1] b = {4}, float[1] m = {5}, float[1] v = {6}>
    { c = Conv(x, w)  y = BatchNormalization(c, g, b, m, v) }"""
    onnx.save(onnx.parser.parse_model(text), folder / "bn.onnx")
    kinds = {}
    for option in ("--merge-bn", "--no-merge-bn"):
        assert run("convert", "bn.onnx", option, "-q").exit_code == 0
        kinds[option] = [layer.message.type for layer in read_model("bn.prototxt", "bn.caffemodel").layers]
    assert kinds == {"--merge-bn": ["Convolution"], "--no-merge-bn": ["Convolution", "BatchNorm", "Scale"]}


def test_existing_files_stay_when_the_conversion_fails(run: Run, refused: Path, folder: Path) -> None:
    old = {"old.prototxt": "text", "old.caffemodel": "weights", "old.onnx": "model"}
    for name, content in old.items():
        (folder / name).write_text(content)
    assert run("convert", "refused.onnx", "-o", "old", "--save-onnx").exit_code == 1
    assert {name: (folder / name).read_text() for name in old} == old
    assert _files(folder) == sorted([*old, "refused.onnx"])


def test_all_files_or_none(run: Run, net: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the weights are written, after the ONNX file."""
    from gluon2caffe.onnx2caffe import write

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "write_caffemodel", full)
    result = run("convert", "net.onnx", "-o", "caffe", "--save-onnx")
    assert result.exit_code == 1 and "is full" in result.stderr
    assert _files(folder) == ["net.onnx"]
