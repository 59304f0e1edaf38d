"""Refusals name where the net can be cut, and `outputs="auto"` cuts it there: from every source."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import parser

from gluon2caffe import ConversionError, to_caffe, to_onnx
from gluon2caffe.bridge.cli.commands import commands
from gluon2caffe.bridge.frontier import Step, cut_before

HEAD = '<ir_version: 8, opset_import: ["": 13]>\nnet '


def model(text: str) -> onnx.ModelProto:
    return parser.parse_model(HEAD + text)


def advice(source: Any, *args: Any, **options: Any) -> tuple[list[str], str]:
    """The outputs that a refusal proposes, and what it says is left."""
    with pytest.raises(ConversionError) as refusal:
        to_caffe(source, *args, **options)
    last = str(refusal.value).splitlines()[-1]
    found = re.fullmatch(r"Try: --outputs (\S+) \(or auto\), which leaves for you to compute: (.+)\.", last)
    assert found, last
    return found[1].split(","), found[2]


def test_an_onnx_file_is_cut_before_the_first_refused_nodes() -> None:
    source = model("""(float[1,4] x) => (float[1,4] y, float[1,4] z)
    { a = Relu(x) b = Tan(a) c = Sigmoid(x) d = Mul(b, c) y = Sin(d) z = Neg(c) }""")
    assert advice(source) == (["a", "c", "z"], "Tan, Mul, Sin")
    made = to_caffe(source, outputs=["a", "c", "z"])
    assert list(made.outputs) == ["a", "c", "z"]
    automatic = to_caffe(source, outputs="auto")
    assert automatic.prototxt() == made.prototxt()
    assert automatic.notes == ["Cut at a, c, z. Left for you to compute: Tan, Mul, Sin."]
    assert automatic.options.outputs == ("a", "c", "z")


def test_what_has_no_refusal_is_not_cut() -> None:
    source = model("(float[1,4] x) => (float[1,4] y) { a = Relu(x) y = Neg(a) }")
    automatic = to_caffe(source, outputs="auto")
    assert list(automatic.outputs) == ["y"]
    assert automatic.notes == []


def test_where_nothing_comes_before_no_cut_is_named() -> None:
    source = model("(float[1,4] x) => (float[1,4] y) { y = Tan(x) }")
    for outputs in (None, "auto"):
        with pytest.raises(ConversionError) as refusal:
            to_caffe(source, outputs=outputs)
        assert "Try:" not in str(refusal.value)
        assert refusal.value.cut is None


def test_shapes_that_depend_on_the_data() -> None:
    source = model("""(float[1,3,4,4] x) => (float[k,4] y)
    <int64[1] most = {10}, float[1] overlap = {0.5}, float[1] least = {0.1}, int64[3] rows = {1,12,4},
     int64[3] classes = {1,4,12}, int64 two = {2}>
    { a = Tanh(x) boxes = Reshape(a, rows) b = Sigmoid(x) scores = Reshape(b, classes)
      chosen = NonMaxSuppression(boxes, scores, most, overlap, least)
      at = Gather<axis=1>(chosen, two) flat = Squeeze(boxes) y = Gather<axis=0>(flat, at) }""")
    outputs, left = advice(source, target="bvlc")
    assert (outputs, left) == (["boxes", "scores"], "NonMaxSuppression, Gather (2), Squeeze")
    assert list(to_caffe(source, outputs=outputs, target="bvlc").outputs) == outputs


def test_the_intermediate_is_cut_likewise() -> None:
    source = model(
        """(float[1,4] x) => (float[1,4] y)
    { a = Relu(x) y = If <then_branch = g () => (float[1,4] t) { t = Relu(x) }, else_branch = h () => (float[1,4] e)
      { e = Neg(x) }> (c) c = Cast<to=9>(a) }""".replace("(c) c = Cast<to=9>(a)", "(c)").replace(
            "a = Relu(x)", "a = Relu(x) s = ReduceMax<keepdims=0>(a) c = Cast<to=9>(s)"
        )
    )
    with pytest.raises(ConversionError, match=r"Try: --outputs c \(or auto\), which leaves for you to compute: If\."):
        to_caffe(source)
    assert [output.name for output in to_onnx(source, outputs=["c"]).graph.output] == ["c"]


def hybrid(mx: Any, forward: Callable[..., Any]) -> Any:
    class Block(mx.gluon.HybridBlock):  # type: ignore[misc]
        def hybrid_forward(self, F: Any, *inputs: Any) -> Any:  # noqa: N803
            return forward(F, *inputs)

    return Block(prefix="block_")


def sorted_ceiling(F: Any, x: Any) -> Any:  # noqa: N803
    """`sort` is refused by the export; `ceil`, which is left, by the lowering."""
    parts = F.split(F.relu(x, name="first"), num_outputs=3, axis=1, name="parts")
    return F.broadcast_add(F.sort(F.ceil(parts[2], name="up"), name="order"), F.tanh(x, name="side"))


def test_a_cut_is_cut_again_where_the_next_stage_refuses_it(mx: Any, tmp_path: Path) -> None:
    net = hybrid(mx, sorted_ceiling)
    expected = (["block_parts2", "block_side"], "ceil, sort, broadcast_add")
    outputs, left = advice(net, (1, 3, 8, 8))
    assert (sorted(outputs), left) == (expected[0], "Ceil, sort, broadcast_add")
    files = (tmp_path / "net-symbol.json", tmp_path / "net-0000.params")
    net(mx.sym.var("data")).save(str(files[0]))
    mx.nd.save(str(files[1]), {})
    assert sorted(advice(files, (1, 3, 8, 8))[0]) == expected[0]
    made = to_caffe(files, (1, 3, 8, 8), outputs="auto")
    assert sorted(made.outputs) == expected[0]


def test_regions_are_cut_off(mx: Any) -> None:
    net = hybrid(
        mx, lambda s, x, rois: s.contrib.ROIAlign(s.relu(x, name="map"), rois, pooled_size=(2, 2), spatial_scale=1.0)
    )
    shapes = {"data": (1, 3, 8, 8), "rois": (4, 5)}
    assert advice(net, shapes) == (["block_map"], "_contrib_ROIAlign")
    assert list(to_caffe(net, shapes, outputs=["block_map"]).inputs) == ["data"]


def test_the_advice_can_be_pasted_on_the_command_line(tmp_path: Path) -> None:
    source, made = tmp_path / "net.onnx", tmp_path / "made"
    onnx.save(model("(float[1,4] x) => (float[1,4] y) { a = Relu(x) b = Tanh(x) c = Tan(a) y = Add(b, c) }"), source)
    command = ["convert", str(source), "-o", str(made)]
    refused = CliRunner().invoke(commands, command)
    assert refused.exit_code == 1
    pasted = re.search(r"Try: (--outputs \S+)", refused.stderr)
    assert pasted is not None
    assert CliRunner().invoke(commands, [*command, *pasted[1].split()]).exit_code == 0
    told = json.loads(CliRunner().invoke(commands, [*command, "--json"]).stdout)["error"]
    assert told["cut"] == {"outputs": ["a", "b"], "left": ["Tan", "Add"]}
    automatic = CliRunner().invoke(commands, [*command, "--outputs", "auto", "--verify", "--readers", "opencv"])
    assert automatic.exit_code == 0, automatic.output
    assert "Cut at a, b. Left for you to compute: Tan, Add." in automatic.stdout
    verified = ["verify", str(made), str(source), "--outputs", "auto", "--readers", "opencv"]
    assert CliRunner().invoke(commands, verified).exit_code == 0


@pytest.mark.parametrize(
    ("refused", "usable", "outputs", "left"),
    [
        ({3}, "abcdef", ("b", "c"), ("four", "five")),
        ({3}, "acdef", ("a", "c"), ("two", "four", "five")),
        ({1}, "abcdef", ("a", "c"), ("two", "four", "five")),
        ({2, 3}, "abcdef", ("a", "b"), ("three", "four", "five")),
    ],
)
def test_the_frontier(refused: set[int], usable: str, outputs: tuple[str, ...], left: tuple[str, ...]) -> None:
    steps = [
        Step("one", ("x",), ("a",)),
        Step("two", ("a",), ("b",)),
        Step("three", ("a",), ("c",)),
        Step("four", ("b", "c"), ("d",)),
        Step("five", ("d", "k"), ("e",)),
        Step("unread", ("d",), ("f",)),
    ]
    cut = cut_before(steps, refused, ["x"], ["e"], usable.__contains__)
    assert cut is not None
    assert (cut.outputs, cut.left) == (outputs, left)


def test_the_zoo_gives_the_nets_with_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    from gluon2caffe.bridge import zoo

    built = []

    class Zoo:
        class model_zoo:  # noqa: N801
            @staticmethod
            def get_model_list() -> list[str]:
                return ["faster_rcnn_resnet50_v1b_voc"]

            @staticmethod
            def get_model(name: str, **options: Any) -> None:
                built.append((name, options))
                raise RuntimeError("not here")

    monkeypatch.setattr(zoo, "_gluoncv", lambda: Zoo)
    with pytest.raises(ConversionError, match="not here"):
        zoo.zoo_net("faster_rcnn_resnet50_v1b_voc", random=True)
    assert built == [("faster_rcnn_resnet50_v1b_voc", {"pretrained": False, "pretrained_base": False})]


def test_numbers_of_what_was_cut_are_the_sources(mx: Any) -> None:
    net = hybrid(mx, sorted_ceiling)
    made = to_caffe(net, (1, 3, 8, 8), outputs="auto")
    import cv2

    x = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)
    reader = cv2.dnn.readNetFromCaffe(made.prototxt().encode(), made.to_proto().SerializeToString())
    reader.setInput(x)
    part = reader.forward(made.outputs["block_parts2"])
    assert np.array_equal(part, np.maximum(x[:, 2:], 0))
