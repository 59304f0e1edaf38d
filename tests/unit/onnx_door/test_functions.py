"""Functions are written out in the graph, and what they leave there says which node called them."""

import inspect
from collections.abc import Mapping

import numpy as np
import onnx
import onnx.inliner
import onnx.parser
import pytest
from agreement import agrees, check, layer_types, model, random_inputs
from onnx.reference import ReferenceEvaluator

import gluon2caffe
from gluon2caffe import UnsupportedModelError
from gluon2caffe.bridge.onnx_source import functions
from gluon2caffe.bridge.origins import walk_back

TWIST = '<domain: "my", opset_import: ["": 13]> Twist (x) => (y) { a = Abs(x)\n y = Neg(a) }'

takes_apart = pytest.mark.skipif(
    "inline_schema_functions" not in inspect.signature(onnx.inliner.inline_selected_functions).parameters,
    reason=f"onnx {onnx.__version__} does not write out the operators that it defines by others",
)


def _calls(body: str) -> onnx.ModelProto:
    text = f'<ir_version: 8, opset_import: ["": 13, "my": 1]> net (float[2,3] x) => (float[2,3] y) {{ {body} }}'
    source = onnx.parser.parse_model(text)
    source.functions.append(onnx.parser.parse_function(TWIST))
    return source


def test_each_node_is_the_work_of_its_call() -> None:
    converted = gluon2caffe.to_caffe(_calls("[one] b = my.Twist(x)\n [two] c = my.Twist(b)\n [three] y = Tanh(c)"))
    assert layer_types(converted) == ["AbsVal", "Power", "AbsVal", "Power", "TanH"]
    assert list(walk_back(converted).values()) == [("one",), ("one",), ("two",), ("two",), ("three",)]


def test_a_call_without_a_name_goes_by_what_it_makes() -> None:
    converted = gluon2caffe.to_caffe(_calls("y = my.Twist(x)"))
    assert list(walk_back(converted).values()) == [("y",), ("y",)]


DEFINED: Mapping[str, tuple[int, str]] = {
    "attention": (
        23,
        "(float[1,2,4,8] x) => (float[] y) <float[1,2,6,8] k, float[1,2,6,8] v> { y = Attention(x, k, v) }",
    ),
    "attention, three axes, causal, and a cache": (
        23,
        """(float[1,4,16] x) => (float[] y) <float[1,4,16] k, float[1,4,16] v, float[1,2,3,8] pk, float[1,2,3,8] pv>
        { y = Attention<q_num_heads=2, kv_num_heads=2>(x, k, v, , pk, pv) }""",
    ),
    "centre, cropped and padded": (
        18,
        "(float[2,3,6,5] x) => (float[] y) <int64[2] s={4,8}> { y = CenterCropPad<axes=[2,3]>(x, s) }",
    ),
    "rotary embedding": (
        23,
        "(float[2,4,3,8] x) => (float[] y) <float[2,3,4] c, float[2,3,4] s> { y = RotaryEmbedding(x, c, s) }",
    ),
    "gate": (28, "(float[2,6] x) => (float[] y) <float[2,6] w> { y = SwiGLU(x, w) }"),
    "convolution with a state": (
        27,
        "(float[2,4,8] x) => (float[] y) <float[4,1,3] w> { y, s = CausalConvWithState(x, w) }",
    ),
}


@takes_apart
@pytest.mark.parametrize(("opset", "text"), DEFINED.values(), ids=list(DEFINED))
def test_operators_that_onnx_defines_by_others(opset: int, text: str) -> None:
    if onnx.defs.onnx_opset_version() < opset:
        pytest.skip(f"onnx {onnx.__version__} does not know opset {opset}")
    source = model(text, opset=opset)
    converted = gluon2caffe.to_caffe(source)
    fed = random_inputs(converted.inputs)
    expected = ReferenceEvaluator(source).run(None, dict(fed))
    agrees(converted, fed, {"y": np.asarray(expected[0])})
    assert {name for names in walk_back(converted).values() for name in names} == {"y"}


@takes_apart
def test_an_operator_in_the_middle_of_a_net() -> None:
    check(
        model(
            """(float[1,3,6,6] x) => (float[] y) <float[4,3,3,3] w, int64[2] s={2,7}> {
            a = Conv(x, w)\n b = CenterCropPad<axes=[2,3]>(a, s)\n y = Relu(b) }""",
            opset=18,
        )
    )


def test_an_onnx_that_cannot_write_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(model: onnx.ModelProto, keys: object) -> onnx.ModelProto:
        raise AssertionError("not to be called")

    monkeypatch.setattr(functions.onnx.inliner, "inline_selected_functions", without)
    source = model("(float[2,3,6,5] x) => (float[] y) <int64[4] s={2,3,4,8}> { y = CenterCropPad(x, s) }", opset=18)
    with pytest.raises(UnsupportedModelError, match=r"CenterCropPad 'y' .*no exact translation"):
        gluon2caffe.to_caffe(source)
