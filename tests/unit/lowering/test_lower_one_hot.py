import numpy as np
import pytest
from agreement import Case, check, model, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError


def _one_hot(shape: str, axis: int, values: str = "{0.0, 1.0}", *, opset: int = 13, depth: int = 4) -> Case:
    """Of the index of the largest along axis 1."""
    return Case(
        f"""(float[{shape}] x) => (float[] y) <int64 d={{{depth}}}, float[2] v={values}> {{
            i = ArgMax<axis=1, keepdims=0>(x)
            y = OneHot<axis={axis}>(i, d, v)
        }}""",
        opset,
        tolerance=0,
    )


CASES = {
    **{f"of {shape}, axis {axis}": _one_hot(shape, axis) for shape, axis in [("2,4,3,5", -1), ("2,4,3,5", 1)]},
    "first axis": _one_hot("2,4,3,5", 0),
    "behind the batch axis": Case(
        "(float[1,3] x) => (float[] y) <int64 d={2}, float[2] v={0.0, 1.0}> {"
        " i = ArgMax<axis=0, keepdims=0>(x)\n y = OneHot<axis=1>(i, d, v) }",
        tolerance=0,
    ),
    "last but one": _one_hot("2,4,3,5", -2),
    "of a vector": _one_hot("3,7", -1),
    "off and on": _one_hot("2,4,3,5", 1, "{-2.0, 3.5}"),
    "off and on far apart": _one_hot("2,4,3,5", 1, "{1e9, 0.1}"),
    "the same": _one_hot("2,4,3,5", 1, "{0.1, 0.1}"),
    "less deep than the indices": _one_hot("2,4,3,5", -1, depth=3),
    "of opset 9": _one_hot("2,4,3,5", 1, opset=9),
    "whole numbers, used": Case(
        """(float[2,4,5] x) => (float[] y) <int64 d={4}, int64[2] v={0, 7}> {
            i = ArgMax<axis=1, keepdims=0>(x)
            h = OneHot<axis=1>(i, d, v)
            f = Cast<to=1>(h)
            y = Mul(f, x)
        }""",
        tolerance=1e-6,
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_indices_out_of_range_and_from_the_back() -> None:
    text = """(float[1,9] x) => (float[] y) <int64 d={3}, float[2] v={-1.0, 2.0}, int64[9,1] shift, float[9] zero> {
        b = Add(x, zero)
        t = Transpose(b)
        i = ArgMax<axis=1, keepdims=1>(t)
        j = Add(i, shift)
        y = OneHot(j, d, v)
    }"""
    source = model(text, shift=[[-5], [-4], [-3], [-2], [-1], [0], [1], [2], [3]], zero=np.zeros(9))
    check(source, inputs={"x": np.ones((1, 9))}, tolerance=0)


def test_computed_floats_are_refused() -> None:
    text = "(float[2,3] x) => (float[] y) <int64 d={3}, float[2] v> { y = OneHot(x, d, v) }"
    with pytest.raises(UnsupportedModelError, match="its indices are computed floats"):
        gluon2caffe.to_caffe(model(text))
