from itertools import product

import numpy as np
import pytest
from agreement import Case, check, model, run, table, workers

import gluon2caffe
from gluon2caffe import UnsupportedModelError

X = "float[2,4,5,6] x"
COMPARISONS = ("Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal")
SHAPES = ["1", "6", "5,6", "4,1,1", "1,4,1,1", "2,1,1,1", "2,4,1,6", "1,4,5,6", "2,4,5,6"]
PAIRS = [("2,4,1,1", "2,1,5,6"), ("2,3,1", "2,1,4"), ("2,3", "3"), ("3", "3"), ("2,3,4,5,6", "5,6")]


def _computed(operator: str) -> Case:
    declared = ", ".join(f"float[{shape}] z{i}" for i, shape in enumerate(SHAPES))
    nodes = "\n".join(f"y{i} = {operator}(x, z{i})" for i in range(len(SHAPES)))
    outputs = ", ".join(f"bool[] y{i}" for i in range(len(SHAPES)))
    return Case(f"({X}, {declared}) => ({outputs}) {{ {nodes} }}", tolerance=0)


def _constant(operator: str) -> Case:
    declared = ", ".join(f"float[{shape}] c{i}" for i, shape in enumerate(SHAPES))
    nodes = "\n".join(f"y{i} = {operator}(x, c{i})\n z{i} = {operator}(c{i}, x)" for i in range(len(SHAPES)))
    outputs = ", ".join(f"bool[] y{i}, bool[] z{i}" for i in range(len(SHAPES)))
    return Case(f"({X}) => ({outputs}) <{declared}> {{ {nodes} }}", tolerance=0)


def _pair(operator: str, first: str, second: str) -> Case:
    return Case(f"(float[{first}] x, float[{second}] z) => (bool[] y) {{ y = {operator}(x, z) }}", tolerance=0)


def _truths(nodes: str, outputs: str = "bool[] y") -> Case:
    """`a`, `b` and the smaller `c` are computed truth values, `k` and `l` constant ones."""
    return Case(
        f"""({X}, float[2,4,5,6] z, float[4,1,6] u) => ({outputs}) <float n={{0.5}}, bool[5,6] k, bool l={{1}}> {{
            a = Greater(x, n)
            b = Greater(z, n)
            c = Greater(u, n)
            {nodes}
        }}""",
        constants={"k": np.arange(30).reshape(5, 6) % 3 == 0},
        tolerance=0,
    )


CASES = {
    **{f"{op}, computed": _computed(op) for op in COMPARISONS},
    **{f"{op}, constant": _constant(op) for op in COMPARISONS},
    **{f"{op} {a} {b}": _pair(op, a, b) for op, (a, b) in product(("Greater", "Equal"), PAIRS)},
    "Not": _truths("y = Not(a)"),
    **{
        op: _truths(
            f"y = {op}(a, b)\n p = {op}(a, c)\n q = {op}(c, a)\n r = {op}(a, k)\n s = {op}(k, c)\n t = {op}(a, l)",
            "bool[] y, bool[] p, bool[] q, bool[] r, bool[] s, bool[] t",
        )
        for op in ("And", "Or", "Xor")
    },
    "truth values moved": _truths(
        "d = Concat<axis=1>(a, b)\n e = Transpose<perm=[0,2,3,1]>(d)\n y = Not(e)",
    ),
    "truth values to numbers": _truths(
        "d = Cast<to=1>(a)\n e = Cast<to=7>(b)\n f = Cast<to=1>(e)\n y = Add(d, f)", "float[] y"
    ),
    "numbers to truth values": Case(
        f"({X}) => (bool[] y, bool[] z) {{ a = Relu(x)\n y = Cast<to=9>(a)\n b = Cast<to=9>(x)\n z = Cast<to=9>(b) }}",
        tolerance=0,
    ),
    "cast like truth values and back": Case(
        f"({X}) => (float[] y) <float n={{0.5}}> {{ a = Relu(x)\n b = Greater(x, n)\n c = CastLike(a, b)\n"
        " d = Xor(b, c)\n y = CastLike(d, x) }",
        opset=15,
        tolerance=0,
    ),
    "equal whole numbers": Case(
        f"({X}) => (bool[] y, bool[] z) <int64 two={{2}}, int64[5,6] p> {{ a = ArgMax<axis=1, keepdims=0>(x)\n"
        " y = Equal(a, two)\n z = Equal(p, a) }",
        constants={"p": np.arange(30).reshape(5, 6) % 4},
        tolerance=0,
    ),
    "equal truth values": _truths("y = Equal(a, b)\n p = Equal(a, k)", "bool[] y, bool[] p"),
    "less, of opset 7": Case(f"({X}, {X[:-1]}z) => (bool[] y) {{ y = Less(x, z) }}", opset=7, tolerance=0),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def _neighbours() -> dict[str, np.ndarray]:
    limits = np.finfo(np.float32)
    numbers = np.float32([0.0, -0.0, 1.0, -1.0, 1e-30, 3.0, limits.max, limits.min, np.inf, -np.inf, limits.tiny])
    x, z = (grid.reshape(-1) for grid in np.meshgrid(numbers, numbers))
    different = (x == 0) | (np.isfinite(x) | np.isfinite(z)) | (x != z)
    x, z = x[different], z[different]
    near = np.float32([1.0, -1.0, 1e-30, 7.3e12, limits.max, limits.tiny * 2])
    x, z = np.concatenate([x, near]), np.concatenate([z, np.nextafter(near, np.float32(0))])
    # OpenCV takes a difference below the least normal number for 0.
    keep = (x == z) | ~(np.abs(x.astype(np.float64) - z) < limits.tiny)
    return {"x": x[None, keep], "z": z[None, keep]}


@pytest.mark.parametrize("operator", COMPARISONS)
def test_neighbours_infinities_and_differences_that_overflow(operator: str) -> None:
    inputs = _neighbours()
    shape = ",".join(map(str, inputs["x"].shape))
    check(_pair(operator, shape, shape).model(), inputs=inputs, tolerance=0)


@pytest.mark.parametrize("operator", COMPARISONS)
def test_differences_below_the_least_normal_number_are_seen_by_caffe(operator: str) -> None:
    least = np.float32(2.0**-149)
    x, z = np.float32([[least, -least, 0, 5 * least]]), np.float32([[0, 0, least, 4 * least]])
    source = _pair(operator, "1,4", "1,4").model()
    converted = gluon2caffe.to_caffe(source)
    signs = [1, -1, -1, 1]
    expected = {
        "Greater": [s > 0 for s in signs],
        "Less": [s < 0 for s in signs],
        "GreaterOrEqual": [s > 0 for s in signs],
        "LessOrEqual": [s < 0 for s in signs],
        "Equal": [False] * 4,
    }[operator]
    found = run(converted, {"x": x, "z": z})
    for reader in workers():
        if reader.name != "OpenCV":
            assert found[reader.name][converted.outputs["y"]].tolist() == [[float(value) for value in expected]]


def test_constants_beyond_float32_are_refused() -> None:
    text = f"({X}) => (bool[] y) <int64 c> {{ a = ArgMax(x)\n y = Equal(a, c) }}"
    with pytest.raises(UnsupportedModelError, match="its constant holds whole numbers that float32"):
        gluon2caffe.to_caffe(model(text, c=2**24 + 1))
