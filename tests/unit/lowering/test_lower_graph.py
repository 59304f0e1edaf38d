"""Outputs, names and shared memory: what Caffe means by an output is not what ONNX means by it."""

import onnx
import pytest
from agreement import Case, check, layer_types, model, table

import gluon2caffe
from gluon2caffe import ConversionError, UnsupportedModelError

X = "float[2,3,4,4] x"
CASES = {
    "identity of the input": Case(f"({X}) => (float[] y) {{ y = Identity(x) }}"),
    "identity of the input beside it": Case(f"({X}) => (float[] y, float[] z) {{ y = Identity(x)\n z = Relu(x) }}"),
    "input read by two": Case(f"({X}) => (float[] y, float[] z) {{ y = Neg(x)\n z = Relu(x) }}"),
    "output read by another node": Case(f"({X}) => (float[] y, float[] z) {{ y = Relu(x)\n z = Neg(y) }}"),
    "output of a convolution read by a ReLU": Case(
        f"({X}) => (float[] y, float[] z) <float[3,3,1,1] w> {{ y = Conv(x, w)\n z = Relu(y) }}"
    ),
    "one tensor under two names": Case(f"({X}) => (float[] y, float[] z) {{ y = Relu(x)\n z = Identity(y) }}"),
    "one tensor under three names": Case(
        f"({X}) => (float[] y, float[] z, float[] u) {{ y = Relu(x)\n z = Identity(y)\n u = Identity(y) }}"
    ),
    "the input under two names": Case(f"({X}) => (float[] y, float[] z) {{ y = Identity(x)\n z = Identity(x) }}"),
    "outputs in the order of the source": Case(f"({X}) => (float[] z, float[] a) {{ a = Relu(x)\n z = Neg(x) }}"),
    "input unread": Case(f"({X}, float[1,2] q) => (float[] y) {{ y = Relu(x) }}"),
    "two inputs": Case(f"({X}, float[2,3,4,4] q) => (float[] y) {{ a = Relu(x)\n y = Sub(q, a) }}"),
    "ReLU after a flatten of what is read elsewhere": Case(
        f"({X}) => (float[] y, float[] z) {{ a = Neg(x)\n b = Flatten(a)\n y = Relu(b)\n z = Sigmoid(a) }}"
    ),
    "ReLU beside a flatten": Case(
        f"({X}) => (float[] y, float[] z) {{ a = Neg(x)\n b = Flatten(a)\n c = Relu(a)\n y = Tanh(b)\n z = Abs(c) }}"
    ),
    "reshape of an output": Case(
        f"({X}) => (float[] y, float[] z) <int64[2] s={{2,-1}}> {{ y = Relu(x)\n a = Reshape(y, s)\n z = Neg(a) }}"
    ),
    "reshape of the input": Case(
        f"({X}) => (float[] y, float[] z) <int64[2] s={{2,-1}}> {{ a = Reshape(x, s)\n y = Relu(a)\n z = Neg(x) }}"
    ),
    "in place on one piece of a split": Case(
        "(float[2,4,3,3] x) => (float[] y, float[] z) { a, b = Split<axis=1>(x)\n y = Relu(a)\n z = Neg(b) }"
    ),
    "a piece of a split is an output": Case(
        "(float[2,4,3,3] x) => (float[] a, float[] y) { a, b = Split<axis=1>(x)\n y = Relu(a) }"
    ),
    "every piece of a split is an output": Case(
        "(float[2,6,3,3] x) => (float[] a, float[] c, float[] b) { r = Relu(x)\n a, b, c = Split<axis=1>(r) }"
    ),
    "the middle of three is read": Case(
        "(float[2,6,3,3] x) => (float[] y) { a, b, c = Split<axis=1>(x)\n y = Neg(b) }"
    ),
    **{
        f"a piece along axis {axis} of {shape} is an output": Case(
            f"(float[{shape}] x) => (float[] b) {{ a, b, c = Split<axis={axis}>(x) }}"
        )
        for shape in ("6", "2,6", "2,3,6", "2,3,4,6", "1,2,3,2,6", "2,6,3", "6,2", "6,2,2,3", "2,2,6,3")
        for axis in [shape.split(",").index("6")]
    },
    "outer two pieces are outputs": Case(
        "(float[2,3,8] x) => (float[] a, float[] d) <int64[4] n={1,3,2,2}> { a, b, c, d = Split<axis=2>(x, n) }"
    ),
    "long chain in place": Case(
        f"""({X}) => (float[] y) <float[3,3,1,1] w, float s={{2.0}}> {{
            a = Conv(x, w)
            b = Relu(a)
            c = Sigmoid(b)
            d = Mul(c, s)
            e = Elu(d)
            y = Add(e, c)
        }}"""
    ),
}


