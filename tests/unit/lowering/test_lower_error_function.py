import math

import numpy as np
import pytest
from agreement import Case, layer_types, run, table

import gluon2caffe

SHAPES = ("2,4,5,6", "2,4", "3", "2,3,4", "1,3,2,2,2")
CASES = {
    **{
        f"erf, {shape}": Case(f"(float[{shape}] x) => (float[] y) {{ y = Erf(x) }}", tolerance=5e-7) for shape in SHAPES
    },
    **{
        f"gelu {form}, {shape}": Case(
            f"(float[{shape}] x) => (float[] y) {{ y = Gelu<{form}>(x) }}", 20, tolerance=5e-7
        )
        for form in ("", 'approximate="tanh"')
        for shape in ("2,3,4,5", "2,3")
    },
    "gelu as PyTorch writes it": Case(
        """(float[1,3,4,5] x) => (float[] y) <float r={1.4142135}, float one={1.0}, float half={0.5}> {
        a = Div(x, r)\n b = Erf(a)\n c = Add(b, one)\n d = Mul(x, c)\n y = Mul(d, half) }"""
    ),
}

POSITIVE = np.concatenate([[0], np.logspace(-37, -3, 300), np.linspace(1e-3, 6, 20000), np.logspace(1, 38.5, 300)])
X = np.append(POSITIVE, -POSITIVE).astype(np.float32)[None]


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def _of_x(node: str, opset: int = 13) -> dict[str, np.ndarray]:
    """Reader -> what the node gives for X."""
    shape = ",".join(map(str, X.shape))
    converted = gluon2caffe.to_caffe(Case(f"(float[{shape}] x) => (float[] y) {{ y = {node} }}", opset).model())
    return {reader: found[converted.outputs["y"]] for reader, found in run(converted, {"x": X}).items()}


def test_relative_error_of_erf_over_the_whole_range() -> None:
    exact = np.vectorize(math.erf)(X.astype(np.float64))
    for reader, found in _of_x("Erf(x)").items():
        # The hyperbolic tangent of newer versions of OpenCV is exact to the rounding of 1, not of the value.
        np.testing.assert_allclose(found, exact, rtol=4e-7, atol=3e-7 if reader == "OpenCV" else 0, err_msg=reader)


@pytest.mark.parametrize("form", ["none", "tanh"])
def test_error_of_gelu_over_the_whole_range(form: str) -> None:
    x = X.astype(np.float64)
    if form == "none":
        exact = x * np.vectorize(math.erfc)(-x / math.sqrt(2)) / 2
    else:
        with np.errstate(over="ignore"):
            exact = x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    for reader, found in _of_x(f'Gelu<approximate="{form}">(x)', 20).items():
        # Of x, as where 1 is added to erf.
        assert (np.abs(found - exact) <= 3e-7 * np.abs(x)).all(), reader


def test_infinities() -> None:
    converted = gluon2caffe.to_caffe(Case("(float[1,2] x) => (float[] y) { y = Erf(x) }").model())
    for reader, found in run(converted, {"x": np.float32([[np.inf, -np.inf]])}).items():
        assert found["y"].tolist() == [[1, -1]], reader


def test_layers_of_gelu() -> None:
    types = layer_types(gluon2caffe.to_caffe(CASES["gelu , 2,3,4,5"].model()))
    assert (len(types), types.count("Sigmoid")) == (15, 1)
