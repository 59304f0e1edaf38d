"""From a Caffe layer back to the layers of the source, through every move of the passes."""

import json

import onnx
import onnx_graphsurgeon as gs
import pytest
from agreement import model

import gluon2caffe
from gluon2caffe.bridge.convert import to_intermediate
from gluon2caffe.bridge.origins import METADATA_KEY, all_sources, origin_map, walk_back
from gluon2caffe.bridge.verification.report import FirstDifference

BN = "var1, var2, var3, var4"
WEIGHTS = (
    "float[4,4,3,3] w, float[4] b, float[4] var1, float[4] var2, float[4] var3, float[4] var4, float[4,1,1] c,"
    "int64[8] p={0,0,1,1,0,0,1,1}, float[1,4,1,1] scale, float eps={0.001}, int64[4] same={1,4,6,6}"
)


def _named(body: str) -> onnx.ModelProto:
    """A model whose nodes are called after their first output: node_y makes y."""
    made = model(f"(float[1,4,6,6] x) => (float[] y) <{WEIGHTS}> {{ {body} }}")
    for node in made.graph.node:
        node.name = f"node_{node.output[0]}"
    used = {name for node in made.graph.node for name in node.input}
    kept = [weight for weight in made.graph.initializer if weight.name in used]
    del made.graph.initializer[:]
    made.graph.initializer.extend(kept)
    return made


CASES = {
    "renamed": ("y = Relu(x)", {"y": ["node_y"]}),
    "pad, conv, bn and a factor": (
        f"a = Pad(x, p)\n d = Conv(a, w)\n e = BatchNormalization(d, {BN})\n f = Mul(e, c)\n y = Relu(f)",
        {"f": ["node_a", "node_d", "node_e", "node_f"], "y": ["node_y"]},
    ),
    "dropout, after what made its input": (
        "a = Relu(x)\n d = Dropout(a)\n y = Sigmoid(d)",
        {"a": ["node_a", "node_d"], "y": ["node_y"]},
    ),
    "identity of the input, before what reads it": (
        "a = Identity(x)\n d = Relu(a)\n e = Sigmoid(a)\n y = Add(d, e)",
        {"d": ["node_a", "node_d"], "e": ["node_a", "node_e"], "y": ["node_y"]},
    ),
    "an idle reshape at the end": ("a = Relu(x)\n y = Reshape(a, same)", {"y": ["node_a", "node_y"]}),
    "a softmax that the user asked for stands for itself": ("y = Relu(x)", {"y": ["node_y"], "softmax": ["softmax"]}),
}


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=list(CASES))
def test_walk_back(body: str, expected: dict[str, list[str]]) -> None:
    converted = gluon2caffe.to_caffe(_named(body), softmax="softmax" in expected)
    found = {layer: sorted(source) for layer, source in walk_back(converted).items()}
    assert found == expected


def test_nodes_that_one_layer_computes_are_all_its_origin() -> None:
    norm = "s = ReduceSumSquare<axes=[1], keepdims=1>(x)\n e = Add(s, eps)\n r = Sqrt(e)"
    body = f"{norm}\n d = Div(x, r)\n y = Mul(d, scale)"
    converted = gluon2caffe.to_caffe(_named(body))
    (layer,) = converted.layers
    assert layer.message.type == "Normalize"
    assert layer.origin == ("s", "e", "r", "d", "y")
    assert walk_back(converted) == {"y": ("node_s", "node_e", "node_r", "node_d", "node_y")}


def test_an_output_that_is_read_too_is_copied_on_behalf_of_its_node() -> None:
    made = _named("a = Relu(x)\n y = Sigmoid(a)")
    made.graph.output.append(onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, [1, 4, 6, 6]))
    converted = gluon2caffe.to_caffe(made)
    assert converted.layer(converted.outputs["a"]).origin == ("a",)
    assert walk_back(converted)[converted.outputs["a"]] == ("node_a",)


def test_the_record_survives_in_the_file() -> None:
    source = _named(f"d = Conv(x, w, b)\n e = BatchNormalization(d, {BN})\n y = Relu(e)")
    saved = onnx.ModelProto.FromString(gluon2caffe.to_onnx(source).SerializeToString())
    assert {node.name: node.doc_string for node in saved.graph.node} == {"e": "node_d + node_e", "y": "node_y"}
    metadata = {entry.key: entry.value for entry in saved.metadata_props}
    assert json.loads(metadata[METADATA_KEY]) == {"e": ["node_d", "node_e"], "y": ["node_y"]}
    assert all_sources(to_intermediate(saved).graph) == {"e": ("node_d", "node_e"), "y": ("node_y",)}
    assert origin_map(gluon2caffe.to_caffe(saved)) == {
        "e": {"nodes": ["e"], "source": ["node_d", "node_e"]},
        "y": {"nodes": ["y"], "source": ["node_y"]},
    }


@pytest.mark.parametrize("text", ["no JSON", "[1, 2]", '{"y": 3}', '{"y": []}', '{"y": [1]}'])
def test_foreign_metadata_of_that_name_are_passed_over(text: str) -> None:
    source = _named("y = Relu(x)")
    onnx.helper.set_model_props(source, {METADATA_KEY: text})
    assert all_sources(to_intermediate(source).graph) == {"y": ("node_y",)}


def test_a_graph_that_no_pass_has_touched_stands_for_itself() -> None:
    assert all_sources(gs.import_onnx(_named("a = Relu(x)\n y = Sigmoid(a)"))) == {}


def test_a_verification_names_the_layers_of_the_source() -> None:
    found = FirstDifference("OpenCV", "y", "Convolution", "y", "y", ("y",), 0.5, 0.25, source=("conv0", "bn0"))
    assert str(found) == (
        "The first layer that differs on OpenCV is y (Convolution): blob y, off by 0.5 (relative 0.25). "
        "It computes y and should give tensor y. In the source that is conv0, bn0."
    )
