"""Differences that are not the converter's: rounding in the reference, in the reader, or in the net itself."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from agreement import model
from onnx import numpy_helper

import gluon2caffe
from gluon2caffe.bridge.verification import against_source, outputs
from gluon2caffe.bridge.verification.compare import WITHIN_SENSITIVITY, compare
from gluon2caffe.bridge.verification.double_sigmoid import with_double_sigmoids
from gluon2caffe.bridge.verification.readers import OpenCVReader
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.bridge.verification.report import Row
from gluon2caffe.bridge.verification.rounding import SIGMOID_ROUNDING, rounding_floors
from gluon2caffe.bridge.verification.run import ReaderResults
from gluon2caffe.bridge.verification.sensitivity import INPUT_MOVE, Sensitivity, measure, moved

SMALL_SCORES = "(float[1,8] x) => (float[] y) <float[1,8] shift> { a = Add(x, shift)\n y = Sigmoid(a) }"


def test_the_reference_of_a_sigmoid_near_zero_has_relative_accuracy() -> None:
    x = np.linspace(-18, -12, 8, dtype=np.float32).reshape(1, 8)
    source = model(SMALL_SCORES, shift=np.zeros((1, 8)))
    expected = 1 / (1 + np.exp(-x.astype(np.float64)))
    # onnxruntime alone is up to 6.5 of the value off here.
    np.testing.assert_allclose(run_onnx(source, {"x": x})["y"], expected, rtol=1e-6)


def test_sigmoids_inside_branches_and_functions_are_found() -> None:
    source = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 13, "own": 1]> net (float[1,2] x) => (float[1,2] y) <bool yes = {1}> {
            b = If(yes) <then_branch = one () => (float[1,2] t) { t = Sigmoid(x) },
                         else_branch = two () => (float[1,2] e) { e = Neg(x) }>
            y = own.gate(b)
        }
        <opset_import: ["": 13], domain: "own"> gate (a) => (r) { r = Sigmoid(a) }"""
    )
    twin = with_double_sigmoids(source)
    assert [node.op_type for node in twin.functions[0].node] == ["Cast", "Sigmoid", "Cast"]
    assert [node.op_type for node in twin.graph.node[0].attribute[0].g.node] == ["Cast", "Sigmoid", "Cast"]
    assert [node.op_type for node in source.functions[0].node] == ["Sigmoid"]
    x = np.array([[-18, -15]], np.float32)
    inner = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(run_onnx(source, {"x": x})["y"], 1 / (1 + np.exp(-inner)), rtol=1e-6)


FLOORS = {
    "sigmoid": ("y = Sigmoid(x)", SIGMOID_ROUNDING),
    "moved": ("a = Sigmoid(x)\n b = Transpose<perm=[0,2,3,1]>(a)\n y = Flatten(b)", SIGMOID_ROUNDING),
    "scaled": ("a = Sigmoid(x)\n y = Mul(a, four)", 4 * SIGMOID_ROUNDING),
    "product of probabilities": ("a = Sigmoid(x)\n b = Neg(x)\n c = Sigmoid(b)\n y = Mul(a, c)", 2 * SIGMOID_ROUNDING),
    "product with something larger": ("a = Sigmoid(x)\n b = Exp(x)\n y = Mul(a, b)", 0.0),
    "beside another": ("a = Sigmoid(x)\n b = Exp(x)\n y = Concat<axis=1>(b, a)", SIGMOID_ROUNDING),
    "none": ("y = Tanh(x)", 0.0),
    "behind a sum": ("a = Sigmoid(x)\n y = Add(a, x)", 0.0),
}


@pytest.mark.parametrize(("body", "floor"), FLOORS.values(), ids=list(FLOORS))
def test_the_floor_follows_from_the_last_layers(body: str, floor: float) -> None:
    converted = gluon2caffe.to_caffe(model(f"(float[1,2,3,4] x) => (float[] y) <float four = {{4.0}}> {{ {body} }}"))
    assert rounding_floors(converted) == {"y": floor}


def test_a_difference_below_the_floor_passes_and_one_above_does_not() -> None:
    reference = {"y": np.array([[1e-6, 1e-7]], np.float32)}
    for apart, passed in ((0.9 * SIGMOID_ROUNDING, True), (1.2 * SIGMOID_ROUNDING, False)):
        found = {"y": reference["y"] + np.array([[apart, 0]], np.float32)}
        report = compare({"A": found}, reference, floors={"y": SIGMOID_ROUNDING})
        assert report.passed is passed


