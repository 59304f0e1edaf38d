"""If with a constant condition, chains of shape arithmetic, folds that would blow up, and empty pieces."""

import re

import numpy as np
import onnx
import pytest
from agreement import check, layer_types, model

import gluon2caffe
from gluon2caffe import ConversionError, UnsupportedModelError
from gluon2caffe.onnx2caffe import growth

BRANCHES = "then_branch = one () => (float[] i) { i = Neg(a) }, else_branch = two () => (float[] j) { j = Abs(a) }"


@pytest.mark.parametrize(("condition", "layer"), [("{1}", "Power"), ("{0}", "AbsVal")])
def test_the_branch_that_is_taken(condition: str, layer: str) -> None:
    text = f"(float[1,4] x) => (float[] y) <bool c={condition}> {{ a = Exp(x)\n b = If(c) <{BRANCHES}>\n y = Tanh(b) }}"
    assert layer_types(check(model(text))) == ["Exp", layer, "TanH"]


def test_a_condition_that_comes_from_shapes() -> None:
    text = f"""(float[1,4] x) => (float[] y) <int64 one={{1}}, int64 zero={{0}}> {{ a = Exp(x)\n s = Shape(x)
        n = Gather(s, zero)\n c = Equal(n, one)\n y = If(c) <{BRANCHES}> }}"""
    converted = check(model(text))
    assert layer_types(converted) == ["Exp", "Power"]
    assert list(converted.outputs) == ["y"]


def test_two_ifs_with_the_same_inner_names() -> None:
    text = f"""(float[1,4] x) => (float[] y) <bool c={{1}}, bool d={{0}}> {{ a = Exp(x)\n b = If(c) <{BRANCHES}>
        e = If(d) <{BRANCHES}>\n y = Add(b, e) }}"""
    assert layer_types(check(model(text))) == ["Exp", "Power", "AbsVal", "Eltwise"]


def test_a_branch_that_gives_an_outer_tensor() -> None:
    inner = (
        "then_branch = one () => (float[] i) { i = Identity(a) }, else_branch = two () => (float[] j) { j = Abs(a) }"
    )
    text = f"(float[1,4] x) => (float[] y) <bool c={{1}}> {{ a = Exp(x)\n y = If(c) <{inner}> }}"
    assert layer_types(check(model(text))) == ["Exp"]


def test_a_condition_that_is_computed() -> None:
    text = f"""(float[1,4] x) => (float[] y) <float t={{0.5}}> {{ a = Exp(x)\n m = ReduceMax<keepdims=0>(x)
        c = Greater(m, t)\n y = If(c) <{BRANCHES}> }}"""
    source = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 13]> net {text}')
    with pytest.raises(UnsupportedModelError) as error:
        gluon2caffe.to_caffe(source)
    assert re.search(r"If 'y' .*it runs a subgraph, .* Remedy: .*fold it first with onnxsim", str(error.value))


CHAINS = {
    "flatten by its own shape": """s = Shape(x)\n n = Gather<axis=0>(s, i0)\n n1 = Unsqueeze(n, front)
        t = Concat<axis=0>(n1, minus)\n y = Reshape(x, t)""",
    "upsample to twice the size": """s = Shape(x)\n hw = Slice(s, two, four)\n f = Cast<to=1>(hw)\n g = Mul(f, scale)
        h = Floor(g)\n i = Cast<to=7>(h)\n nc = Slice(s, front, two)\n t = Concat<axis=0>(nc, i)
        y = Resize<mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor">(x, , , t)""",
    "expand and where": """s = Shape(x)\n o = ConstantOfShape<value = int64[1] {1}>(one4)\n e = Equal(s, o)
        w = Where(e, o, s)\n r = ConstantOfShape<value = float[1] {2.0}>(w)\n y = Mul(x, r)""",
    "range and gather": """r = Range(i0, i4, i1)\n s = Shape(x)\n t = Gather(s, r)\n y = Reshape(x, t)""",
}
NUMBERS = (
    "int64 i0={0}, int64 i1={1}, int64 i4={4}, int64[1] front={0}, int64[1] minus={-1}, int64[1] two={2},"
    "int64[1] four={4}, float scale={2.0}, int64[1] one4={4}"
)


@pytest.mark.parametrize("body", CHAINS.values(), ids=list(CHAINS))
@pytest.mark.parametrize("batch", [1, 2])
def test_shape_arithmetic(body: str, batch: int) -> None:
    converted = check(model(f"(float[{batch},4,3,5] x) => (float[] y) <{NUMBERS}> {{ {body} }}"))
    assert set(layer_types(converted)) <= {"Reshape", "Flatten", "Deconvolution", "Scale", "Power"}


