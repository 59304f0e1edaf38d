import numpy as np
from agreement import Case, check, table

SHAPE = "(float[2,4,3,5] x) => (float[] y)"


def _one(node: str, opset: int = 13, shape: str = "2,4,3,5", span: tuple[float, float] = (-3.0, 3.0)) -> Case:
    return Case(f"(float[{shape}] x) => (float[] y) {{ y = {node} }}", opset, span=span)


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
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_hardmax_of_equal_values() -> None:
    x = np.random.default_rng(0).integers(-1, 2, (2, 4, 3, 5)).astype(np.float32)
    check(_one("Hardmax<axis=1>(x)").model(), inputs={"x": x}, tolerance=0)


def test_very_unlikely_classes_keep_their_logarithm() -> None:
    """Softmax would round them to 0, and the logarithm of that is no number."""
    x = np.zeros((2, 4, 3, 5), np.float32)
    x[:, 0] = 200
    check(_one("LogSoftmax<axis=1>(x)").model(), inputs={"x": x}, tolerance=1e-6)
