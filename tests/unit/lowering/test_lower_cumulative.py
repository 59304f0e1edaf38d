from itertools import product

import numpy as np
from agreement import Case, check, run, table

import gluon2caffe


def _cumulative(operator: str, shape: str, axis: int, attributes: str = "") -> Case:
    text = f"(float[{shape}] x) => (float[] y) <int64 a={{{axis}}}> {{ y = {operator}<{attributes}>(x, a) }}"
    return Case(text, 26 if operator == "CumProd" else 13)


SHAPES = [("2,4,5,6", -1), ("2,4,5,6", 1), ("2,4,5,6", 2), ("5", 0), ("3,4,5", 0), ("2,1,3", 1)]
CASES = {
    f"{operator} of {shape} along {axis}, exclusive {exclusive}, reverse {reverse}": _cumulative(
        operator, shape, axis, f"exclusive={exclusive}, reverse={reverse}"
    )
    for operator in ("CumSum", "CumProd")
    for (shape, axis), exclusive, reverse in product(SHAPES, (0, 1), (0, 1))
    # A sum of none would be a constant.
    if (operator, shape, exclusive) != ("CumSum", "2,1,3", 1)
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_products_in_the_order_of_onnx_do_not_overflow() -> None:
    x = np.float32([[1e-30, 1e30, 1e30, 1e-30, 1e-20, 1e-20, 1e20]])
    check(_cumulative("CumProd", "1,7", 1).model(), inputs={"x": x})


def test_nothing_is_one_beside_infinities() -> None:
    converted = gluon2caffe.to_caffe(_cumulative("CumProd", "1,2", 1, "exclusive=1").model())
    for reader, found in run(converted, {"x": np.float32([[np.inf, 2]])}).items():
        assert found[converted.outputs["y"]].tolist() == [[1, np.inf]], reader
