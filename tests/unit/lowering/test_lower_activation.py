import numpy as np
import pytest
from agreement import Case, agrees, check, layer_types, model, run, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError

BOUNDS = "float lo={-1.5}, float hi={2.25}, float six={6.0}, float zero={0.0}"
SHAPE = "(float[2,4,3,5] x) => (float[] y)"


def _one(node: str, opset: int = 13, declared: str = BOUNDS, span: tuple[float, float] = (-3.0, 3.0)) -> Case:
    return Case(f"{SHAPE} <{declared}> {{ y = {node} }}", opset, span=span)


_PIECEWISE = {
    "relu": _one("Relu(x)"),
    "leaky relu": _one("LeakyRelu<alpha=0.3>(x)"),
    "leaky relu, default": _one("LeakyRelu(x)"),
    "prelu per channel": _one("PRelu(x, s)", declared="float[4,1,1] s"),
    "prelu, one slope": _one("PRelu(x, s)", declared="float[1] s"),
    "prelu, four axes": _one("PRelu(x, s)", declared="float[1,4,1,1] s"),
    "prelu along rows": _one("PRelu(x, s)", declared="float[3,1] s"),
    "prelu along columns": _one("PRelu(x, s)", declared="float[5] s"),
    "prelu per sample": _one("PRelu(x, s)", declared="float[2,1,1,1] s"),
    "prelu everywhere": _one("PRelu(x, s)", 16, declared="float[2,4,3,5] s"),
    "thresholded relu": _one("ThresholdedRelu(x)"),
    "thresholded relu, own threshold": _one("ThresholdedRelu<alpha=-0.7>(x)"),
    "thresholded relu at 0": _one("ThresholdedRelu<alpha=0.0>(x)", 22),
    "shrink": _one("Shrink(x)"),
    "shrink with a bias": _one("Shrink<lambd=1.5, bias=0.4>(x)"),
    "sign": _one("Sign(x)"),
    "elu": _one("Elu(x)"),
    "elu, alpha": _one("Elu<alpha=0.7>(x)"),
    "sigmoid": _one("Sigmoid(x)"),
    "tanh": _one("Tanh(x)"),
    "abs": _one("Abs(x)"),
    "neg": _one("Neg(x)"),
    "hard sigmoid": _one("HardSigmoid(x)"),
    "hard sigmoid, own line": _one("HardSigmoid<alpha=0.3, beta=0.7>(x)"),
    "hard swish": _one("HardSwish(x)", 14),
    "clip": _one("Clip(x, lo, hi)"),
    "clip below": _one("Clip(x, lo)"),
    "clip above": _one("Clip(x, , hi)"),
    "clip, no bounds": _one("Clip(x)"),
    "clip, bounds the wrong way round": _one("Clip(x, hi, lo)"),
    "clip, bounds alike": _one("Clip(x, hi, hi)"),
    "clip by attributes": _one("Clip<min=-1.0, max=2.5>(x)", 7),
    "clip below by attribute": _one("Clip<min=-1.0>(x)", 7),
    "clip above by attribute": _one("Clip<max=1.0>(x)", 7),
    "relu6": _one("Clip<min=0.0, max=6.0>(x)", 7),
    "relu6 by inputs": _one("Clip(x, zero, six)"),
}
_FAR = {
    f"{name}, {span[1]:g}": Case(case.text, case.opset, span=span)
    for name, case in _PIECEWISE.items()
    for span in ((-100.0, 100.0), (-1e6, 1e6))
}
CASES = {
    **_PIECEWISE,
    **_FAR,
    "selu": _one("Selu(x)"),
    "selu, own numbers": _one("Selu<alpha=1.3, gamma=0.8>(x)", 22),
    "celu": _one("Celu(x)"),
    "celu, alpha": _one("Celu<alpha=0.6>(x)"),
    "softplus": _one("Softplus(x)"),
    "softplus far out": _one("Softplus(x)", span=(-100.0, 100.0)),
    "softsign": _one("Softsign(x)"),
    "softsign far out": _one("Softsign(x)", 22, span=(-1e4, 1e4)),
    "swish": _one("Swish(x)", 24),
    "swish, alpha": _one("Swish<alpha=1.7>(x)", 24),
    "mish": _one("Mish(x)", 18),
    "mish far out": _one("Mish(x)", 22, span=(-30.0, 30.0)),
    "gelu by tanh": _one('Gelu<approximate="tanh">(x)', 20),
    "x·sigmoid(x)": Case(f"{SHAPE} {{ s = Sigmoid(x)\n y = Mul(s, x) }}"),
    "x·tanh(softplus(x))": Case(f"{SHAPE} {{ s = Softplus(x)\n t = Tanh(s)\n y = Mul(x, t) }}"),
    "exp": _one("Exp(x)"),
    "log": _one("Log(x)", span=(0.1, 5.0)),
    "sqrt": _one("Sqrt(x)", span=(0.1, 5.0)),
    "reciprocal": _one("Reciprocal(x)", span=(0.1, 5.0)),
    "reciprocal of negatives": _one("Reciprocal(x)", span=(-5.0, -0.1)),
    "softmax 13": _one("Softmax(x)"),
    "softmax 13, channels": _one("Softmax<axis=1>(x)"),
    "softmax 13, rows": _one("Softmax<axis=2>(x)", span=(-50.0, 50.0)),
    "softmax 12": _one("Softmax(x)", 12),
    "softmax 12, rows": _one("Softmax<axis=2>(x)", 12),
    "softmax 12, last axis": _one("Softmax<axis=-1>(x)", 12),
    "softmax 12, two axes": Case("(float[2,7] x) => (float[] y) { y = Softmax(x) }", 12),
    "relu, 2-D": Case("(float[2,7] x) => (float[] y) { y = Relu(x) }"),
    "sigmoid, 5-D": Case("(float[2,3,2,3,2] x) => (float[] y) { y = Sigmoid(x) }"),
    "prelu, 2-D": Case("(float[2,4] x) => (float[] y) <float[4] s> { y = PRelu(x, s) }"),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


@pytest.mark.parametrize("name", ["clip", "relu6", "hard sigmoid", "hard swish", "clip below", "clip above"])
def test_at_and_around_the_bounds(name: str) -> None:
    steps = np.array([-6, -3, -2.5, -1.5, -1, 0, 1, 2.25, 2.5, 3, 6, 7], np.float32)
    near = np.concatenate([np.nextafter(steps, -np.inf), steps, np.nextafter(steps, np.inf)])
    x = np.resize(near, (2, 4, 3, 5)).astype(np.float32)
    check(_PIECEWISE[name].model(), inputs={"x": x}, tolerance=1e-6)


@pytest.mark.parametrize("value", [6.000001, 7.0, 1e3, 1e6])
def test_relu6_gives_six_far_beyond_six(value: float) -> None:
    converted = gluon2caffe.to_caffe(_PIECEWISE["relu6"].model())
    x = np.full((2, 4, 3, 5), value, np.float32)
    agrees(converted, {"x": x}, {"y": np.full_like(x, 6)}, tolerance=1e-7)


def test_relu6_as_a_layer() -> None:
    source = _PIECEWISE["relu6"].model()
    converted = gluon2caffe.to_caffe(source, relu6="layer", target="opencv")
    assert layer_types(converted) == ["ReLU6"]
    assert converted.notes == []


def test_relu6_layer_is_refused_where_there_is_none() -> None:
    with pytest.raises(
        UnsupportedModelError, match=r"the target 'ssd' has no ReLU6 layer.*Remedy: use relu6=\"exact\""
    ):
        gluon2caffe.to_caffe(_PIECEWISE["relu6"].model(), relu6="layer")


def test_relu6_as_relu_is_noted() -> None:
    converted = gluon2caffe.to_caffe(_PIECEWISE["relu6"].model(), relu6="relu")
    x = np.linspace(-4, 9, 120, dtype=np.float32).reshape(2, 4, 3, 5)
    agrees(converted, {"x": x}, {"y": np.maximum(x, 0)})
    assert converted.notes == ["y: ReLU6 written as ReLU, as asked for; values above 6 are not cut off"]


def test_relu6_choice_leaves_other_clips_alone() -> None:
    converted = gluon2caffe.to_caffe(_PIECEWISE["clip by attributes"].model(), relu6="relu")
    assert converted.notes == []
    assert run(converted, {"x": np.full((2, 4, 3, 5), 9, np.float32)})["OpenCV"]["y"].max() == 2.5


def test_unknown_relu6() -> None:
    with pytest.raises(
        gluon2caffe.ConversionError, match="relu6='fast' is not valid: expected 'exact', 'layer' or 'relu'"
    ):
        gluon2caffe.to_caffe(_PIECEWISE["relu6"].model(), relu6="fast")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{SHAPE} {{ y = Shrink<lambd=-0.5>(x) }}", "its lambd -0.5 is negative, so that the pieces overlap"),
        ("(float[2] x, float l) => (float[] y) { y = Clip(x, l) }", r"its input 1 \(l\) is computed at run time"),
        (f"{SHAPE} {{ y = Tan(x) }}", r"no exact translation of this operator \(opset 13\) to Caffe layers is known"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason):
        gluon2caffe.to_caffe(model(text))


@pytest.mark.parametrize("alpha", [-0.7, 1.0])
def test_thresholded_relu_at_its_threshold(alpha: float) -> None:
    near = np.nextafter(np.float32([alpha, alpha]), np.float32([-9, 9]))
    x = np.resize(np.float32([alpha, *near, 0, -0.0, 1e-30, 3]), (2, 4, 3, 5))
    check(_one(f"ThresholdedRelu<alpha={alpha}>(x)").model(), inputs={"x": x}, tolerance=0)


def test_sign_of_the_smallest_and_the_largest() -> None:
    x = np.resize(np.float32([0, -0.0, 1.2e-38, -1.2e-38, 3e38, -3e38, 1, -1, np.inf, -np.inf]), (2, 4, 3, 5))
    check(_one("Sign(x)").model(), inputs={"x": x}, tolerance=0)
