"""What would make gigabytes, or millions of nodes, out of a small file is refused before it is made."""

from __future__ import annotations

import ast
import resource
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from agreement import model

import gluon2caffe
from gluon2caffe.onnx2caffe import growth
from gluon2caffe.onnx2caffe.errors import ConversionError
from tests.own_process import ROOT

MOST = "268,435,456 are the most that one node may make"

EXPANDING = {
    "CumSum": ("(float[1,10000] x) => (float[] y) <int64 a = {1}> { y = CumSum(x, a) }", "10,000×10,000 numbers"),
    "CumProd": ("(float[1,100000] x) => (float[] y) <int64 a = {1}> { y = CumProd(x, a) }", "100,000 nodes"),
    "Resize": (
        '(float[1,1,20000] x) => (float[] y) <float[3] s = {1,1,2}> { y = Resize<mode="linear">(x, "", s) }',
        "40,000×20,000 numbers, 6,400,000,000 bytes",
    ),
    "nearest Resize": (
        '(float[1,64,1,1] x) => (float[] y) <float[4] s = {1,1,2000,2000}> { y = Resize(x, "", s) }',
        "64×1×2,000×2,000 numbers, 1,024,000,000 bytes",
    ),
    "Expand": (
        "(float[1,64,1,1] x) => (float[] y) <int64[4] s = {1,64,2000,2000}> { y = Expand(x, s) }",
        "64×1×2,000×2,000 numbers, 1,024,000,000 bytes",
    ),
    "MatMul of computed": (
        "(float[600,600] x) => (float[] y) { t = Transpose(x) y = MatMul(x, t) }",
        "864,000,000 bytes",
    ),
    "a constant folded": (
        "(float[1] x) => (float[] y) <int64[2] s = {10000,10000}> { c = ConstantOfShape(s) y = Add(x, c) }",
        "(ConstantOfShape) makes too much out of constants: 400,000,000 bytes",
    ),
    "OneHot": (
        "(float[1,1,40,40] x) => (float[] y) <int64 d = {100000}, float[2] v = {0,1}>"
        " { i = ArgMax<axis=1, keepdims=0>(x) y = OneHot<axis=1>(i, d, v) }",
        "1×100,000×40×40 numbers, 640,000,000 bytes",
    ),
    "Trilu": ("(float[1,9000,9000] x) => (float[] y) { y = Trilu(x) }", "9,000×9,000 numbers, 324,000,000 bytes"),
    "Pad of channels": (
        "(float[1,9000,2,2] x) => (float[] y) <int64[8] p = {0,1,0,0,0,1,0,0}> { y = Pad(x, p) }",
        "9,002×9,000×1×1 numbers, 324,072,000 bytes",
    ),
    "SpaceToDepth": (
        "(float[1,64,64,64] x) => (float[] y) { y = SpaceToDepth<blocksize=32>(x) }",
        "32×32×64×64×32×32 numbers",
    ),
    "shuffled places": (
        "(float[1,12000] x) => (float[] y) { y = GatherElements<axis=1>(x, i) }",
        "12,000×12,000 numbers, 576,000,000 bytes",
    ),
    "Einsum of constants": (
        "(float[1] x) => (float[] y) <float[10000] a, float[10000] b>"
        ' { c = Einsum<equation="i,j->ij">(a, b) y = Add(x, c) }',
        "400,000,000 bytes",
    ),
}


