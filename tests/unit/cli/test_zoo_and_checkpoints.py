"""Sources that need MXNet: zoo nets and checkpoints."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from gluon2caffe.bridge.export import load_mxnet
from gluon2caffe.bridge.export.mxnet_loader import load_gluoncv
from gluon2caffe.onnx2caffe.errors import SourceError

Run = Callable[..., Result]


@pytest.fixture(autouse=True, scope="module")
def gluon() -> None:
    """MXNet and GluonCV, or the reason why nothing here can be tested."""
    try:
        load_gluoncv()
    except SourceError as missing:
        pytest.skip(f"zoo nets and checkpoints are not tested: {missing}")


@pytest.fixture
def checkpoint(folder: Path) -> Any:
    """A small net as net.export writes it, and itself."""
    mx = load_mxnet()
    net = mx.gluon.nn.HybridSequential(prefix="tiny_")
    net.add(mx.gluon.nn.Conv2D(4, 3, in_channels=3), mx.gluon.nn.GlobalAvgPool2D(), mx.gluon.nn.Dense(5))
    net.initialize()
    net.hybridize()
    net(mx.nd.ones((1, 3, 8, 8)))
    net.export(str(folder / "tiny"), epoch=3)
    return net


@pytest.mark.parametrize("words", [["tiny-symbol.json", "tiny-0003.params"], ["tiny-symbol.json"]])
def test_a_checkpoint(run: Run, checkpoint: Any, words: list[str]) -> None:
    result = run("convert", *words, "--input-shape", "1,3,8,8", "--json")
    got = json.loads(result.stdout)
    assert got["source"] == "tiny-symbol.json, tiny-0003.params"
    assert [Path(file["path"]).name for file in got["files"]] == ["tiny.prototxt", "tiny.caffemodel"]
    # 4·3·3·3 + 4 of the convolution, 5·4 + 5 of the classifier.
    assert (got["inputs"], got["parameters"]) == ({"data": [1, 3, 8, 8]}, 137)


def test_a_zoo_net_with_parameters_from_a_file(run: Run, folder: Path) -> None:
    net = load_gluoncv().model_zoo.get_model("cifar_resnet20_v1", classes=7)
    net.initialize()
    net(load_mxnet().nd.ones((1, 3, 32, 32)))
    net.save_parameters("seven.params")
    words = ["convert", "cifar_resnet20_v1", "seven.params", "--classes", "7", "--json"]
    got = json.loads(run(*words).stdout)
    assert got["source"] == "cifar_resnet20_v1 of GluonCV's zoo, seven.params"
    assert got["inputs"] == {"data": [1, 3, 32, 32]}
    assert [shape[-1] for shape in got["outputs"].values()] == [7]
    assert sorted(path.name for path in folder.glob("cifar*")) == [
        "cifar_resnet20_v1.caffemodel",
        "cifar_resnet20_v1.prototxt",
    ]
    wrong = run("convert", "cifar_resnet20_v1", "seven.params", "--classes", "8", "-o", "x")
    assert wrong.exit_code == 1
    assert wrong.stderr.startswith("Error: seven.params does not hold the parameters of cifar_resnet20_v1: ")


def test_weights_that_cannot_be_downloaded(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]  # nobody listens there any more
    monkeypatch.setenv("MXNET_GLUON_REPO", f"http://127.0.0.1:{port}/")
    monkeypatch.setenv("MXNET_HOME", str(folder / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    result = run("convert", "resnet18_v1", "-q")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: GluonCV cannot give resnet18_v1: its weights cannot be downloaded from 127.0.0.1 (Connection refused). "
        "Give a .params file instead, or ask for random weights (--random).\n"
    )


def test_a_net_that_nobody_trained(run: Run) -> None:
    result = run("convert", "shufflenet_v1")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: GluonCV has no pretrained weights of shufflenet_v1. "
        "Give a .params file instead, or ask for random weights (--random).\n"
    )


def test_a_name_that_is_not_in_the_zoo(run: Run, folder: Path) -> None:
    result = run("convert", "resnt18_v1", "--random")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "Error: 'resnt18_v1' is neither a file nor a net of GluonCV's model zoo. Near names in the zoo: resnet18_v1, "
    )
    assert list(folder.iterdir()) == []


def test_an_incomplete_parameter_file(run: Run, checkpoint: Any, folder: Path) -> None:
    whole = (folder / "tiny-0003.params").read_bytes()
    (folder / "cut.params").write_bytes(whole[: len(whole) // 2])
    result = run("convert", "tiny-symbol.json", "cut.params", "-o", "x")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: cut.params is not a complete MXNet parameter file ")
    assert not list(folder.glob("x.*"))


def test_an_ssd_for_own_classes(run: Run) -> None:
    words = ["--random", "--classes", "4", "--heads", "raw", "--json"]
    got = json.loads(run("inspect", "ssd_300_mobilenet0.25_custom", *words).stdout)
    assert ": input 300×300, 2268 boxes, 4 classes\n" in got["heads"]
    # The background is the fifth.
    assert got["outputs"]["class_predictions"] == [1, 2268, 5]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["ssd_300_mobilenet0.25_custom"],
            "ssd_300_mobilenet0.25_custom is for classes of your own: say how many with classes=. "
            "(On the command line: --classes N.)",
        ),
        (
            ["ssd_512_resnet50_v1_voc", "--classes", "4"],
            "ssd_512_resnet50_v1_voc is built for the classes of its data set; "
            "ssd_512_resnet50_v1_custom can be built for others.",
        ),
        (
            ["ssd_300_mobilenet1.0_lite_coco", "--classes", "4"],
            "ssd_300_mobilenet1.0_lite_coco is built for the classes of its data set.",
        ),
    ],
)
def test_classes_that_an_ssd_does_not_take(run: Run, words: list[str], message: str) -> None:
    result = run("convert", *words, "--random")
    assert (result.exit_code, result.stderr) == (1, f"Error: {message}\n")


def test_raw_heads_of_an_ssd(run: Run, folder: Path) -> None:
    ssd = ["ssd_300_mobilenet0.25_voc", "--random", "--heads", "raw"]
    for command, ending in (("convert", ""), ("onnx", ".onnx")):
        got = json.loads(run(command, *ssd, "-o", f"{command}{ending}", "--json").stdout)
        # 19²·4 + (10² + 5² + 3²)·6 + (2² + 1)·4 boxes; 20 classes and the background.
        assert got["outputs"] == {"class_predictions": [1, 2268, 21], "box_predictions": [1, 2268, 4]}
        assert got["files"][-2] == {"path": f"{command}.priors.npy", "bytes": 72704}
        assert json.loads(Path(got["files"][-1]["path"]).read_text())["outputs"] == list(got["outputs"])
        assert np.load(f"{command}.priors.npy").shape == (1, 2, 4 * 2268)
    assert sorted(path.name for path in folder.iterdir()) == [
        "convert.caffemodel",
        "convert.heads.json",
        "convert.priors.npy",
        "convert.prototxt",
        "onnx.heads.json",
        "onnx.onnx",
        "onnx.priors.npy",
    ]


def test_priors_of_an_ssd(run: Run) -> None:
    kinds = {}
    for priors in ("box", "constant"):
        result = run("inspect", "ssd_300_mobilenet0.25_voc", "--random", "--priors", priors, "--json")
        layers = [layer["type"] for layer in json.loads(result.stdout)["layers"]]
        kinds[priors] = [kind for kind in layers if kind in ("PriorBox", "DetectionOutput")]
    assert kinds == {"box": ["PriorBox"] * 6 + ["DetectionOutput"], "constant": ["DetectionOutput"]}