@table(CASES)
def test_agrees(case: Case) -> None:
    converted = case.check()
    assert list(converted.outputs) == [output.name for output in case.model().graph.output]
    assert len(set(converted.outputs.values())) == len(converted.outputs)


def test_what_is_read_twice_is_not_overwritten() -> None:
    converted = gluon2caffe.to_caffe(CASES["long chain in place"].model())
    tops = [(layer.message.type, layer.message.bottom[0], layer.message.top[0]) for layer in converted.layers]
    assert tops == [
        ("Convolution", "x", "a"),
        ("ReLU", "a", "a"),
        ("Sigmoid", "a", "a"),
        ("Power", "a", "d"),
        ("ELU", "d", "d"),
        ("Eltwise", "d", "y"),
    ]
    assert converted.tensors == {"x": "x", "c": "a", "e": "d", "y": "y"}


def test_idle_nodes_leave_no_layers() -> None:
    text = f"({X}) => (float[] y) {{ a = Identity(x)\n b = Relu(a)\n c = Dropout(b)\n y = Identity(c) }}"
    converted = check(model(text))
    assert layer_types(converted) == ["ReLU"]
    assert converted.outputs == {"y": "y"}


HALF = "(float[2,4,3,3] x) => (float[] y) { a, b = Split<axis=1>(x)\n y = Relu(b) }"


@pytest.mark.parametrize(
    ("target", "layers"),
    [("ssd", ["Slice", "Crop", "ReLU"]), ("nnie", ["Convolution", "ReLU"]), ("tensorrt", ["Convolution", "ReLU"])],
)
def test_an_unread_piece_is_read_by_a_crop_or_not_made(target: str, layers: list[str]) -> None:
    assert layer_types(check(model(HALF), target=target)) == layers


def test_complementary_pieces_come_from_one_slice() -> None:
    source = model(
        "(float[2,4,3,3] x) => (float[] y) <int64[1] o={0}, int64[1] i={2}, int64[1] e={4}, int64[1] a={1}>"
        " { r = Sigmoid(x)\n p = Slice(r, o, i, a)\n q = Slice(r, i, e, a)\n y = Sub(p, q) }"
    )
    assert layer_types(check(source)) == ["Sigmoid", "Slice", "Eltwise"]


def test_pieces_that_overlap_come_from_slices_of_their_own() -> None:
    source = model(
        "(float[2,4,3,3] x) => (float[] y) <int64[1] o={0}, int64[1] i={1}, int64[1] e={3}, int64[1] f={4},"
        " int64[1] a={1}> { r = Sigmoid(x)\n p = Slice(r, o, e, a)\n q = Slice(r, i, f, a)\n y = Sub(p, q) }"
    )
    assert layer_types(check(source)) == ["Sigmoid", "Slice", "Crop", "Slice", "Crop", "Eltwise"]


def test_an_unread_input_is_left_out_and_noted() -> None:
    converted = check(CASES["input unread"].model())
    assert converted.inputs == {"x": (2, 3, 4, 4)}
    assert converted.notes == ["q: the net does not read this input; it is left out"]


NAMES = ["a/b/c", "with space", 'say "hi"', "it's", "größe_図", "back\\slash", "x:0", "new\nline", "{brace}"]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names(name: str) -> None:
    source = model(
        f"({X}) => (float[] y, float[] z) <float[3,3,1,1] w, float[3] b> {{ y = Conv(x, w, b)\n z = Neg(y) }}"
    )
    names = {"x": f"{name}_in", "y": name, "z": f"{name}_out", "w": f"{name}_w"}
    for node in source.graph.node:
        node.input[:] = [names.get(tensor, tensor) for tensor in node.input]
        node.output[:] = [names.get(tensor, tensor) for tensor in node.output]
    for info in (*source.graph.input, *source.graph.output, *source.graph.initializer):
        info.name = names.get(info.name, info.name)
    converted = check(source)
    assert list(converted.outputs) == [name, f"{name}_out"]