@pytest.mark.parametrize(
    "body",
    [
        "r = ConstantOfShape<value = float[1] {2.0}>(big)\n y = Add(x, r)",
        "c = Expand(one, big)\n y = Add(x, c)",
        "c = Tile(flat, big)\n y = Add(x, c)",
        "n = Range(i0, far, i1)\n c = Cast<to=1>(n)\n y = Add(x, c)",
    ],
)
def test_constants_that_would_blow_up(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "MOST_BYTES", 396)
    text = f"""(float[10,10] x) => (float[] y) <int64[2] big={{10,10}}, float[1,1] one, float[1,1] flat, int64 i0={{0}},
        int64 i1={{1}}, int64 far={{100}}> {{ {body} }}"""
    if "Range" in body:
        text = text.replace("float[10,10] x", "float[100] x")
    with pytest.raises(ConversionError, match="too much out of constants: 400 bytes; 396 are the most that one node"):
        gluon2caffe.to_caffe(model(text))
    monkeypatch.setattr(growth, "MOST_BYTES", 400)
    gluon2caffe.to_caffe(model(text))


def test_folding_does_not_copy_a_reshaped_weight_nor_spoil_it() -> None:
    # The batch norm goes into one reader's weights; the other reader's are a view of the same numbers.
    text = """(float[1,4,5,5] x) => (float[] y) <float[4,4] w, int64[4] f={4,4,1,1}, float[4] var1, float[4] var2,
        float[4] var3, float[4] var4> {
        v = Reshape(w, f)\n a = Conv(x, v)\n n = BatchNormalization(a, var1, var2, var3, var4)
        p = GlobalAveragePool(x)\n q = Flatten(p)\n g = MatMul(q, w)\n h = Flatten(n)\n m = ReduceMean<axes=[1]>(h)
        y = Add(g, m) }"""
    check(model(text), tolerance=1e-4)


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ("value_float = 2.5", 2.5),
        ("value_floats = [1.0, 2.0, 3.0]", [1, 2, 3]),
        ("value = float[1,3] {1.0, 2.0, 3.0}", [1, 2, 3]),
    ],
)
def test_forms_of_constant_nodes(attribute: str, values: object) -> None:
    source = model(f"(float[1,3] x) => (float[] y) {{ c = Constant<{attribute}>()\n y = Mul(x, c) }}")
    converted = check(source)
    (layer,) = converted.layers
    found = layer.blobs[0].reshape(-1) if layer.blobs else layer.message.power_param.scale
    assert np.array_equal(found, values)


EMPTY = {
    "concat": """(float[2,3] x) => (float[] y) <int64[1] zero={0}, int64[1] one={1}> {
        a = Neg(x)\n e = Slice(a, zero, zero, one)\n y = Concat<axis=1>(e, a, x) }""",
    "concat of one": """(float[2,3] x) => (float[] y) <int64[1] zero={0}, int64[1] one={1}> {
        a = Neg(x)\n e = Slice(a, zero, zero, one)\n b = Concat<axis=1>(a, e)\n y = Exp(b) }""",
    "split": """(float[2,5] x) => (float[] y, float[] z) <int64[3] sizes={2,0,3}> {
        y, e, z = Split<axis=1>(x, sizes) }""",
    "split and joined": """(float[2,5] x) => (float[] y) <int64[3] sizes={2,3,0}> {
        a, b, e = Split<axis=1>(x, sizes)\n y = Concat<axis=1>(b, e, a) }""",
}


@pytest.mark.parametrize("text", EMPTY.values(), ids=list(EMPTY))
def test_empty_pieces(text: str) -> None:
    check(model(text))


SEQUENCES = {
    "a size": "<int64 n={2}, int64 i={1}, int64 j={-1}> { q = SplitToSequence<axis=1>(x, n)",
    "sizes": "<int64[3] n={1,4,2}, int64 i={1}, int64 j={0}> { q = SplitToSequence<axis=1>(x, n)",
    "ones": "<int64 i={3}, int64 j={6}> { q = SplitToSequence<axis=1>(x)",
}


@pytest.mark.parametrize("body", SEQUENCES.values(), ids=list(SEQUENCES))
@pytest.mark.parametrize("opset", [11, 13, 18])
def test_pieces_that_are_taken_out_of_a_sequence(body: str, opset: int) -> None:
    text = f"(float[2,7,3] x) => (float[] y) {body}\n a = SequenceAt(q, i)\n b = SequenceAt(q, j)\n"
    source = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["": {opset}]> net {text} y = Concat<axis=1>(a, b) }}'
    )
    assert set(layer_types(check(source))) <= {"Slice", "Concat", "Crop"}


def test_an_empty_piece_that_is_an_output() -> None:
    text = "(float[2,5] x) => (float[] y, float[] z) <int64[2] sizes={5,0}> { y, z = Split<axis=1>(x, sizes) }"
    with pytest.raises(ConversionError, match=r"'z', .* has the shape \[2, 0\]: a Caffe blob cannot be empty"):
        gluon2caffe.to_caffe(model(text))
