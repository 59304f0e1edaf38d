import numpy as np
import pytest
from agreement import Case, run, table

import gluon2caffe

OPERATORS = {
    "Sinh": (np.sinh, (-3.0, 3.0)),
    "Cosh": (np.cosh, (-3.0, 3.0)),
    "Asinh": (np.arcsinh, (-3.0, 3.0)),
    "Acosh": (np.arccosh, (1.0, 5.0)),
    "Atanh": (np.arctanh, (-0.99, 0.99)),
}
SHAPES = ("2,4,5,6", "2,4", "3", "2,3,4", "1,3,2,2,2")
CASES = {
    f"{operator} {shape}": Case(f"(float[{shape}] x) => (float[] y) {{ y = {operator}(x) }}", span=span, tolerance=5e-7)
    for operator, (_, span) in OPERATORS.items()
    for shape in SHAPES
} | {
    f"{operator} behind a root": Case(
        f"(float[2,3] x) => (float[] y) <float n={{1.5}}> {{ r = Sqrt(x)\n a = Add(r, n)\n y = {operator}(a) }}",
        span=(0.0, 4.0),
    )
    for operator in ("Sinh", "Cosh", "Asinh", "Acosh")
}

FROM_0 = np.concatenate([[0], np.logspace(-37, -3, 300), np.logspace(-3, 1.95, 2000)]).astype(np.float32)
TO_1 = np.float32(1) - np.logspace(-7.2, -1, 500).astype(np.float32)
FROM_1 = np.float32(1) + np.concatenate([[0], np.logspace(-6.9, 2, 2000)]).astype(np.float32)
LARGE = np.append(np.logspace(2, 38.5, 600).astype(np.float32), np.finfo(np.float32).max)
DENSE = {
    "Sinh": np.append(FROM_0, -FROM_0),
    "Cosh": np.append(FROM_0, -FROM_0),
    "Asinh": np.concatenate([FROM_0, -FROM_0, LARGE, -LARGE]),
    "Acosh": np.append(FROM_1, LARGE),
    "Atanh": np.concatenate([FROM_0[FROM_0 < 1], -FROM_0[FROM_0 < 1], TO_1, -TO_1]),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("operator", OPERATORS)
def test_relative_error_over_the_whole_range(operator: str) -> None:
    x = np.float32(DENSE[operator])[None]
    with np.errstate(over="ignore"):
        exact = OPERATORS[operator][0](x.astype(np.float64))
        x, exact = (values[np.isfinite(exact.astype(np.float32))][None] for values in (x, exact))
    shape = ",".join(map(str, x.shape))
    converted = gluon2caffe.to_caffe(Case(f"(float[{shape}] x) => (float[] y) {{ y = {operator}(x) }}").model())
    for reader, found in run(converted, {"x": x}).items():
        np.testing.assert_allclose(found[converted.outputs["y"]], exact, rtol=4e-7, atol=0, err_msg=reader)


@pytest.mark.parametrize(
    ("operator", "x", "y"),
    [
        ("Cosh", [95, -95, 0], [np.inf, np.inf, 1]),
        ("Sinh", [95, -95, 0], [np.inf, -np.inf, 0]),
        ("Atanh", [1, -1, 0], [np.inf, -np.inf, 0]),
        ("Asinh", [np.inf, -np.inf, 0], [np.inf, -np.inf, 0]),
    ],
)
def test_infinite_results(operator: str, x: list[float], y: list[float]) -> None:
    converted = gluon2caffe.to_caffe(Case(f"(float[1,3] x) => (float[] y) {{ y = {operator}(x) }}").model())
    for reader, found in run(converted, {"x": np.float32([x])}).items():
        assert found[converted.outputs["y"]].tolist() == [y], reader
