"""Inputs of whole numbers and truth values."""

import numpy as np
import pytest
from agreement import agrees, layer_types, model

import gluon2caffe
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.bridge.verification.run_errors import ReferenceModelError

PICTURE = """(uint8[1,4,5,3] x) => (float[] y) <float[2,3,3,3] w, float c={0.01}> {
    t = Transpose<perm=[0,3,1,2]>(x)\n f = Cast<to=1>(t)\n s = Mul(f, c)\n y = Conv(s, w) }"""


@pytest.mark.parametrize("kind", ["uint8", "int8", "int32", "int64"])
def test_whole_numbers_that_are_moved_and_cast(kind: str) -> None:
    source = model(PICTURE.replace("uint8", kind))
    converted = gluon2caffe.to_caffe(source)
    assert converted.notes == [f"input x is {kind} in the source; the Caffe net takes the numbers as float32"]
    x = np.random.default_rng(0).integers(0, 127, (1, 4, 5, 3)).astype(np.float32)
    agrees(converted, {"x": x}, run_onnx(source, {"x": x}))


def test_truth_values() -> None:
    source = model(
        "(bool[1,3] m, float[1,3] x) => (float[] y) { n = Not(m)\n y = Where(n, x, z) }".replace("z", "m2").replace(
            "y = Where", "m2 = Neg(x)\n y = Where"
        )
    )
    converted = gluon2caffe.to_caffe(source)
    assert converted.notes == ["input m holds truth values; the Caffe net takes 0 for false, else true"]
    fed = {"m": np.float32([[1, 0, 1]]), "x": np.float32([[1, 2, 3]])}
    agrees(converted, fed, {"y": np.float32([[-1, 2, -3]])})
    agrees(converted, fed, run_onnx(source, fed))


def test_verify_draws_what_the_source_takes() -> None:
    source = model(PICTURE)
    report = gluon2caffe.verify(gluon2caffe.to_caffe(source), source, samples=2)
    assert report.passed


def test_other_numbers_are_no_reference() -> None:
    with pytest.raises(ReferenceModelError, match=r"Input 'x' takes whole numbers \(uint8\); it was given others"):
        run_onnx(model(PICTURE), {"x": np.full((1, 4, 5, 3), 0.5, np.float32)})


def test_a_net_of_moves_alone() -> None:
    source = model("(int32[2,3] x) => (float[] y) { t = Transpose(x)\n y = Cast<to=1>(t) }")
    assert layer_types(gluon2caffe.to_caffe(source)) == ["Permute"]
