from itertools import product

import pytest
from agreement import Case, layer_types, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError

AXES = ([2, 3], [1], [-1], [1, 2], [1, 3], [0], [0, 2], [0, 1])
NAMES = ("Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp")
FORMS = [
    *((f"Reduce{name}", 11) for name in NAMES),
    ("ReduceSum", 13),
    *((f"Reduce{name}", 18) for name in NAMES if name != "Sum"),
]


def _takes_input(operator: str, opset: int) -> bool:
    return opset >= (13 if operator == "ReduceSum" else 18)


def _reduce(operator: str, opset: int, shape: str, *, keep: int, axes: list[int] | None) -> Case:
    declared, inputs, attributes = "", "x", f"keepdims={keep}"
    if axes is not None and _takes_input(operator, opset):
        declared, inputs = f"<int64[{len(axes)}] a={{{', '.join(map(str, axes))}}}>", "x, a"
    elif axes is not None:
        attributes += f", axes={axes}"
    return Case(
        f"(float[{shape}] x) => (float[] y) {declared} {{ y = {operator}<{attributes}>({inputs}) }}",
        opset,
        span=(0.1, 1.5) if operator in ("ReduceLogSum", "ReduceProd") else (-3.0, 3.0),
    )


CASES = {
    **{
        f"{operator} {opset}, axes {axes}, keepdims {keep}": _reduce(operator, opset, "2,4,5,6", keep=keep, axes=axes)
        for (operator, opset), axes, keep in product(FORMS, AXES, (0, 1))
    },
    **{
        f"{operator} {opset}, all, keepdims {keep}": _reduce(operator, opset, "2,4,5,6", keep=keep, axes=None)
        for (operator, opset), keep in product(FORMS, (0, 1))
    },
    **{
        f"{operator}, axes {axes} of {shape}": _reduce(operator, 11, shape, keep=0, axes=axes)
        for operator in ("ReduceMean", "ReduceMax", "ReduceSum", "ReduceProd", "ReduceLogSumExp")
        for shape, axes in (
            *(("2,3,4,70", [3]), ("2,70,4,3", [1]), ("2,70", [1]), ("2,3,4", [1, 2]), ("2,3,4", [2])),
            *(("2,3,4,5,6", [1, 3]), ("2,3,4,5,6", [2, 3, 4]), ("1,4,5,6", [0]), ("2,4,1,1", [2, 3])),
        )
    },
    "nothing to do": Case("(float[2,3] x) => (float[] y) { a = ReduceSum<noop_with_empty_axes=1>(x)\n y = Relu(a) }"),
    "the mean of all, used": Case(
        "(float[1,4,5,6] x) => (float[] y, float[] z) { a = ReduceMean<keepdims=0>(x)\n y = Mul(x, a)\n z = Add(a, x) }"
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_mean_of_a_picture_is_a_global_pooling() -> None:
    converted = gluon2caffe.to_caffe(_reduce("ReduceMean", 11, "2,4,5,6", keep=1, axes=[2, 3]).model())
    assert layer_types(converted) == ["Pooling"]


def test_no_axes_and_no_reduction_is_refused_where_versions_differ() -> None:
    text = "(float[2,3] x) => (float[] y) { y = ReduceL1<noop_with_empty_axes=1>(x) }"
    with pytest.raises(UnsupportedModelError, match="it has noop_with_empty_axes and no axes"):
        gluon2caffe.to_caffe(Case(text, 18).model())


@pytest.mark.parametrize("name", NAMES)
def test_without_permute(name: str) -> None:
    axes = "[1,2,3]" if name == "Max" else "[1,3]"
    text = f"(float[2,4,5,6] x) => (float[] y) {{ y = Reduce{name}<axes={axes}>(x) }}"
    Case(text, 11, span=(0.1, 1.5), options={"target": "bvlc"}).check()


def test_log_sum_exp_of_large_numbers() -> None:
    text = "(float[2,4,5,6] x) => (float[] y) { y = ReduceLogSumExp<axes=[1]>(x) }"
    Case(text, 11, span=(500.0, 1000.0)).check()
