"""Checks that could be taken out without a test failing: each test here fails where one of them is gone or weaker."""

from pathlib import Path
from typing import Any

import pytest
from agreement import Case, check, model, table
from google.protobuf import text_format

import gluon2caffe
from gluon2caffe.onnx2caffe.caffe_pb2 import NetParameter
from gluon2caffe.onnx2caffe.errors import ConversionError, SourceError
from gluon2caffe.onnx2caffe.model import CaffeModel
from gluon2caffe.onnx2caffe.node import UnsupportedNodeError, axis_of
from gluon2caffe.onnx2caffe.read import read_model

RANDOM = {
    "RandomUniform": "r = RandomUniform<shape=[1,4]>()",
    "RandomNormal": "r = RandomNormal<shape=[1,4]>()",
    "RandomUniformLike": "r = RandomUniformLike(c)",
    "RandomNormalLike": "r = RandomNormalLike(c)",
    "Bernoulli": "r = Bernoulli(c)",
    "Multinomial": "i = Multinomial<sample_size=4>(c)\n r = Cast<to=1>(i)",
}


@pytest.mark.parametrize("body", RANDOM.values(), ids=list(RANDOM))
def test_random_numbers_are_never_folded_into_constants(body: str) -> None:
    source = model(f"(float[1,4] x) => (float[] y) <float[1,4] c> {{ {body}\n y = Add(x, r) }}", opset=15)
    with pytest.raises(ConversionError, match="random numbers"):
        gluon2caffe.to_caffe(source)


def test_dropout_in_training_mode_is_refused_and_in_inference_mode_is_not() -> None:
    text = (
        "(float[1,4] x) => (float[] y) <float ratio = {{0.5}}, bool mode = {{{0}}}> {{ y = Dropout(x, ratio, mode) }}"
    )
    with pytest.raises(ConversionError, match="Dropout"):
        gluon2caffe.to_caffe(model(text.format(1)))
    check(model(text.format(0)))


KEPT_APART = {
    "Pad along named axes before Conv": Case(
        "(float[1,2,4,5] x) => (float[] y) <float[3,2,3,3] w, int64[2] p = {2,1}, int64[1] axes = {3}> {"
        " a = Pad(x, p, , axes)\n y = Conv(a, w) }",
        opset=18,
    ),
    "length over the channels, its axis dropped": Case(
        "(float[2,2,3,3] x) => (float[] y) <int64[1] axes = {1}> {"
        " s = Mul(x, x)\n t = ReduceSum<keepdims=0>(s, axes)\n n = Sqrt(t)\n y = Div(x, n) }",
        span=(0.5, 3.0),
    ),
    "length over the channels by ReduceL2, its axis dropped": Case(
        "(float[2,2,3,3] x) => (float[] y) { n = ReduceL2<axes=[1], keepdims=0>(x)\n y = Div(x, n) }",
        span=(0.5, 3.0),
    ),
    "RMSNormalization of small values, epsilon left out": Case(
        "(float[1,3,8] x) => (float[] y) <float[8] s> { y = RMSNormalization(x, s) }", opset=23, span=(-5e-3, 5e-3)
    ),
    "RMSNormalization of small values, epsilon given": Case(
        "(float[1,3,8] x) => (float[] y) <float[8] s> { y = RMSNormalization<epsilon=0.001>(x, s) }",
        opset=23,
        span=(-5e-3, 5e-3),
    ),
    "LayerNormalization of small values, epsilon left out": Case(
        "(float[1,3,8] x) => (float[] y) <float[8] s> { y = LayerNormalization(x, s) }", opset=17, span=(-5e-3, 5e-3)
    ),
    "InstanceNormalization of small values, epsilon left out": Case(
        "(float[1,3,4,4] x) => (float[] y) <float[3] s, float[3] b> { y = InstanceNormalization(x, s, b) }",
        span=(-5e-3, 5e-3),
    ),
}


@table(KEPT_APART)
def test_what_looks_alike_is_kept_apart(case: Case) -> None:
    case.check()


@pytest.mark.parametrize(("value", "found"), [(0, 0), (3, 3), (-1, 3), (-4, 0)])
def test_axes_are_counted_from_the_front(value: int, found: int) -> None:
    assert axis_of(value, 4) == found


@pytest.mark.parametrize("value", [4, -5, 100])
def test_axes_outside_a_tensor_are_refused(value: int) -> None:
    with pytest.raises(UnsupportedNodeError, match=f"axis {value} is outside a tensor of 4 axes"):
        axis_of(value, 4)


def test_a_dilated_window_wholly_in_the_padding_is_refused() -> None:
    # The second window looks at places -1 and 4 of a length of 4.
    text = "(float[1,1,4,4] x) => (float[] y) { y = MaxPool<kernel_shape=[2,2], dilations=[5,5], pads=[2,2,2,2]>(x) }"
    with pytest.raises(ConversionError, match="one of its windows lies wholly outside its input"):
        gluon2caffe.to_caffe(model(text))


def test_top_k_is_no_larger_than_the_number_of_boxes(mx: Any) -> None:
    from tests.telling_detector import initialise_detector
    from tests.unit.ssd_heads.small_ssd import small_ssd

    net = small_ssd(nms_topk=100_000, post_nms=100_000)
    initialise_detector(net, (1, 3, 96, 96))
    converted = gluon2caffe.to_caffe(net)
    (output,) = [layer.message for layer in converted.layers if layer.message.type == "DetectionOutput"]
    boxes = 12 * 12 * 4 + 6 * 6 * 6 + 3 * 3 * 4
    assert output.detection_output_param.nms_param.top_k == boxes
    assert output.detection_output_param.keep_top_k == boxes * 3


INPUTS = {
    "a shape for each": ("input_param { shape { dim: [1, 2] } shape { dim: [3, 4] } }", {"a": (1, 2), "b": (3, 4)}),
    "one shape for both": ("input_param { shape { dim: [1, 2] } }", {"a": (1, 2), "b": (1, 2)}),
}


@pytest.mark.parametrize(("fields", "inputs"), INPUTS.values(), ids=list(INPUTS))
def test_several_tops_of_an_input(fields: str, inputs: dict[str, tuple[int, ...]], tmp_path: Path) -> None:
    text = f"""layer {{ name: "in" type: "Input" top: "a" top: "b" {fields} }}
        layer {{ name: "y" type: "Concat" bottom: "a" bottom: "b" top: "y" }}"""
    net = text_format.Parse(text, NetParameter())
    (tmp_path / "net.prototxt").write_text(text)
    (tmp_path / "net.caffemodel").write_bytes(net.SerializeToString())
    read = read_model(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    assert (read.inputs, read.outputs) == (inputs, {"y": "y"})
    assert [layer.message.name for layer in read.layers] == ["y"]


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_weights_that_are_missing_from_the_file_are_noticed(kind: str, tmp_path: Path) -> None:
    layers = '{{ name: "s" type: "{}" bottom: "x"{} top: "s" }}'
    head = 'input: "x" input_shape { dim: [1, 2] } input: "f" input_shape { dim: [1, 2] } layer '
    (tmp_path / "net.caffemodel").write_bytes(b"\x0a\x03net")
    (tmp_path / "net.prototxt").write_text(head + layers.format(kind, ""))
    with pytest.raises(SourceError, match="'s'"):
        read_model(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    # With its factor as a second bottom it has none of its own.
    (tmp_path / "net.prototxt").write_text(head + layers.format(kind, ' bottom: "f"'))
    read = read_model(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    assert isinstance(read, CaffeModel)
    assert read.layer("s").blobs == []
