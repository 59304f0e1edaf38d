"""Transposes: merged, moved and cancelled, always with the same numbers, on every reader."""

import pytest
from agreement import check, layer_types, model

import gluon2caffe

TO_LAST, TO_FRONT = "Transpose<perm=[0,2,3,1]>", "Transpose<perm=[0,3,1,2]>"
WEIGHTS = (
    "float[4,4,3,3] w, float[4] b, float[1,1,1,4] k, float[6,6,4] full, float[6,1] rows, float s={2.5},"
    "float low={-1.0}, float high={1.5}, int64[2] parts={1,3}"
)
CASES = {
    "inverse pair": (f"a = {TO_LAST}(x)\n c = {TO_FRONT}(a)\n y = Relu(c)", ["ReLU"]),
    "three in a row": (f"a = {TO_LAST}(x)\n c = {TO_LAST}(a)\n y = Transpose<perm=[0,1,2,3]>(c)", ["Permute"]),
    "default order": ("a = Transpose(x)\n c = Relu(a)\n y = Transpose(c)", ["ReLU"]),
    "relu between": (f"a = {TO_LAST}(x)\n c = Relu(a)\n y = {TO_FRONT}(c)", ["ReLU"]),
    "bias along the last axis": (f"a = {TO_LAST}(x)\n c = Add(a, b)\n y = {TO_FRONT}(c)", ["Scale"]),
    "constants of every form": (
        f"a = {TO_LAST}(x)\n c = Mul(a, k)\n d = Add(s, c)\n e = Mul(d, rows)\n f = Add(e, full)\n y = {TO_FRONT}(f)",
        None,
    ),
    "slope": (f"a = {TO_LAST}(x)\n c = PRelu(a, b)\n y = {TO_FRONT}(c)", ["PReLU"]),
    "clip keeps its bounds": (f"a = {TO_LAST}(x)\n c = Clip(a, low, high)\n y = {TO_FRONT}(c)", None),
    "residual": (
        f"a = {TO_LAST}(x)\n c = Relu(a)\n d = {TO_FRONT}(c)\n e = Conv<pads=[1,1,1,1]>(d, w)\n f = {TO_LAST}(e)\n"
        f" g = Add(f, c)\n h = Relu(g)\n y = {TO_FRONT}(h)",
        ["ReLU", "Convolution", "Eltwise", "ReLU"],
    ),
    "concatenation along the last axis": (
        f"a = {TO_LAST}(x)\n c = Relu(a)\n d = Tanh(a)\n e = Concat<axis=-1>(c, d)\n y = {TO_FRONT}(e)",
        ["ReLU", "TanH", "Concat"],
    ),
    "split along the last axis": (
        f"a = {TO_LAST}(x)\n c, d = Split<axis=3>(a, parts)\n e = Concat<axis=3>(d, c)\n y = {TO_FRONT}(e)",
        None,
    ),
    "bias goes into the convolution": (
        f"a = Conv(x, w)\n c = {TO_LAST}(a)\n d = Add(c, b)\n y = {TO_FRONT}(d)",
        ["Convolution"],
    ),
    "nothing to gain": (f"a = {TO_LAST}(x)\n y = Relu(a)", ["Permute", "ReLU"]),
    "read by others": (f"a = {TO_LAST}(x)\n c = Relu(a)\n y = Softmax<axis=3>(c)", None),
}


@pytest.mark.parametrize(("body", "layers"), CASES.values(), ids=list(CASES))
def test_numbers_and_layers(body: str, layers: list[str] | None) -> None:
    source = model(f"(float[1,4,6,6] x) => (float[] y) <{WEIGHTS}> {{ {body} }}")
    converted = check(source, tolerance=1e-5)
    if layers:
        assert layer_types(converted) == layers
    else:
        assert ("Permute" in layer_types(converted)) == ("Softmax" in body)


def test_names_that_the_source_knows_keep_their_values() -> None:
    body = f"a = {TO_LAST}(x)\n c = Relu(a)\n d = Exp(c)\n y = {TO_FRONT}(d)\n z = Neg(c)"
    source = model(f"(float[1,4,6,6] x) => (float[] y, float[] z) {{ {body} }}")
    names = {node.output[0]: node.op_type for node in gluon2caffe.to_onnx(source).graph.node}
    assert names.get("c", "Transpose") == "Transpose"
    assert "c/moved" not in names or names["c/moved"] == "Relu"
    check(source)


def test_a_result_that_is_an_output_too() -> None:
    body = f"a = {TO_LAST}(x)\n c = Relu(a)\n y = {TO_FRONT}(c)"
    converted = check(model(f"(float[1,4,6,6] x) => (float[] y, float[] c) {{ {body} }}"))
    assert layer_types(converted).count("Permute") == 1
