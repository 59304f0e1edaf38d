"""Outputs that a Caffe net does not give: constants are saved as arrays, casts to integers end before the cast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from agreement import model

import gluon2caffe
from gluon2caffe import ConversionError

CONSTANTS = """(float[1,3,4,4] x) => (int64[4] s, float[] y, float[2] k) <float[2] c> {
    y = Relu(x)
    k = Neg(c)
    s = Shape(x)
}"""
CASTS = """(float[1,6] x) => (float[] y, int32[] z, int64[] best) {
    y = Softmax(x)
    a = Abs(x)
    z = Cast<to=6>(a)
    best = ArgMax<axis=1>(y)
}"""


def test_constants_are_saved_beside_the_model(tmp_path: Path) -> None:
    made = gluon2caffe.to_caffe(model(CONSTANTS, c=[1.5, -2.0]))
    assert list(made.outputs) == ["y"]
    saved = made.save(tmp_path / "net")
    np.testing.assert_array_equal(np.load(saved.array("k")), np.float32([-1.5, 2.0]))
    np.testing.assert_array_equal(np.load(saved.array("s")), [1, 3, 4, 4])
    assert made.notes == [
        "output s is a constant of the source, saved as an array and not computed",
        "output k is a constant of the source, saved as an array and not computed",
    ]


def test_a_constant_whose_name_is_no_file_name(tmp_path: Path) -> None:
    source = model(CONSTANTS, c=[1.5, -2.0])
    source.graph.node[1].output[0] = source.graph.output[2].name = "head/k:0"
    made = gluon2caffe.to_caffe(source)
    saved = made.save(tmp_path / "net")
    assert (tmp_path / "net.head_k_0.npy").exists()
    assert [path.name for path in made.files(saved)][2:] == ["net.s.npy", "net.head_k_0.npy"]


def test_a_cast_to_integers_ends_before_it() -> None:
    made = gluon2caffe.to_caffe(model(CASTS), target="bvlc")
    assert list(made.outputs) == ["y", "a", "best"]
    assert made.source_ends == ("y", "a", "best")
    assert made.notes[0] == "output z is a cast to int32, towards zero; the Caffe net gives a as it is before the cast"


@pytest.mark.parametrize("text", [CONSTANTS, CASTS.replace(", int64[] best", "").replace("best = ", "other = ")])
def test_verify_compares_what_is_left(text: str) -> None:
    source = model(text)
    report = gluon2caffe.verify(gluon2caffe.to_caffe(source), source, readers=["opencv"])
    assert report.passed
    assert [row.output for row in report.rows] == (["y"] if text == CONSTANTS else ["y", "a"])


def test_a_cast_of_another_output_or_of_an_input_is_left_out() -> None:
    text = "(float[1,6] x) => (float[] y, int32[] z, int32[] w) { y = Abs(x)\n z = Cast<to=6>(y)\n w = Cast<to=6>(x) }"
    made = gluon2caffe.to_caffe(model(text))
    assert list(made.outputs) == ["y"]
    assert made.notes[1] == "output w is x cast to int32, towards zero; x is an input, so it is left out"


def test_a_cast_that_is_read_is_still_refused() -> None:
    text = "(float[1,6] x) => (float[] y, int32[] z) { a = Abs(x)\n z = Cast<to=6>(a)\n y = Cast<to=1>(z) }"
    with pytest.raises(ConversionError, match="it casts to a type that is not a float"):
        gluon2caffe.to_caffe(model(text))


def test_a_net_of_constants_alone_is_refused() -> None:
    with pytest.raises(ConversionError, match="Output 's' is a constant, not computed from the input"):
        gluon2caffe.to_caffe(model("(float[1,3] x) => (int64[] s) { s = Shape(x) }"))
