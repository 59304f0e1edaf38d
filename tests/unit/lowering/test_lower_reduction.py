from itertools import product

import pytest
from agreement import Case, layer_types, table

import bridge
from bridge import UnsupportedModelError

AXES = ([2, 3], [1], [-1], [2], [1, 2], [1, 2, 3], [1, 3], [-2, -1])
FORMS = [
    ("ReduceMean", 11),
    ("ReduceMax", 11),
    ("ReduceSum", 11),
    ("ReduceSum", 13),
    ("ReduceMean", 18),
    ("ReduceMax", 18),
]


def _takes_input(operator: str, opset: int) -> bool:
    return opset >= (13 if operator == "ReduceSum" else 18)


def _reduce(operator: str, opset: int, shape: str, *, keep: int, axes: list[int] | None) -> Case:
    declared, inputs, attributes = "", "x", f"keepdims={keep}"
    if axes is not None and _takes_input(operator, opset):
        declared, inputs = f"<int64[{len(axes)}] a={{{', '.join(map(str, axes))}}}>", "x, a"
    elif axes is not None:
        attributes += f", axes={axes}"
    return Case(f"(float[{shape}] x) => (float[] y) {declared} {{ y = {operator}<{attributes}>({inputs}) }}", opset)


CASES = {
    **{
        f"{operator} {opset}, axes {axes}, keepdims {keep}": _reduce(operator, opset, "2,4,5,6", keep=keep, axes=axes)
        for (operator, opset), axes, keep in product(FORMS, AXES, (0, 1))
    },
    **{
        f"{operator} {opset}, all, keepdims {keep}": _reduce(operator, opset, "1,4,5,6", keep=keep, axes=None)
        for (operator, opset), keep in product(FORMS, (0, 1))
    },
    **{
        f"{operator}, axes {axes} of {shape}": _reduce(operator, 11, shape, keep=0, axes=axes)
        for operator in ("ReduceMean", "ReduceMax", "ReduceSum")
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
    converted = bridge.to_caffe(_reduce("ReduceMean", 11, "2,4,5,6", keep=1, axes=[2, 3]).model())
    assert layer_types(converted) == ["Pooling"]


@pytest.mark.parametrize("axes", [[0], None])
@pytest.mark.parametrize(("operator", "opset"), FORMS)
def test_batch_axis_is_refused(operator: str, opset: int, axes: list[int] | None) -> None:
    with pytest.raises(UnsupportedModelError, match="it reduces over the batch axis"):
        bridge.to_caffe(_reduce(operator, opset, "2,4,5,6", keep=1, axes=axes).model())


def test_refused_where_there_is_no_permute() -> None:
    with pytest.raises(UnsupportedModelError, match="the target 'bvlc' has no Permute layer"):
        bridge.to_caffe(_reduce("ReduceMean", 11, "2,4,5,6", keep=1, axes=[1, 2]).model(), target="bvlc")
