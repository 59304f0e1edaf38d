import numpy as np
import pytest
from agreement import Case, check, model, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError

SHAPE = "(float[2,4,3,5] x) => (float[] y)"


def _index(node: str, opset: int = 13, shape: str = "2,4,3,5") -> Case:
    return Case(f"(float[{shape}] x) => (int64[] y) {{ y = {node} }}", opset)


CASES = {
    "argmax": _index("ArgMax<axis=1>(x)"),
    "argmax, default": _index("ArgMax(x)"),
    "argmax, dropped axis": _index("ArgMax<axis=-1, keepdims=0>(x)"),
    "argmax, rows": _index("ArgMax<axis=2, keepdims=0, select_last_index=1>(x)"),
    "argmax 7": _index("ArgMax<axis=1>(x)", 7),
    "argmax, 2-D": _index("ArgMax<axis=1, keepdims=0>(x)", 13, "3,100"),
    "argmin": _index("ArgMin<axis=1, keepdims=0>(x)"),
    "argmin 11, last axis": _index("ArgMin<axis=3>(x)", 11),
    **{
        f"top of {shape}, axis {axis}, largest {largest}": Case(
            f"(float[{shape}] x) => (float[] y, int64[] i) <int64[1] k={{1}}> {{"
            f" y, i = TopK<axis={axis}, largest={largest}>(x, k) }}",
            tolerance=0,
        )
        for shape, axis in (("2,4,3,5", 1), ("2,4,3,5", -1), ("3,100", 1), ("2,3,4", 0))
        for largest in (0, 1)
    },
    "top 10": Case("(float[2,7] x) => (float[] y, int64[] i) <int64[1] k={1}> { y, i = TopK(x, k) }", 10),
    "top 9, only the index": Case("(float[2,7] x) => (int64[] i) { y, i = TopK<k=1>(x) }", 9),
    "argmax, used": Case(
        f"{SHAPE} {{ i = ArgMax<axis=1>(x)\n j = Cast<to=6>(i)\n f = Cast<to=1>(j)\n y = Mul(f, x) }}"
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("operator", ["ArgMax", "ArgMin"])
def test_which_of_equal_values(operator: str, last: int) -> None:
    x = np.random.default_rng(0).integers(-1, 2, (2, 4, 3, 5)).astype(np.float32)
    source = _index(f"{operator}<axis=1, select_last_index={last}>(x)").model()
    check(source, inputs={"x": x}, tolerance=0)


def test_neighbouring_floats_are_told_apart() -> None:
    x = np.full((2, 4, 3, 5), 1.0, np.float32)
    x[:, 2] = np.nextafter(np.float32(1), np.float32(2))
    check(_index("ArgMax<axis=1>(x)").model(), inputs={"x": x}, tolerance=0)


@pytest.mark.parametrize("operator", ["ArgMax", "ArgMin"])
def test_values_whose_difference_overflows(operator: str) -> None:
    x = np.float32([3e38, -3e38, 0, 1])[None, :, None, None] * np.ones((2, 1, 3, 5), np.float32)
    check(_index(f"{operator}<axis=1>(x)").model(), inputs={"x": x}, tolerance=0)


@pytest.mark.parametrize("largest", [0, 1])
def test_top_of_equal_values_is_the_first(largest: int) -> None:
    x = np.random.default_rng(0).integers(-1, 2, (4, 5)).astype(np.float32)
    text = f"(float[4,5] x) => (float[] y, int64[] i) <int64[1] k={{1}}> {{ y, i = TopK<largest={largest}>(x, k) }}"
    check(model(text), inputs={"x": x}, tolerance=0)


def test_more_than_the_top_is_refused() -> None:
    text = "(float[4,5] x) => (float[] y, int64[] i) <int64[1] k={2}> { y, i = TopK(x, k) }"
    with pytest.raises(UnsupportedModelError, match="it takes 2 values in their order"):
        gluon2caffe.to_caffe(model(text))