@pytest.mark.parametrize(("text", "words"), EXPANDING.values(), ids=list(EXPANDING))
def test_too_many_bytes_out_of_one_node(text: str, words: str) -> None:
    source = model(text, opset=26 if "CumProd" in text else 14)
    if "GatherElements" in text:
        places = np.random.default_rng(0).permutation(12000).reshape(1, -1)
        source.graph.initializer.append(onnx.numpy_helper.from_array(places, "i"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ConversionError) as caught:
        gluon2caffe.to_caffe(source)
    message = str(caught.value)
    assert words in message
    assert MOST in message or "65,536 are the most that one node may become" in message
    assert "'y'" in message or "'c'" in message
    # In KiB: what is refused has not been made.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def test_a_long_axis_that_a_resize_leaves_alone() -> None:
    text = '(float[1,1,20000,1] x) => (float[] y) <float[4] s = {1,1,1,2}> { y = Resize<mode="linear">(x, "", s) }'
    assert gluon2caffe.to_caffe(model(text)).parameter_count == 2


def _recurrent(operator: str, gates: int, steps: int, hidden: int) -> onnx.ModelProto:
    text = (
        f"(float[{steps},1,2] x) => (float[] y, float[] h) <float[1,{gates * hidden},2] w>"
        f" {{ y, h = {operator}<hidden_size={hidden}>(x, w, r) }}"
    )
    source = model(text)
    weights = np.full((1, gates * hidden, hidden), 0.01, np.float32)
    source.graph.initializer.append(onnx.numpy_helper.from_array(weights, "r"))
    return source


@pytest.mark.parametrize(
    ("operator", "gates", "steps", "hidden", "words"),
    [
        ("LSTM", 4, 100_000, 2, "LSTM 'y' would be unrolled: 100,000 steps are 1,100,000 nodes; 65,536 are the most"),
        ("GRU", 3, 100_000, 2, "GRU 'y' would be unrolled: 100,000 steps are 1,100,000 nodes; 65,536 are the most"),
        ("RNN", 1, 100_000, 2, "RNN 'y' would be unrolled: 100,000 steps are 300,000 nodes; 65,536 are the most"),
        ("LSTM", 4, 1100, 256, "1,100 steps are 1,153,433,600 bytes; 1,073,741,824 are the most that copies may take"),
    ],
)
def test_a_recurrent_node_of_very_many_steps(operator: str, gates: int, steps: int, hidden: int, words: str) -> None:
    with pytest.raises(ConversionError, match=words):
        gluon2caffe.to_caffe(_recurrent(operator, gates, steps, hidden))


def _nested(depth: int, calls: int) -> onnx.ModelProto:
    """Functions that each call the one below several times, the lowest of one Relu."""
    functions = ['<opset_import: ["": 13], domain: "own"> f0 (a) => (b) { b = Relu(a) }']
    for level in range(1, depth):
        body = " ".join(f"t{i + 1} = own.f{level - 1}(t{i})" for i in range(calls))
        functions.append(f'<opset_import: ["": 13, "own": 1], domain: "own"> f{level} (t0) => (t{calls}) {{ {body} }}')
    text = f"""<ir_version: 8, opset_import: ["": 13, "own": 1]> net (float[1,2] x) => (float[1,2] y)
        {{ [call] y = own.f{depth - 1}(x) }} {" ".join(functions)}"""
    return onnx.parser.parse_model(text)


def test_functions_nested_eight_deep() -> None:
    with pytest.raises(
        ConversionError,
        match=r"Node 'call' \(own.f8\) would be written out as 100,000,000 nodes; 65,536 are the most that one node",
    ):
        gluon2caffe.to_caffe(_nested(9, 10))
    assert len(gluon2caffe.to_caffe(_nested(3, 10)).layers) == 100


def test_calls_that_are_too_many_together(monkeypatch: pytest.MonkeyPatch) -> None:
    source = _nested(3, 10)
    again = onnx.NodeProto(op_type="f2", domain="own", input=["x"], output=["z"])
    source.graph.node.append(again)
    source.graph.output.append(onnx.helper.make_tensor_value_info("z", 1, [1, 2]))
    monkeypatch.setattr(growth, "MOST_NODES", 199)
    with pytest.raises(ConversionError, match="200 nodes; 199 are the most"):
        gluon2caffe.to_caffe(source)
    monkeypatch.setattr(growth, "MOST_NODES", 200)
    gluon2caffe.to_caffe(source)


def test_a_conversion_that_is_too_large_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "(float[1,100] x) => (float[] y) <int64 a = {1}> { t = CumSum(x, a) u = CumSum(t, a) y = CumSum(u, a) }"
    assert gluon2caffe.to_caffe(model(text)).parameter_count == 30_000
    monkeypatch.setattr(growth, "MOST_IN_ALL", 119_999)
    with pytest.raises(
        ConversionError, match=r"The weights up to 'y' take 120,000 bytes in all; a \.caffemodel holds 119"
    ):
        gluon2caffe.to_caffe(model(text))


def test_constants_that_are_too_many_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    body = " ".join(f"c{i} = ConstantOfShape(s) t{i + 1} = Add(t{i}, c{i})" for i in range(4))
    text = f"(float[10,10] t0) => (float[] t4) <int64[2] s = {{10,10}}> {{ {body} }}"
    monkeypatch.setattr(growth, "MOST_IN_ALL", 1599)
    with pytest.raises(
        ConversionError, match=r"too much out of constants: 1,600 bytes in all; a \.caffemodel holds 1,599"
    ):
        gluon2caffe.to_caffe(model(text))


def test_weights_that_grow_more_than_twofold_are_noted() -> None:
    made = gluon2caffe.to_caffe(_recurrent("LSTM", 4, 20, 128))
    # Recurrent weights 4·128·128, for each step but the first: 19 · 0.26 MB.
    assert [note for note in made.notes if "weights" in note] == [
        "The weights grow from 0.3 MB in the source to 5.0 MB, 5.0 MB of them for 'y'"
    ]


def test_weights_that_do_not_are_not() -> None:
    assert not gluon2caffe.to_caffe(_recurrent("LSTM", 4, 2, 128)).notes
    assert not gluon2caffe.to_caffe(model("(float[1,9] x) => (float[] y) <int64 a = {1}> { y = CumSum(x, a) }")).notes


MAKERS = frozenset(
    "zeros ones full eye identity tile repeat kron empty tri pad zeros_like ones_like full_like empty_like".split()  # noqa: SIM905
)
BOUNDED = {
    ("onnx2caffe/lowering/pad.py", "pad"): "asks before it",
    ("onnx2caffe/lowering/resize_matrix.py", "zeros"): "asks before it",
    ("onnx2caffe/lowering/gather_scatter.py", "empty"): "asks before it",
    ("onnx2caffe/lowering/resize.py", "ones"): "a number for each axis",
    ("onnx2caffe/lowering/resize.py", "repeat"): "as large as a matrix that there is",
}


def test_no_lowering_makes_arrays_without_asking() -> None:
    found = set()
    for folder in ("onnx2caffe/lowering", "onnx2caffe/tidy"):
        for path in sorted((ROOT / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                function = node.func if isinstance(node, ast.Call) else None
                if (
                    isinstance(function, ast.Attribute)
                    and ast.unparse(function.value) == "np"
                    and function.attr in MAKERS
                ):
                    found.add((str(Path(folder) / path.name), function.attr))
    assert found == BOUNDED.keys()
