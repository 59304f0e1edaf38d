import numpy as np
import pytest
from agreement import Case, check, table

SHAPE = "(float[2,4,3,5] x) => (float[] y)"


def _one(node: str, opset: int = 13, shape: str = "2,4,3,5", span: tuple[float, float] = (-3.0, 3.0)) -> Case:
    return Case(f"(float[{shape}] x) => (float[] y) {{ y = {node} }}", opset, span=span)


def _index(node: str, opset: int = 13, shape: str = "2,4,3,5") -> Case:
    return Case(f"(float[{shape}] x) => (int64[] y) {{ y = {node} }}", opset)


CASES = {
    "log softmax": _one("LogSoftmax(x)"),
    "log softmax, channels": _one("LogSoftmax<axis=1>(x)"),
    "log softmax, rows": _one("LogSoftmax<axis=2>(x)"),
    "log softmax, far apart": _one("LogSoftmax<axis=1>(x)", span=(-500.0, 500.0)),
    "log softmax, 2-D": _one("LogSoftmax(x)", shape="3,7"),
    "log softmax, 5-D": _one("LogSoftmax<axis=2>(x)", shape="2,3,4,2,3"),
    "log softmax 12": _one("LogSoftmax(x)", 12),
    "log softmax 12, rows": _one("LogSoftmax<axis=2>(x)", 12),
    "log softmax 10, last axis": _one("LogSoftmax<axis=3>(x)", 10),
    "hardmax": _one("Hardmax(x)"),
    "hardmax, channels": _one("Hardmax<axis=1>(x)"),
    "hardmax 12": _one("Hardmax<axis=2>(x)", 12),
    "argmax": _index("ArgMax<axis=1>(x)"),
    "argmax, default": _index("ArgMax(x)"),
    "argmax, dropped axis": _index("ArgMax<axis=-1, keepdims=0>(x)"),
    "argmax, rows": _index("ArgMax<axis=2, keepdims=0, select_last_index=1>(x)"),
    "argmax 7": _index("ArgMax<axis=1>(x)", 7),
    "argmax, 2-D": _index("ArgMax<axis=1, keepdims=0>(x)", 13, "3,100"),
    "argmin": _index("ArgMin<axis=1, keepdims=0>(x)"),
    "argmin 11, last axis": _index("ArgMin<axis=3>(x)", 11),
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


def test_hardmax_of_equal_values() -> None:
    x = np.random.default_rng(0).integers(-1, 2, (2, 4, 3, 5)).astype(np.float32)
    check(_one("Hardmax<axis=1>(x)").model(), inputs={"x": x}, tolerance=0)


def test_neighbouring_floats_are_told_apart() -> None:
    x = np.full((2, 4, 3, 5), 1.0, np.float32)
    x[:, 2] = np.nextafter(np.float32(1), np.float32(2))
    check(_index("ArgMax<axis=1>(x)").model(), inputs={"x": x}, tolerance=0)


@pytest.mark.parametrize("operator", ["ArgMax", "ArgMin"])
def test_values_whose_difference_overflows(operator: str) -> None:
    x = np.float32([3e38, -3e38, 0, 1])[None, :, None, None] * np.ones((2, 1, 3, 5), np.float32)
    check(_index(f"{operator}<axis=1>(x)").model(), inputs={"x": x}, tolerance=0)


def test_very_unlikely_classes_keep_their_logarithm() -> None:
    """Softmax would round them to 0, and the logarithm of that is no number."""
    x = np.zeros((2, 4, 3, 5), np.float32)
    x[:, 0] = 200
    check(_one("LogSoftmax<axis=1>(x)").model(), inputs={"x": x}, tolerance=1e-6)
