"""A file that fixes the size of its input, converted at another."""

from __future__ import annotations

import cv2
import numpy as np
import onnx
import pytest
from agreement import model, random_inputs

import gluon2caffe
from gluon2caffe import SourceError
from gluon2caffe.bridge.verification.other_size import at_other_size, fixes_other_size
from gluon2caffe.bridge.verification.reference_onnx import run_onnx

FIXED = """(float[1,3,8,8] x) => (float[1,4,2,2] y) <float[4,3,3,3] w> {
 c = Conv(x, w)
 y = MaxPool<kernel_shape=[5,5]>(c) }"""
DENSE = """(float[1,3,8,8] x) => (float[1,2] y) <float[48,2] w, int64[2] r = {1,48}> {
 p = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)
 f = Reshape(p, r)
 y = MatMul(f, w) }"""


def _opencv(made: gluon2caffe.Conversion, x: np.ndarray) -> np.ndarray:
    net = cv2.dnn.readNetFromCaffe(made.prototxt().encode(), made.to_proto().SerializeToString())
    net.setInput(x)
    return np.array(net.forward())


def test_another_size_gives_what_the_file_computes_there() -> None:
    source = model(FIXED)
    made = gluon2caffe.to_caffe(source, (2, 3, 11, 9))
    assert made.inputs == {"x": (2, 3, 11, 9)}
    x = random_inputs(made.inputs)["x"]
    np.testing.assert_allclose(_opencv(made, x), run_onnx(source, {"x": x})["y"], atol=1e-5)
    assert len(made.notes) == 1
    assert made.notes[0].startswith(
        "the file fixes input x at 1×3×8×8, and was converted at 2×3×11×9: what its exporter"
    )


def test_another_batch_alone_is_no_other_size() -> None:
    assert gluon2caffe.to_caffe(model(FIXED), (5, 3, 8, 8)).notes == []


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 12, 8), r"Node 'f' \(Reshape\) makes \[1, 48\] of \[1, 3, 6, 4\]: 48 numbers of 72\."),
        ((1, 4, 12, 8), r"Node 'f' \(Reshape\) makes \[1, 48\] of \[1, 4, 6, 4\]: 48 numbers of 96\."),
        ((1, 3, 1, 8), "p"),
    ],
)
def test_a_node_in_the_way_is_named(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        gluon2caffe.to_caffe(model(DENSE), shape)


def test_shapes_that_only_the_file_knows_stand_in_the_way() -> None:
    text = """<ir_version: 8, opset_import: ["": 13, "mine": 1]> net (float[1,3,8,8] x) => (float[1,3,8,8] y)
        <float[1,3,8,8] a> { a = mine.Odd(x) y = Relu(a) }"""
    source = onnx.parser.parse_model(text)
    with pytest.raises(SourceError, match="Odd 'a' is no operator of ONNX, and its shapes are only known at the size"):
        gluon2caffe.to_caffe(source, (1, 3, 9, 9))


def test_the_reference_runs_at_the_size_of_its_inputs() -> None:
    source = model(FIXED)
    assert not fixes_other_size(source, {"x": (7, 3, 8, 8)})
    assert fixes_other_size(source, {"x": (1, 3, 8, 9)})
    open_sizes = at_other_size(source, {"x": (1, 3, 8, 9)})
    assert [dim.dim_value for dim in open_sizes.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 8, 9]
    array = random_inputs({"x": (1, 3, 10, 9)})
    assert run_onnx(source, array)["y"].shape == (1, 4, 4, 3)
    np.testing.assert_array_equal(
        run_onnx(source, array)["y"], run_onnx(at_other_size(source, {"x": (1, 3, 10, 9)}), array)["y"]
    )