def test_inputs_move_by_a_part_of_the_largest() -> None:
    x = np.array([[0.0, -2.0, 1.0]], np.float32)
    after = moved({"x": x}, np.random.default_rng(0))["x"].astype(np.float64)
    np.testing.assert_allclose(np.abs(after - x), 2 * INPUT_MOVE, rtol=0.1)


def test_the_sensitivity_is_the_largest_change_of_the_source() -> None:
    (found,) = measure(
        lambda raw: [1000 * raw["x"]], {"x": np.ones((1, 4), np.float32)}, [np.full((1, 4), 1000.0)], moves=2
    )
    assert found.absolute == pytest.approx(1000 * INPUT_MOVE, rel=0.05)
    assert found.mean_square == pytest.approx((1000 * INPUT_MOVE) ** 2, rel=0.1)


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        ([1, 0, 0, 1], True),  # as many jumped as do in the source
        ([1, 0, 0, 0.5], True),
        ([0, 1, 1, 1], False),  # three did
        ([1, 0, 0, 3], False),  # one jumped further
    ],
)
def test_a_difference_within_the_own_sensitivity_is_named_so(found: list[float], passed: bool) -> None:
    reference = {"y": np.array([[1, 0, 0, 0]], np.float32)}
    own = {"y": Sensitivity(absolute=1.0, mean_square=0.25)}
    report = compare({"A": {"y": np.array([found], np.float32)}}, reference, sensitivities=own)
    (row,) = report.rows
    assert (row.passed, row.verdict, row.sensitivity) == (passed, WITHIN_SENSITIVITY if passed else "DIFFERS", 1.0)
    words = "Agreed within 0.0001 or as far as rounding allows on A." if passed else "Not agreed within 0.0001 on A."
    assert str(report).splitlines()[-1] == words


def test_a_chaotic_net_agrees_within_its_own_sensitivity() -> None:
    reference = {"y": np.array([[0.5, -0.5]], np.float32)}
    run_moved = [np.array([[0.4, -0.6]], np.float32)]
    own = dict(
        zip(reference, measure(lambda _: run_moved, {"x": reference["y"]}, [reference["y"]], moves=1), strict=True)
    )
    report = compare({"A": {"y": np.array([[0.45, -0.45]], np.float32)}}, reference, sensitivities=own)
    assert report.rows[0].verdict == WITHIN_SENSITIVITY
    assert own["y"].absolute == pytest.approx(0.1)


def test_the_report_says_how_sensitive_the_source_is() -> None:
    source = model("(float[1,4] x) => (float[] y) <float ten = {10.0}> { y = Mul(x, ten) }")
    converted = gluon2caffe.to_caffe(source)
    report = gluon2caffe.verify(converted, source, np.array([[1, 2, 0, -4]], np.float32), readers=[OpenCVReader()])
    assert report.passed
    assert report.rows[0].sensitivity == pytest.approx(40 * INPUT_MOVE, rel=0.1)
    assert report.notes == (
        "The source's own sensitivity: rounding its input (by 9.5e-07 of the largest value) moves y by 3.8e-05"
        " (relative 9.5e-07).",
    )


def test_integers_do_not_move() -> None:
    source = model("(uint8[1,4] x) => (float[] y) { y = Cast<to=1>(x) }")
    report = gluon2caffe.verify(gluon2caffe.to_caffe(source), source, readers=[OpenCVReader()])
    assert report.passed
    assert (report.notes, report.rows[0].sensitivity) == ((), None)


@pytest.mark.parametrize("without", [1e-5, 3e-4])
def test_opencv_is_asked_again_without_winograd(monkeypatch: pytest.MonkeyPatch, without: float) -> None:
    source = model("(float[1,2] x) => (float[] y) { y = Neg(x) }")
    exact = np.array([[-1, -2]], np.float32)
    asked: list[bool] = []

    def ran(readers: Any, *_: Any) -> ReaderResults:
        (reader,) = readers
        plain = "no-winograd" in reader._command
        asked.append(plain)
        return ReaderResults({"OpenCV": {"y": exact * np.float32(1 + (without if plain else 2e-4))}})

    monkeypatch.setattr(outputs, "run_readers", ran)
    report = gluon2caffe.verify(gluon2caffe.to_caffe(source), source, -exact, readers=[OpenCVReader()], tolerance=1e-4)
    assert asked[:2] == [False, True]
    row = report.rows[0]
    if without < 1e-4:
        assert (row.passed, row.remark) == (True, "agrees: without its Winograd convolutions 1e-05")
    else:
        assert (row.passed, row.verdict) == (False, "DIFFERS: without its Winograd convolutions 0.0003")


