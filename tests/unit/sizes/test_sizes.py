"""What a model says of the sizes at which it is exact, and what it computes there."""

from typing import Any

import numpy as np
import onnx
import pytest
from agreement import model, random_inputs, run
from other_sizes import at_shapes

import gluon2caffe
from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.onnx2caffe.read import read_model

CONV = "<float[2,3,3,3] w>"
NETS = {
    "convolutions alone": (
        f"(float[1,3,12,16] x) => (float[] y) {CONV} {{ y = Conv<pads=[1,1,1,1]>(x, w) }}",
        "any size, any batch",
    ),
    "a kernel without padding": (
        f"(float[2,3,12,16] x) => (float[] y) {CONV} {{ y = Conv(x, w) }}",
        "any size from 3×3 up, any batch",
    ),
    "a pooling rounded down": (
        "(float[1,3,12,16] x) => (float[] y) { y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) }",
        "height and width ≡ 0 (mod 2) (y: rounding of the pooled size), any batch",
    ),
    "a pooling rounded down and cut": (
        "(float[1,3,13,16] x) => (float[] y) { y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) }",
        "height ≡ 1 (mod 2), width ≡ 0 (mod 2) (y: rounding of the pooled size), any batch",
    ),
    "a pooling rounded up": (
        "(float[1,3,12,16] x) => (float[] y) { y = MaxPool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(x) }",
        "any size from 2×2 up, any batch",
    ),
    "poolings in a row": (
        """(float[1,3,16,16] x) => (float[] y) {
            a = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)
            b = AveragePool<kernel_shape=[2,2], strides=[2,2]>(a)
            y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(b) }""",
        "height and width ≡ 0 (mod 8) (a: rounding of the pooled size; b: rounding of the pooled size; "
        "y: rounding of the pooled size), any batch",
    ),
    "padding that depends on the size": (
        f'(float[1,3,12,16] x) => (float[] y) {CONV} {{ y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w) }}',
        "height and width ≡ 0 (mod 2) (y: auto_pad), any batch",
    ),
    "a dense layer": (
        "(float[1,3,4,4] x) => (float[] y) <float[48,5] w> { a = Flatten(x)\n y = MatMul(a, w) }",
        "4×4 only (y: weights for fixed lengths), any batch",
    ),
    "a dense layer behind a global pooling": (
        """(float[1,3,4,4] x) => (float[] y) <float[3,5] w> {
            a = GlobalAveragePool(x)\n b = Flatten(a)\n y = MatMul(b, w) }""",
        "any size, any batch",
    ),
    "a factor for every place": (
        "(float[1,3,4,5] x) => (float[] y) <float[4,5] w> { y = Mul(x, w) }",
        "4×5 only (y: factors for fixed lengths), any batch",
    ),
    "a resize to a size": (
        """(float[1,3,4,5] x) => (float[] y) <int64[4] s = {1, 3, 8, 10}> {
            y = Resize<coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, , , s) }""",
        "4×5 only (y: a resize to given lengths), batch 1",
    ),
    "a resize by a factor": (
        """(float[1,3,4,5] x) => (float[] y) <float[4] s = {1.0, 1.0, 2.0, 2.0}> {
            y = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, , s) }""",
        "any size, any batch",
    ),
    "a Reshape that infers": (
        """(float[1,4,4,5] x) => (float[] y) <int64[4] s = {0, 2, -1, 0}> {
            a = Reshape(x, s)\n y = Softmax<axis=1>(a) }""",
        "any size, any batch",
    ),
    "a Reshape to lengths": (
        """(float[1,4,4,5] x) => (float[] y) <int64[4] s = {1, 2, 8, 5}> {
            a = Reshape(x, s)\n y = Softmax<axis=1>(a) }""",
        "4×5 only (a: a Reshape to fixed lengths), any batch",
    ),
    "two branches of one size": (
        f"""(float[1,3,8,8] x) => (float[] y) {CONV} {{
            a = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w)
            b = MaxPool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(a)
            c = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor">(b, , s)
            y = Add(a, c) }}""".replace("<float[2,3,3,3] w>", "<float[2,3,3,3] w, float[4] s = {1.0, 1.0, 2.0, 2.0}>"),
        "height and width ≡ 0 or 3 (mod 4) (y: its bottoms do not fit), any batch",
    ),
    "vectors": ("(float[2,7] x) => (float[] y) <float[7,5] w> { y = MatMul(x, w) }", "any batch"),
}


@pytest.mark.parametrize(("text", "words"), NETS.values(), ids=list(NETS))
def test_says_where_it_is_exact(text: str, words: str) -> None:
    assert _sizes(_converted(model(text))).words == words


def _converted(source: onnx.ModelProto) -> Conversion:
    given = onnx.ModelProto()
    given.CopyFrom(source)
    return gluon2caffe.to_caffe(given)


def _sizes(converted: Conversion) -> Any:
    assert converted.sizes is not None
    return converted.sizes


