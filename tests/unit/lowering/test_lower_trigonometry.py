from math import pi

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from agreement import Case, model, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError
from gluon2caffe.onnx2caffe.intervals import interval_of
from gluon2caffe.onnx2caffe.lowering.trigonometry import LARGEST

SHAPES = ("2,4,5,6", "2,4", "2,3,4", "1,3,2,2,2")
# What is done to x, which gives an angle within bounds.
ANGLES = {
    "of oriented boxes": "s = Sigmoid(x)\n m = Sub(s, quarter)\n a = Mul(m, pi)",
    "up to a quarter turn": "t = Tanh(x)\n a = Mul(t, eighth)",
    "up to a half turn": "t = Tanh(x)\n a = Mul(t, pi)",
    "clipped": "a = Clip(x, low, high)",
}
CONSTANTS = {"quarter": 0.25, "pi": pi, "eighth": pi / 4, "low": -1.5, "high": LARGEST}


def _case(operator: str, angle: str, shape: str, **more: object) -> Case:
    used = [name for name in CONSTANTS if f" {name}" in ANGLES[angle] or f"({name}" in ANGLES[angle]]
    declared = ", ".join(f"float {name} = {{{CONSTANTS[name]}}}" for name in used)
    text = f"(float[{shape}] x) => (float[] y) <{declared}> {{ {ANGLES[angle]}\n y = {operator}(a) }}"
    return Case(text, span=(-6.0, 6.0), tolerance=1e-6, **more)


CASES = {
    f"{operator} of an angle {angle}, {shape}": _case(operator, angle, shape)
    for operator in ("Sin", "Cos")
    for angle in ANGLES
    for shape in (SHAPES if angle == "of oriented boxes" else SHAPES[:1])
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_a_small_angle_takes_fewer_layers() -> None:
    counts = {
        angle: len(gluon2caffe.to_caffe(_case("Sin", angle, "1,3,4,4").model()).layers)
        for angle in ("up to a quarter turn", "up to a half turn")
    }
    assert counts["up to a quarter turn"] < counts["up to a half turn"] <= 20


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("y = Sin(x)", "the angle is without a bound, expected within ±3.927"),
        ("r = Relu(x)\n y = Cos(r)", "the angle is without a bound, expected within ±3.927"),
        ("s = Sigmoid(x)\n m = Mul(s, four)\n y = Cos(m)", "the angle is between 0 and 4, expected within ±3.927"),
    ],
)
def test_larger_angles_are_refused(text: str, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        declared = "<float four = {4.0}>" if "four" in text else "<>"
        gluon2caffe.to_caffe(model(f"(float[1,3] x) => (float[] y) {declared} {{ {text} }}"))


INTERVALS = {
    "y = Sigmoid(x)": (0, 1),
    "a = Tanh(x)\n y = Neg(a)": (-1, 1),
    "a = Tanh(x)\n y = Abs(a)": (0, 1),
    "a = Sigmoid(x)\n y = Add(a, c)": (-2, 4),
    "a = Sigmoid(x)\n y = Sub(a, c)": (-3, 3),
    "a = Sigmoid(x)\n y = Sub(c, a)": (-3, 3),
    "a = Tanh(x)\n y = Mul(a, c)": (-3, 3),
    "a = Tanh(x)\n y = Div(a, two)": (-0.5, 0.5),
    "a = Tanh(x)\n y = Div(a, c)": (-np.inf, np.inf),
    "a = Tanh(x)\n y = Div(c, a)": (-np.inf, np.inf),
    "y = Mul(x, c)": (-np.inf, np.inf),
    "y = Relu(x)": (0, np.inf),
    "a = Tanh(x)\n y = Relu(a)": (0, 1),
    "a = Tanh(x)\n y = Max(a, two)": (2, 2),
    "y = Min(x, two)": (-np.inf, 2),
    "a = Tanh(x)\n b = Sigmoid(x)\n d = Mul(b, two)\n y = Concat<axis=1>(a, d)": (-1, 2),
    "y = Clip(x, , two)": (-np.inf, 2),
    "a = Sigmoid(x)\n y = Clip(a, , two)": (0, 1),
    "a = Softmax(x)\n b = Transpose<perm=[1,0]>(a)\n y = Reshape(b, shape)": (0, 1),
    "a = Sigmoid(x)\n y = Exp(a)": (-np.inf, np.inf),
    "a = Sigmoid(x)\n b = Add(a, two)\n y = Pad(b, pads)": (-np.inf, np.inf),
    "a = Sigmoid(x)\n y = Sum(a, two, two)": (4, 5),
}


@pytest.mark.parametrize(("text", "expected"), INTERVALS.items(), ids=INTERVALS)
def test_interval(text: str, expected: tuple[float, float]) -> None:
    constants = "float[3] c = {3.0, -2.0, 1.0}, float two = {2.0}, int64[1] shape = {3}, int64[4] pads = {0,1,0,1}"
    graph = gs.import_onnx(model(f"(float[1,3] x) => (float[] y) <{constants}> {{ {text} }}"))
    assert interval_of(graph.outputs[0]) == expected


def test_a_tensor_far_from_its_bound_counts_as_unbounded() -> None:
    chain = "\n".join(f"t{i + 1} = Neg(t{i})" for i in range(80))
    graph = gs.import_onnx(model(f"(float[1,3] x) => (float[] y) {{ t0 = Sigmoid(x)\n {chain}\n y = Neg(t80) }}"))
    assert interval_of(graph.outputs[0]) == (-np.inf, np.inf)