def test_a_node_named_like_another_tensor() -> None:
    source = model(f"({X}) => (float[] y) <float[3,3,1,1] w> {{ a = Conv(x, w)\n b = Relu(a)\n y = Conv(b, w) }}")
    for node, name in zip(source.graph.node, ("y", "a", "x"), strict=True):
        node.name = name
    check(source)


def test_a_tensor_named_like_a_part_of_another_node() -> None:
    text = f"({X}) => (float[] y) {{ y0 = HardSigmoid(x)\n y1 = Abs(y0)\n y = HardSigmoid(y1) }}"
    source = model(text)
    first = gluon2caffe.to_caffe(source).layers[0].message.name
    source.graph.node[1].output[0] = source.graph.node[2].input[0] = first
    check(source)


def test_output_that_is_not_computed_is_refused() -> None:
    with pytest.raises(ConversionError, match="Output 'm' is not computed at inference"):
        gluon2caffe.to_caffe(model("(float[2,4] x) => (float[] y, bool[] m) { y, m = Dropout(x) }"))


def test_all_refusals_at_once() -> None:
    text = """(float[1,4,72,72] x) => (float[] y) <float[8,4,3,3] w> {
        a = Conv<pads=[1,1,1,1]>(x, w)
        b = LRN<size=4>(a)
        c = Tan(b)
        d = Sin(c)
        y = Transpose<perm=[0,1,3,2]>(d)
    }"""
    with pytest.raises(UnsupportedModelError) as error:
        gluon2caffe.to_caffe(model(text), target="bvlc")
    assert str(error.value) == (
        "4 nodes cannot be computed exactly by BVLC Caffe 1.0:\n"
        "  - LRN 'b' ['1×8×72×72'] -> ['1×8×72×72']: LRN of even size 4; Caffe's windows are odd\n"
        "  - Tan 'c' ['1×8×72×72'] -> ['1×8×72×72']: no exact translation of this operator (opset 13) to Caffe layers "
        "is known: needs range reduction modulo 2π, i.e. rounding, which Caffe lacks\n"
        "  - Sin 'd' ['1×8×72×72'] -> ['1×8×72×72']: the angle is without a bound, expected within ±3.927: a larger "
        "one needs rounding, which Caffe lacks\n"
        "  - Transpose 'y' ['1×8×72×72'] -> ['1×8×72×72']: the target 'bvlc' has no Permute layer, and pieces by "
        "Slice would be too many. Remedy: choose the target 'ssd'\n"
        "Try: --outputs a (or auto), which leaves for you to compute: LRN, Tan, Sin, Transpose."
    )
    assert [(refusal.node, refusal.operator) for refusal in error.value.refusals] == [
        ("b", "LRN"),
        ("c", "Tan"),
        ("d", "Sin"),
        ("y", "Transpose"),
    ]


def test_operator_of_a_foreign_domain_is_refused() -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"], domain="com.example")
    info = [onnx.helper.make_tensor_value_info(name, 1, [1, 3]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "g", info[:1], info[1:])
    opsets = [onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("com.example", 1)]
    with pytest.raises(ConversionError, match="Relu 'y'"):
        gluon2caffe.to_caffe(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8))


def test_unknown_target() -> None:
    with pytest.raises(ConversionError, match=r"target='darknet' is not valid: expected 'ssd', 'bvlc', 'opencv'"):
        gluon2caffe.to_caffe(CASES["two inputs"].model(), target="darknet")


def test_very_many_refusals_of_one_operator_are_counted() -> None:
    chain = "\n".join(f"t{i + 1} = Tan(t{i})" for i in range(20))
    with pytest.raises(UnsupportedModelError) as error:
        gluon2caffe.to_caffe(
            model(f"(float[1,3] x) => (float[] y) {{ t0 = LRN<size=4>(x)\n {chain}\n y = Relu(t20) }}")
        )
    lines = str(error.value).splitlines()
    assert lines[0].startswith("21 nodes cannot be computed")
    assert [line.split("'")[0] for line in lines[1:-1]] == ["  - LRN ", *["  - Tan "] * 5]
    assert lines[-1] == "  - Tan: 15 nodes more"
    assert len(error.value.refusals) == 21