@pytest.mark.parametrize(("text", "words"), NETS.values(), ids=list(NETS))
@pytest.mark.parametrize("shape", [(1, 9, 13), (3, 11, 12), (2, 16, 24), (5, 8, 8)], ids=str)
def test_what_it_includes_is_exact_on_every_reader(text: str, words: str, shape: tuple[int, ...]) -> None:
    source = model(text)
    converted = _converted(source)
    (name, own), *_ = converted.inputs.items()
    shapes = {name: (shape[0], own[1], *shape[1:])[: len(own)]}
    if shapes == converted.inputs:
        return
    if not _sizes(converted).includes(shapes):
        assert _sizes(converted).why_not(shapes)
        return
    resized = at_shapes(source, shapes)
    assert resized is not None
    fed = random_inputs(shapes)
    (expected,) = run_onnx(resized, fed).values()
    for reader, found in run(converted, fed, reshape=True).items():
        (got,) = found.values()
        assert got.shape == expected.shape, reader
        assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max(), reader


WRONG = {
    "a pooling rounded down": (1, 3, 13, 16),
    "poolings in a row": (1, 3, 20, 16),
    "padding that depends on the size": (1, 3, 13, 17),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_it_leaves_out_is_wrong(name: str) -> None:
    source = model(NETS[name][0])
    converted = _converted(source)
    shapes = {"x": WRONG[name]}
    assert not _sizes(converted).includes(shapes)
    resized = at_shapes(source, shapes)
    assert resized is not None
    fed = random_inputs(shapes)
    (expected,) = run_onnx(resized, fed).values()
    for found in run(converted, fed, reshape=True).values():
        (got,) = found.values()
        assert got.shape != expected.shape or np.abs(got - expected).max() > 0.01 * np.abs(expected).max()


def test_numbers_computed_from_a_shape_bind_the_size() -> None:
    text = """(float[1,3,4,4] x) => (float[] y) <int64[1] two = {2}> {
        s = Shape(x)\n h = Gather<axis=0>(s, two)\n f = Cast<to=1>(h)\n y = Div(x, f) }"""
    assert _sizes(_converted(model(text))).words == "1×3×4×4 only (y: Div with numbers computed from a shape)"


def test_a_batch_taken_from_the_shape_binds_nothing() -> None:
    text = """(float[1,4,4,5] x) => (float[] y) <int64[1] zero = {0}, int64[1] rest = {-1}, float[80,3] w> {
        s = Shape(x)\n n = Gather<axis=0>(s, zero)\n t = Concat<axis=0>(n, rest)\n a = Reshape(x, t)
        b = Relu(a)\n y = Neg(b) }"""
    assert _sizes(_converted(model(text))).words == "any size, any batch"


def test_an_operator_that_nobody_read_for_sizes_holds_for_its_own_shape() -> None:
    text = "(float[1,3,4,5] x) => (float[] y) <int64 two = {2}> { y = CumSum(x, two) }"
    words = "4×5 only (y/sum: weights for fixed lengths; y: a matrix along an axis), batch 1"
    assert _sizes(_converted(model(text))).words == words


def test_the_statement_is_data_too() -> None:
    sizes = _sizes(_converted(model(NETS["a pooling rounded down and cut"][0])))
    assert sizes.as_data() == {
        "words": "height ≡ 1 (mod 2), width ≡ 0 (mod 2) (y: rounding of the pooled size), any batch",
        "any_batch": True,
        "axes": {
            "x": [
                {"least": 3, "modulus": 2, "remainders": [1]},
                {"least": 2, "modulus": 2, "remainders": [0]},
            ]
        },
        "reasons": ["y: rounding of the pooled size"],
    }
    assert sizes.includes((7, 3, 15, 8)) and not sizes.includes((1, 3, 15, 9)) and not sizes.includes((1, 4, 13, 16))
    with pytest.raises(ValueError, match="the model has the inputs x, not z"):
        sizes.includes({"z": (1, 3, 13, 16)})


def test_two_inputs_are_told_apart() -> None:
    text = """(float[1,3,4,4] x, float[1,3,6,6] z) => (float[] y, float[] u) {
        y = Relu(x)\n u = MaxPool<kernel_shape=[2,2], strides=[2,2]>(z) }"""
    words = "x any size; z height and width ≡ 0 (mod 2) (u: rounding of the pooled size), any batch"
    assert _sizes(_converted(model(text))).words == words


def test_the_files_say_it_in_their_first_line(tmp_path: Any) -> None:
    converted = _converted(model(NETS["a pooling rounded down"][0]))
    saved = converted.save(tmp_path / "net")
    first, rest = saved.prototxt.read_text().split("\n", 1)
    assert first == "# Exact at: height and width = 0 (mod 2) (y: rounding of the pooled size), any batch."
    assert rest == converted.prototxt() == read_model(*saved).prototxt()
    assert read_model(*saved).sizes is None
