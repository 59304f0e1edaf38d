import numpy as np
import pytest
from agreement import Case, check, layer_types, model, table

import bridge
from bridge import UnsupportedModelError


def _gemm(attributes: str, weight: str, addend: str | None = None) -> Case:
    declared = f"float[{weight}] w" + ("" if addend is None else f", float[{addend}] c")
    inputs = "x, w" if addend is None else "x, w, c"
    return Case(f"(float[2,4] x) => (float[] y) <{declared}> {{ y = Gemm<{attributes}>({inputs}) }}")


def _matmul(x: str, matrix: str, inputs: str = "x, w") -> Case:
    return Case(f"(float[{x}] x) => (float[] y) <float[{matrix}] w> {{ y = MatMul({inputs}) }}")


CASES = {
    "gemm": _gemm("", "4,7"),
    "gemm, transB": _gemm("transB=1", "7,4", "7"),
    "gemm, bias": _gemm("", "4,7", "7"),
    "gemm, bias of two axes": _gemm("", "4,7", "1,7"),
    "gemm, bias of one number": _gemm("", "4,7", "1"),
    "gemm, bias (1, 1)": _gemm("transB=1", "7,4", "1,1"),
    "gemm, scalar bias": Case("(float[2,4] x) => (float[] y) <float[4,7] w, float c={2}> { y = Gemm(x, w, c) }"),
    "gemm, alpha": _gemm("alpha=0.5", "4,7"),
    "gemm, alpha and beta": _gemm("alpha=0.5, beta=2.0, transB=1", "7,4", "7"),
    "gemm, beta 0": _gemm("beta=0.0", "4,7", "7"),
    "matmul": _matmul("2,4", "4,7"),
    "matmul, 3-D": _matmul("2,3,4", "4,7"),
    "matmul, 4-D": _matmul("2,3,5,4", "4,7"),
    "matmul from the left": _matmul("4,3", "7,4", "w, x"),
    "matmul from the left, 3-D": _matmul("2,4,3", "7,4", "w, x"),
    "matmul from the left, 4-D": _matmul("2,5,4,3", "7,4", "w, x"),
    "after flatten": Case(
        "(float[2,3,4,5] x) => (float[] y) <float[60,7] w, float[7] c> { a = Flatten(x)\n y = Gemm(a, w, c) }"
    ),
    "matmul and add": Case(
        "(float[2,4] x) => (float[] y) <float[4,7] w, float[7] c> { a = MatMul(x, w)\n y = Add(a, c) }"
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("name", ["gemm, alpha and beta", "after flatten", "matmul, 4-D"])
def test_one_layer(name: str) -> None:
    assert layer_types(CASES[name].check()) == ["InnerProduct"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(float[4,2] x) => (float[] y) <float[4,7] w> { y = Gemm<transA=1>(x, w) }", "transA: Caffe multiplies rows"),
        ("(float[2,4] x) => (float[] y) <float[4,7] w, float[2,7] c> { y = Gemm(x, w, c) }", r"shape \(2, 7\); Caffe"),
        (
            "(float[4,2] x) => (float[] y) <float[7,4] w> { y = Gemm(w, x) }",
            r"its input 1 \(x\) is computed at run time",
        ),
        ("(float[2,3] x, float[3,4] z) => (float[] y) { y = MatMul(x, z) }", "it multiplies two computed tensors"),
        ("(float[2,3,4] x) => (float[] y) <float[4] w> { y = MatMul(x, w) }", r"by a constant of shape \(4,\), not by"),
        (
            "(float[2,3,4] x) => (float[] y) <float[2,4,7] w> { y = MatMul(x, w) }",
            r"by a constant of shape \(2, 4, 7\)",
        ),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        bridge.to_caffe(model(text))


def test_addend_per_row_is_not_taken_for_one_per_output() -> None:
    square = "(float[7,4] x) => (float[] y) <float[4,7] w, float[7,1] c> { y = Gemm(x, w, c) }"
    with pytest.raises(UnsupportedModelError, match=r"its addend has shape \(7, 1\); Caffe adds one value per output"):
        bridge.to_caffe(model(square))


def test_shared_weight_is_used_as_it_is_by_both() -> None:
    weight = np.eye(4, dtype=np.float32) * 3
    text = """(float[2,4] x) => (float[] y, float[] z) <float[4,4] w, float s={5.0}> {
        a = Gemm<transB=1>(x, w)
        y = Mul(a, s)
        z = Gemm<transB=1>(x, w)
    }"""
    converted = check(model(text, w=weight))
    assert np.array_equal(converted.layer("z").blobs[0], weight)
