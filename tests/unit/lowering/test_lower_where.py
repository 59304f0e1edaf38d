import numpy as np
import pytest
from agreement import Case, check, layer_types, model, run, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError

X = "float[2,4,5,6] x"
N = "float n={0.5}"


def _where(nodes: str, declared: str = "", **constants: object) -> Case:
    """`c` is a computed condition and `s` a smaller one; x, z and the smaller u are computed."""
    declared = f", {declared}" if declared else ""
    return Case(
        f"""({X}, float[2,4,5,6] z, float[4,1,6] u) => (float[] y) <{N}{declared}> {{
            c = Greater(x, n)
            s = Greater(u, n)
            {nodes}
        }}""",
        constants=constants,
        tolerance=0,
    )


MASK = np.arange(30).reshape(5, 6) % 3 == 0
CASES = {
    "two computed": _where("y = Where(c, x, z)"),
    "small condition": _where("y = Where(s, x, z)"),
    "small branch": _where("y = Where(c, u, z)"),
    "only the condition is whole": _where("a = Relu(u)\n y = Where(c, u, a)"),
    "number first": _where("y = Where(c, k, z)", "float k={-2.5}"),
    "number second": _where("y = Where(c, x, k)", "float k={0.1}"),
    "0 first": _where("y = Where(c, k, z)", "float k={0.0}"),
    "0 second": _where("y = Where(c, x, k)", "float k={0.0}"),
    "two numbers": _where("y = Where(c, k, l)", "float k={0.1}, float l={-1e9}"),
    "1 and 0": _where("y = Where(c, k, l)", "float k={1.0}, float l={0.0}"),
    "tensor": _where("y = Where(c, k, z)", "float[4,1,6] k"),
    "tensor that enlarges": _where("y = Where(s, k, u)", "float[2,4,5,6] k"),
    "two tensors": _where("y = Where(s, k, l)", "float[4,1,1] k, float[5,6] l"),
    "constant condition": _where("y = Where(k, x, z)", "bool[5,6] k", k=MASK),
    "constant condition, number": _where("y = Where(k, x, l)", "bool[5,6] k, float l={-1e9}", k=MASK),
    "constant condition, number first, enlarging": _where("y = Where(k, l, u)", "bool[5,6] k, float l={2.0}", k=MASK),
    "always": _where("y = Where(k, u, z)", "bool[5,6] k", k=np.ones((5, 6))),
    "never": _where("y = Where(k, z, u)", "bool[5,6] k", k=np.zeros((5, 6))),
    "always, constant": _where("a = Where(k, l, z)\n y = Add(a, x)", "bool k={1}, float[5,6] l"),
    "two zeros": _where("a = Where(c, k, k)\n y = Add(a, x)", "float k={0.0}"),
    "vectors": Case(f"(float[3] x, float[3] z) => (float[] y) <{N}> {{ c = Greater(x, n)\n y = Where(c, z, x) }}"),
    "five axes": Case(
        f"(float[2,3,2,2,3] x, float[3,1,1,3] z) => (float[] y) <{N}> {{ c = Greater(x, n)\n y = Where(c, z, x) }}",
        tolerance=0,
    ),
    "whole numbers": Case(
        f"({X}) => (float[] y) <int64 k={{-1}}, int64 l={{2}}> {{ a = ArgMax<axis=1>(x)\n c = Less(a, l)\n"
        " w = Where(c, k, a)\n y = Cast<to=1>(w) }",
        tolerance=0,
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("other", ["Exp(x)", "Log(a)", "Log(x)", "Sqrt(x)", "Reciprocal(a)"])
@pytest.mark.parametrize("first", [True, False])
def test_what_is_never_chosen_may_overflow_or_be_no_number(other: str, first: bool) -> None:
    x = np.float32([-200, -3.0, -0.0, 0.0, 0.5, 1.0, 90.0, 200.0, 1e30, -1e30, 1e-30, 3.0]).reshape(1, 1, 3, 4)
    comparison, branches = ("Greater(b, n)", "b, v") if first else ("Less(b, n)", "v, b")
    text = f"""(float[1,1,3,4] x) => (float[] y, float[] z) <float n={{-1e31}}> {{
        a = Relu(x)
        b = Neg(x)
        v = {other}
        w = Neg(v)
        c = {comparison}
        y = Where(c, {branches})
        z = Where(c, {branches.replace("v", "w")})
    }}"""
    check(model(text), inputs={"x": x}, tolerance=0)


@pytest.mark.parametrize("shape", ["1,4,1,1", "1,1,3,1", "1,1,1,5", "1,4,3,1"])
def test_a_small_branch_that_overflows_is_repeated(shape: str) -> None:
    text = f"""(float[{shape}] x, float[1,4,3,5] z) => (float[] y) <float n={{100.0}}> {{
        e = Exp(x)
        c = Less(z, n)
        y = Where(c, z, e)
    }}"""
    shapes = {"x": tuple(map(int, shape.split(","))), "z": (1, 4, 3, 5)}
    check(model(text), inputs={name: np.full(shape, 99, np.float32) for name, shape in shapes.items()}, tolerance=0)


def test_an_infinity_that_is_chosen_stays_one() -> None:
    x = np.float32([[-200, 200, 100, 0.5]])
    text = f"(float[1,4] x) => (float[] y) <{N}> {{ e = Exp(x)\n m = Neg(e)\n c = Greater(x, n)\n y = Where(c, m, x) }}"
    converted = gluon2caffe.to_caffe(model(text))
    for name, found in run(converted, {"x": x}).items():
        assert found[converted.outputs["y"]].tolist() == [[-200, -np.inf, -np.inf, 0.5]], name


@pytest.mark.parametrize("held", [0, 1])
def test_a_constant_condition_of_one_value_takes_no_layer(held: int) -> None:
    text = f"({X}) => (float[] y) <bool k={{{held}}}> {{ a = Abs(x)\n w = Where(k, x, a)\n y = Relu(w) }}"
    assert layer_types(gluon2caffe.to_caffe(model(text))) == [["AbsVal", "ReLU"], ["ReLU"]][held]


def test_a_mask_of_0_and_1_is_the_condition_itself() -> None:
    start = f"({X}) => (float[] y) <{N}, float k={{1.0}}, float l={{0.0}}> {{ c = Less(x, n)"
    kinds = [
        layer_types(gluon2caffe.to_caffe(model(f"{start}\n {node} }}")))
        for node in ("y = Where(c, k, l)", "y = Cast<to=1>(c)")
    ]
    assert kinds[0] == kinds[1]


def test_infinite_and_other_numbers_in_one_constant_are_refused() -> None:
    text = "(float[1,3] x) => (float[] y) <float n={1.0}, float[3] k> { c = Less(x, n)\n y = Where(c, x, k) }"
    with pytest.raises(UnsupportedModelError, match="its input 2 holds NaN or infinity"):
        gluon2caffe.to_caffe(model(text, k=[-np.inf, 0, 1]))


MASK = np.triu(np.ones((4, 4)), 1)


@pytest.mark.parametrize(
    ("body", "mask"),
    [
        ("<bool[4,4] k, float v={-inf}> { a = Where(k, v, x)", MASK),
        ("<bool[4,4] k, float v={-inf}> { a = Where(k, x, v)", 1 - MASK),
        ("<float[4,4] k> { a = Add(x, k)", np.where(MASK, -np.inf, 0)),
        ("<float[4,4] k, float z={0.2}, float v={-inf}> { g = Greater(k, z)\n a = Where(g, v, x)", MASK),
    ],
    ids=["where", "where not", "added", "from numbers"],
)
def test_masks_of_infinity_before_a_softmax(body: str, mask: np.ndarray) -> None:
    check(model(f"(float[1,4,4] x) => (float[] y) {body}\n y = Softmax<axis=-1>(a) }}", k=mask))


def test_a_row_that_is_masked_whole() -> None:
    """Its softmax is no number, which the choice by a constant passes over."""
    text = """(float[1,2,3] x) => (float[] y) <float[2,3] k, bool[2,1] r={0,1}, float z={0.0}> {
        a = Add(x, k)\n s = Softmax<axis=-1>(a)\n y = Where(r, z, s) }"""
    check(model(text, k=[[0, -np.inf, 0], [-np.inf] * 3]))


def test_a_computed_mask_of_infinity() -> None:
    text = """(float[1,4] x) => (float[] y) <float n={0.0}, float v={-inf}> {
        c = Less(x, n)\n a = Where(c, v, x)\n y = Softmax(a) }"""
    check(model(text), inputs={"x": [[-1, 2, 0.5, -3]]})