def test_an_intermediate_that_onnx_refuses_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    source = model("(float[1,2] x) => (float[] y) { y = Neg(x) }")
    other = model("(float[1,2] x) => (float[] y) { y = Abs(x) }")

    def refuse(_: Any) -> onnx.ModelProto:
        raise onnx.shape_inference.InferenceError("[ShapeInferenceError] ranks differ")

    monkeypatch.setattr(against_source, "as_model", refuse)
    x = np.array([[1, -2]], np.float32)
    converted = gluon2caffe.to_caffe(source)
    report = gluon2caffe.verify(converted, other, x, readers=[OpenCVReader()])
    assert not report.passed
    assert (
        report.notes[-1] == "The first layer that differs could not be looked for: [ShapeInferenceError] ranks differ"
    )


def test_a_row_that_fails_shows_its_remark() -> None:
    row = Row("OpenCV", "y", "y", (1, 2), 0.1, 0.1, False, remark="without its Winograd convolutions 0.1")
    assert row.verdict == "DIFFERS: without its Winograd convolutions 0.1"


def test_half_weights_are_noted(tmp_path: Path) -> None:
    source = model("(float[1,4] x) => (float[] y) { y = Neg(x) }")
    half = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 13]> net (float16[1,4] x) => (float16[1,4] y) { y = Mul(x, w) }"""
    )
    half.graph.initializer.append(numpy_helper.from_array(np.array([0.1, 0.2, 0.3, 0.4], np.float16), "w"))
    report = gluon2caffe.verify(gluon2caffe.to_caffe(half), half, readers=[OpenCVReader()])
    assert report.passed
    assert report.notes[0] == (
        "The source's weights are in half precision; it was run in single precision, as Caffe runs."
    )
    report = gluon2caffe.verify(gluon2caffe.to_caffe(source), source, readers=[OpenCVReader()])
    assert not any("precision" in note for note in report.notes)


@pytest.mark.parametrize(("dtype", "words"), [("float16", "half"), ("float64", "double"), ("float32", "")])
def test_gluon_nets_of_any_device_and_precision(mx: Any, dtype: str, words: str) -> None:
    net = mx.gluon.nn.HybridSequential()
    net.add(
        mx.gluon.nn.Conv2D(4, 3, in_channels=3), mx.gluon.nn.BatchNorm(in_channels=4), mx.gluon.nn.Activation("relu")
    )
    net.initialize(mx.init.Xavier(), ctx=mx.cpu(1))
    net.cast(dtype)
    report = gluon2caffe.verify(gluon2caffe.to_caffe(net, (1, 3, 8, 8)), net, readers=[OpenCVReader()])
    assert report.passed
    assert report.rows[0].absolute > 0
    assert [note for note in report.notes if "precision" in note] == (
        [f"The source's weights are in {words} precision; it was run in single precision, as Caffe runs."]
        if words
        else []
    )


def test_detections_of_equal_scores_are_undecidable_and_raw_heads_are_compared(mx: Any) -> None:
    from tests.telling_detector import initialise_detector
    from tests.unit.ssd_heads.small_ssd import small_ssd

    net = small_ssd()
    initialise_detector(net, (1, 3, 96, 96))
    for name, param in net.collect_params().items():
        if "convpredictor" in name and "weight" in name:
            param.set_data(param.data() * 1e4)  # a softmax of such differences is exactly 0 and 1
    converted = gluon2caffe.to_caffe(net)
    report = gluon2caffe.verify(converted, net, readers=[OpenCVReader()])
    assert report.notes[0].startswith("The detections are undecidable: ")
    assert report.notes[0].endswith("The raw predictions were compared instead.")
    assert [row.output for row in report.rows] == ["class_predictions", "box_predictions"]
    assert report.passed
