"""`gluon2caffe inspect`."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import onnx
import onnx.parser
import pytest
from click.testing import Result

from gluon2caffe.bridge.cli.inspection_tables import source_text
from gluon2caffe.bridge.inspection.blocks import Block
from gluon2caffe.bridge.inspection.description import NodeRow
from gluon2caffe.onnx2caffe.read import read_model

Run = Callable[..., Result]

FEATURES = "features.0 (Conv2D)\nfeatures.1 (BatchNorm)"


def _lines(text: str) -> list[str]:
    """The lines with runs of blanks made one."""
    return [re.sub(" +", " ", line).strip() for line in text.splitlines()]


def test_the_table(run: Run, net: Path, folder: Path) -> None:
    result = run("inspect", "net.onnx")
    assert (result.exit_code, result.stderr) == (0, "")
    assert _lines(result.stdout) == [
        "Node Operator Output Parameters MACs Caffe layers",
        "conv Conv 1×4×8×8 108 6,912 Convolution",
        "scores Relu 1×4×8×8 ReLU",
        "",
        "Source net.onnx",
        "Input data 1×3×8×8",
        "Output scores 1×4×8×8",
        "Nodes 2",
        "Layers 2",
        "Parameters 108",
        "MACs 6,912",
        "Exact at any size, any batch",
        "",
        "Caffe with the SSD layers can compute all of it.",
    ]
    assert [path.name for path in folder.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize(
    ("source", "blocks", "text"),
    [
        (("a",), (), ""),
        (("conv", "a"), (), "conv\na"),
        (("conv", "a"), (Block("features.0", "Conv2D"), Block("features.1", "BatchNorm")), FEATURES),
        (("conv", "a"), (Block("", "SSD"),), "conv\na"),
        (("conv", "a"), (Block("", "SSD"), Block("features.0", "Conv2D")), "features.0 (Conv2D)"),
    ],
)
def test_where_a_node_comes_from(source: tuple[str, ...], blocks: tuple[Block, ...], text: str) -> None:
    assert source_text(NodeRow("a", "Conv", {}, 0, 0, source, blocks)) == text


def test_a_target_that_cannot(run: Run, refused: Path) -> None:
    result = run("inspect", "refused.onnx", "--target", "bvlc")
    assert result.exit_code == 1
    assert _lines(result.stdout)[1:3] == ["first Sin 1×4 refused", "result Acos 1×4 refused"]
    lines = result.stderr.splitlines()
    assert lines[0] == "Error: 2 nodes cannot be computed exactly by BVLC Caffe 1.0:"
    assert [line.split(" [")[0] for line in lines[1:3]] == ["  - Sin 'first'", "  - Acos 'result'"]
    assert "Try:" not in result.stderr  # nothing comes before the first


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ([], ["Power", "ReLU", "ReLU", "Eltwise"]),
        (["--relu6", "relu"], ["ReLU"]),
        (["--relu6", "layer", "--target", "ncnn"], ["ReLU6"]),
    ],
)
def test_relu6_as_it_would_be_converted(run: Run, words: list[str], kinds: list[str]) -> None:
    text = """
    <ir_version: 8, opset_import: ["": 13]>
    clipped (float[1,2,3,3] x) => (float[1,2,3,3] y) <float low = {0}, float high = {6}> { y = Clip(x, low, high) }"""
    onnx.save(onnx.parser.parse_model(text), "clipped.onnx")
    for command in ("inspect", "convert"):
        assert run(command, "clipped.onnx", "-q", *words).exit_code == 0
    got = json.loads(run("inspect", "clipped.onnx", "--json", *words).stdout)
    written = read_model("clipped.prototxt", "clipped.caffemodel")
    assert [layer["type"] for layer in got["layers"]] == [layer.message.type for layer in written.layers] == kinds
    note = "y: ReLU6 written as ReLU, as asked for; values above 6 are not cut off"
    assert got["notes"] == ([note] if "relu" in words else [])
    refused = run("inspect", "clipped.onnx", "--relu6", "layer", "--target", "bvlc")
    assert refused.exit_code == 1
    assert refused.stderr.endswith("(On the command line: --relu6 exact.)\n")


@pytest.mark.parametrize(("name", "status"), [("net", 0), ("refused", 1)])
def test_quiet_answers_by_the_status(run: Run, net: Path, refused: Path, name: str, status: int) -> None:
    result = run("inspect", f"{name}.onnx", "--quiet")
    assert (result.exit_code, result.stdout) == (status, "")
    assert bool(result.stderr) == bool(status)


def test_json(run: Run, net: Path, refused: Path) -> None:
    got = json.loads(run("inspect", "net.onnx", "--json", "--save", "n.onnx").stdout)
    assert (got["convertible"], got["macs"], got["target"], got["netron"]) == (True, 6912, "ssd", None)
    assert [layer["type"] for layer in got["layers"]] == ["Convolution", "ReLU"]
    assert got["files"] == [{"path": "n.onnx", "bytes": Path("n.onnx").stat().st_size}]
    result = run("inspect", "refused.onnx", "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    assert [refusal["node"] for refusal in json.loads(result.stdout)["refusals"]] == ["first", "result"]


def test_the_intermediate_is_kept_though_the_target_refuses_it(run: Run, refused: Path) -> None:
    result = run("inspect", "refused.onnx", "--save", "kept.onnx", "--softmax")
    assert result.exit_code == 1
    model = onnx.load("kept.onnx")
    assert [node.op_type for node in model.graph.node] == ["Sin", "Acos", "Softmax"]
    assert _lines(result.stdout)[-2] == f"Files kept.onnx {Path('kept.onnx').stat().st_size} bytes"


def test_the_source_is_not_replaced(run: Run, net: Path) -> None:
    before = net.read_bytes()
    result = run("inspect", "net.onnx", "--save", "net.onnx")
    assert (result.exit_code, net.read_bytes()) == (1, before)
    assert result.stderr == "Error: net.onnx is the source itself: name another file with -o.\n"


def test_caffe_files(run: Run, net: Path) -> None:
    assert run("convert", "net.onnx", "-o", "caffe", "-q").exit_code == 0
    result = run("inspect", "caffe.prototxt")
    assert (result.exit_code, result.stderr) == (0, "")
    assert _lines(result.stdout) == [
        "Layer Type Bottom Top Output Weights Parameters MACs",
        "conv Convolution data conv 1×4×8×8 4×3×3×3 108 6,912",
        "scores ReLU conv scores 1×4×8×8",
        "",
        "Source caffe.prototxt, caffe.caffemodel",
        "Input data 1×3×8×8",
        "Output scores 1×4×8×8",
        "Layers 2",
        "Parameters 108",
        "MACs 6,912",
        "",
        "Caffe with the SSD layers can compute all of it.",
    ]
    Path("caffe.caffemodel").rename("other.caffemodel")
    assert json.loads(run("inspect", "caffe.prototxt", "--json").stdout)["parameters"] == 0
    assert json.loads(run("inspect", "caffe.prototxt", "other.caffemodel", "--json").stdout)["parameters"] == 108


def test_what_is_not_known_of_caffe_files(run: Run) -> None:
    Path("net.prototxt").write_text(
        'input: "x" input_shape { dim: [1, 2, 4, 4] } layer { name: "a" type: "Custom" bottom: "x" top: "a" }'
        'layer { name: "b" type: "Convolution" bottom: "a" top: "b" convolution_param { num_output: 1 } }'
    )
    lines = _lines(run("inspect", "net.prototxt").stdout)
    assert lines[1:3] == ["a Custom x a unknown unknown", "b Convolution a b unknown unknown"]
    assert [line for line in lines if line.startswith(("Output", "MACs"))] == [
        "Output b unknown",
        "MACs 0, and unknown for 2 of the layers",
    ]


@pytest.mark.parametrize(
    "option",
    [
        ["--save", "x.onnx"],
        ["--softmax"],
        ["--input-shape", "1,3,8,8"],
        ["--random"],
        ["--heads", "raw"],
        ["--relu6", "relu"],
    ],
)
def test_options_that_a_prototxt_does_not_take(run: Run, option: list[str]) -> None:
    Path("net.prototxt").write_text('layer { name: "a" type: "ReLU" bottom: "x" top: "a" }')
    assert run("inspect", "net.prototxt", *option).exit_code == 2
    assert run("inspect", "net.prototxt").exit_code == 0


def test_no_such_files(run: Run) -> None:
    assert run("inspect", "no.prototxt").stderr == "Error: There is no file no.prototxt.\n"
    Path("net.prototxt").write_text('layer { name: "a" type: "ReLU" bottom: "x" top: "a" }')
    assert run("inspect", "net.prototxt", "no.caffemodel").stderr == "Error: There is no file no.caffemodel.\n"


def test_without_netron_nothing_is_begun(run: Run, net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netron", None)
    result = run("inspect", "net.onnx", "--netron", "--save", "n.onnx")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: Netron is not installed: pip install 'gluon2caffe[netron]'")
    assert not Path("n.onnx").exists()


def test_netron_serves_until_ctrl_c(net: Path, tmp_path: Path) -> None:
    pytest.importorskip("netron", reason="Netron was NOT tested: pip install netron")
    words = ["inspect", "net.onnx", "--netron", "--no-browser", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-m", "gluon2caffe", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        address = None
        for line in process.stdout:
            if address := re.fullmatch(r"Netron shows it at (http://127\.0\.0\.1:\d+) until Ctrl-C\.\n", line):
                break
        assert address is not None
        with urllib.request.urlopen(f"{address[1]}/data/intermediate.onnx", timeout=10) as answer:
            model = onnx.ModelProto.FromString(answer.read())
        assert [node.op_type for node in model.graph.node] == ["Conv", "Relu"]
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
