"""Models that are none, or hold what Caffe cannot: one sentence that names the piece."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx.parser
import pytest
from agreement import model
from onnx import TensorProto, helper, numpy_helper

import gluon2caffe
from gluon2caffe import ConversionError, SourceError
from gluon2caffe.bridge.verification.reference_onnx import run_onnx

NET = "(float[1,3,6,6] x) => (float[] y) <float[4,3,3,3] w, float[4] b> { a = Conv(x, w, b)\n y = Relu(a) }"


def _net() -> onnx.ModelProto:
    return model(NET)


def _wrong(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    source = _net()
    change(source)
    return source


def _opset(version: int) -> Callable[[onnx.ModelProto], None]:
    def change(source: onnx.ModelProto) -> None:
        source.opset_import[0].version = version

    return change


def _typed(data_type: int, array: object) -> Callable[[onnx.ModelProto], None]:
    def change(source: onnx.ModelProto) -> None:
        source.graph.initializer[0].CopyFrom(helper.make_tensor("w", data_type, [4, 3, 3, 3], array))

    return change


def _set(path: str, value: object) -> Callable[[onnx.ModelProto], None]:
    """Set the field at e.g. ``node.0.op_type``."""

    def change(source: onnx.ModelProto) -> None:
        *way, last = path.split(".")
        at: object = source.graph
        for part in way:
            at = at[int(part)] if part.isdigit() else getattr(at, part)  # type: ignore[index]
        if last.isdigit():
            at[int(last)] = value  # type: ignore[index]
        else:
            setattr(at, last, value)

    return change


def _sparse(source: onnx.ModelProto) -> None:
    values, indices = helper.make_tensor("w", 1, [1], [2.0]), helper.make_tensor("", 7, [1], [3])
    source.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 3, 3, 3]))
    del source.graph.initializer[0]


def _function(source: onnx.ModelProto, *, body: str = "y = Neg(x)", opset: int = 13) -> None:
    text = f'<domain: "my", opset_import: ["": {opset}, "my": 1]> Twist (x) => (y) {{ {body} }}'
    source.functions.append(onnx.parser.parse_function(text))
    source.opset_import.add(domain="my", version=1)
    source.graph.node[1].op_type, source.graph.node[1].domain = "Twist", "my"


WRONG = {
    "opset too old": (_opset(6), "The model is written in opset 6; opsets from 7 on are read."),
    "opset too new": (_opset(999), f"The model is written in opset 999; the installed onnx {onnx.__version__} knows"),
    "no opset": (lambda m: m.ClearField("opset_import"), "does not say which opset of ONNX"),
    "opset twice": (lambda m: m.opset_import.add(version=13), "The model has the opset of the domain '' 2 times."),
    "newer IR": (lambda m: setattr(m, "ir_version", 999), "Your model ir_version 999 is higher than"),
    "unknown domain": (_set("node.1.domain", "org.secret"), "Node 'y' (Relu) is of the domain 'org.secret', which the"),
    "unknown operator": (_set("node.1.op_type", "Rellu"), "No Op registered for Rellu"),
    "undefined input": (_set("node.1.input.0", "q"), "Node 'y' (Relu) reads 'q', which is not made anywhere"),
    "cycle": (_set("node.0.input.0", "y"), "The graph has a cycle, which node 'a' (Conv) is in or behind."),
    "cycle of one": (_set("node.1.input.0", "y"), "The graph has a cycle, which node 'y' (Relu) is in or behind."),
    "made twice": (
        _set("node.1.output.0", "a"),
        "Tensor 'a' is made twice: by node 'a' (Relu) and by node 'a' (Conv).",
    ),
    "makes an input": (_set("node.1.output.0", "x"), "Tensor 'x' is made twice: by node 'x' (Relu) and by an input or"),
    "initializer twice": (
        lambda m: m.graph.initializer.add().CopyFrom(m.graph.initializer[0]),
        "initializer 'w' 2 times",
    ),
    "input twice": (lambda m: m.graph.input.add().CopyFrom(m.graph.input[0]), "The model has the input 'x' 2 times."),
    "no output": (lambda m: m.graph.ClearField("output"), "The model has no output."),
    "output not made": (_set("output.0.name", "z"), "No node makes the output 'z'."),
    "zero length": (_set("input.0.type.tensor_type.shape.dim.2.dim_value", 0), "Input 'x' is declared as [1, 3, 0, 6]"),
    "negative length": (
        _set("input.0.type.tensor_type.shape.dim.2.dim_value", -5),
        "Input 'x' is declared as [1, 3, -5",
    ),
    "negative weight": (
        _set("initializer.0.dims.0", -4),
        "Negative dimension value (tensor name: w)",
    ),
    "too large weight": (_set("initializer.0.dims.0", 5), "The data of 'w' do not fit its shape [5, 3, 3, 3]."),
    "huge weight": (
        _set("initializer.0.dims.0", 2**40),
        "The data of 'w' do not fit its shape [1099511627776, 3, 3, 3].",
    ),
    "shapes at odds": (_set("initializer.1.dims.0", 2), "The data of 'b' do not fit its shape [2]."),
    "wrong attribute type": (
        lambda m: m.graph.node[0].attribute.append(helper.make_attribute("pads", "many")),
        "Mismatched attribute type in ' : pads'",
    ),
    "unknown attribute": (
        lambda m: m.graph.node[0].attribute.append(helper.make_attribute("colour", 3)),
        "Unrecognized attribute: colour for operator Conv",
    ),
    "input missing": (lambda m: m.graph.node[0].input.__delitem__(slice(1, 3)), "has input size 1 not in range [min=2"),
    "attribute missing": (_set("node.1.op_type", "Cast"), "Required attribute 'to' is missing"),
    "string weights": (
        _typed(TensorProto.STRING, [b"a"] * 108),
        "The values of 'w' are string: Caffe has no such numbers.",
    ),
    "bfloat16 weights": (
        _typed(TensorProto.BFLOAT16, [1.0] * 108),
        "The values of 'w' are bfloat16: Caffe has no such",
    ),
    "complex weights": (_typed(TensorProto.COMPLEX64, [1j] * 108), "The values of 'w' are complex64"),
    "sparse weights": (_sparse, "The values of 'w' are sparse: write them as a dense tensor."),
    "integer weights": (_typed(TensorProto.INT8, [1] * 108), "W typestr: T, has unsupported type: tensor(int8)"),
    "bfloat16 input": (_set("input.0.type.tensor_type.elem_type", TensorProto.BFLOAT16), "Input 'x' is of a type that"),
    "string input": (
        _set("input.0.type.tensor_type.elem_type", TensorProto.STRING),
        "Input 'x' is of a type that Caffe",
    ),
    "recursive function": (lambda m: _function(m, body="y = my.Twist(x)"), "The function my.Twist calls itself."),
    "function twice": (
        lambda m: [_function(m), m.opset_import.pop(), _function(m)],
        "function my.Twist is defined twice",
    ),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=list(WRONG))
def test_refused(change: Callable[[onnx.ModelProto], object], message: str) -> None:
    with pytest.raises(ConversionError) as error:
        gluon2caffe.to_caffe(_wrong(change))
    # onnx 1.23 finds data that are too short first, and says so in its own words.
    found_by_onnx = "do not fit its shape" in message and "raw_data" in str(error.value)
    assert message in str(error.value) or found_by_onnx
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "(float[2,3,4,4] x, int64[2] i) => (float[] y) { y = Gather<axis=1>(x, i) }",
            "Input 'i' is int64, and Gather 'y' computes with it; a Caffe net takes float32",
        ),
        (
            "(float[2,4,5,6] x) => (float[] y) <int64[8] p={0,0,-3,0,0,0,-2,0}> { y = Pad(x, p) }",
            "Tensor 'y', which node '' (Pad) makes, has the shape [2, 4, 0, 6]: a Caffe blob cannot be empty",
        ),
        (
            "(uint8[1,3,4,4] x) => (uint8[] y) { y = Identity(x) }",
            "Input 'x' is uint8, and output 'y' is made of it unchanged",
        ),
        (
            "(int32[1,3,4,4] x, int32[1,3,4,4] z) => (float[] y) { a = Add(x, z)\n y = Cast<to=1>(a) }",
            "Input 'x' is int32, and Add 'a' computes with it; a Caffe net takes float32",
        ),
        (
            "(float[1,3,4,4] x) => (float[] y) <float s, uint8 z> { a = QuantizeLinear(x, s, z)\n"
            " y = DequantizeLinear(a, s, z) }",
            "The model is quantised (QuantizeLinear 'a' and 1 more); Caffe computes in float32",
        ),
        (
            "(float[1,3,4,4] x) => (float[] y) <int64[4] i={0,0,0,0}, int64[4] j={1,3,0,4}> { y = Slice(x, i, j) }",
            "Tensor 'y', which node '' (Slice) makes, has the shape [1, 3, 0, 4]: a Caffe blob cannot be empty",
        ),
        (
            "(float[1,3,4,4] x) => (float[] y) <int64[3] f={1,7,-1}> { y = Reshape(x, f) }",
            "The shapes of the graph do not fit together",
        ),
    ],
)
def test_content_refused(text: str, message: str) -> None:
    source = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 13]> net {text}')
    rng = np.random.default_rng(0)
    for info in list(source.graph.value_info):
        kind = helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        source.graph.initializer.append(numpy_helper.from_array(np.asarray(rng.uniform(1, 2), kind), info.name))
    with pytest.raises(ConversionError) as error:
        gluon2caffe.to_caffe(source)
    assert message in str(error.value)


def test_what_is_cut_away_need_not_be_readable() -> None:
    source = _net()
    source.graph.node.append(helper.make_node("QuantizeLinear", ["y", "s"], ["q"]))
    source.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "s"))
    source.graph.output.append(helper.make_tensor_value_info("q", TensorProto.UINT8, None))
    with pytest.raises(SourceError, match="quantised"):
        gluon2caffe.to_caffe(source)
    assert list(gluon2caffe.to_caffe(source, outputs=["y"]).outputs) == ["y"]


def test_nodes_in_any_order() -> None:
    source = _net()
    nodes = list(source.graph.node)[::-1]
    swapped = _net()
    del swapped.graph.node[:]
    swapped.graph.node.extend(nodes)
    assert gluon2caffe.to_caffe(swapped).prototxt() == gluon2caffe.to_caffe(source).prototxt()


@pytest.mark.parametrize("opset", [13, 14])
def test_functions_are_written_out(opset: int) -> None:
    source = _net()
    _function(source, body="a = Abs(x)\n y = Neg(a)", opset=opset)
    converted = gluon2caffe.to_caffe(source)
    assert [layer.message.type for layer in converted.layers] == ["Convolution", "AbsVal", "Power"]


def test_damage_is_told_from_errors_of_this_program() -> None:
    source = _wrong(_set("node.1.op_type", "Rellu"))
    with pytest.raises(SourceError) as error:
        gluon2caffe.to_caffe(source)
    assert isinstance(error.value.__cause__, onnx.checker.ValidationError)


def test_half_precision_is_noted() -> None:
    source = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 13]> net (float16[1,3,4,4] x) => (float16[1,2,4,4] y) { y = Conv(x, w) }'
    )
    values = np.random.default_rng(0).uniform(-1, 1, (2, 3, 1, 1)).astype(np.float16)
    source.graph.initializer.append(numpy_helper.from_array(values, "w"))
    converted = gluon2caffe.to_caffe(source)
    assert converted.notes == [
        "float16 in the source and float32 here: w",
        "input x is float16 in the source; the Caffe net takes float32",
    ]
    assert np.array_equal(converted.layers[0].blobs[0], values.astype(np.float32))
    assert converted.layers[0].blobs[0].dtype == np.float32


def test_double_precision_of_shape_arithmetic_is_kept() -> None:
    # 29 · 1.1 is 31.9 in double precision, so that 100 · 29 / 100 has no surprise; 0.1 + 0.7 times 10 is 7.999...
    text = """(float[1,2,7,7] x) => (float[] y) <double a={0.1}, double b={0.7}, double ten={10.0}, int64[1] one={1},
        int64[1] zero={0}, int64[2] axes={2,3}> {
        s = Add(a, b)\n t = Mul(s, ten)\n i = Cast<to=7>(t)\n n = Reshape(i, one)\n m = Concat<axis=0>(n, n)
        o = Concat<axis=0>(zero, zero)\n y = Slice(x, o, m, axes) }"""
    source = model(text)
    x = {"x": np.ones((1, 2, 7, 7), np.float32)}
    assert run_onnx(source, x)["y"].shape == (1, 2, 7, 7)
    assert list(gluon2caffe.to_onnx(source).graph.output[0].type.tensor_type.shape.dim)[2].dim_value == 7


@pytest.mark.parametrize(
    "name", ['a "quoted" name', "back\\slash", "new\nline", "größe", "emoji 🙂", "a/b:0", "tab\t", " "]
)
def test_names_that_must_be_escaped(name: str) -> None:
    from agreement import agrees, random_inputs

    source = _net()
    source.graph.node[0].output[0] = source.graph.node[1].input[0] = name
    source.graph.node[0].name = name
    source.graph.node[1].output[0] = source.graph.output[0].name = f"{name}2"
    x = random_inputs({"x": (1, 3, 6, 6)})
    converted = gluon2caffe.to_caffe(source)
    assert list(converted.outputs) == [f"{name}2"]
    agrees(converted, x, run_onnx(source, x))
