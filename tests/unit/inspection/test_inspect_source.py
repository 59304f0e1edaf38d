"""What `inspect_source` finds in small nets."""

import json

import onnx
import pytest
from agreement import model

import gluon2caffe
from gluon2caffe.bridge.inspection.description import Inspection
from gluon2caffe.onnx2caffe.errors import ConversionError, SourceError

NET = model(
    "(float[1,3,6,6] x) => (float[] y) <float[4,3,3,3] w, float[4] var1, float[4] var2, float[4] var3, float[4] var4,"
    "float[10,4] m>"
    "{ a = Conv(x, w)\n b = BatchNormalization(a, var1, var2, var3, var4)\n c = Relu(b)\n d = GlobalAveragePool(c)\n"
    "e = Flatten(d)\n y = Gemm<transB=1>(e, m) }"
)
REFUSED = model(
    "(float[1,4,6,6] x) => (float[] y) <float[4,4,1,1] w>{ a = Conv(x, w)\n b = Sin(a)\n c = Conv(b, w)\n y = Acos(c) }"
)


@pytest.fixture(scope="module")
def seen() -> Inspection:
    """The net, looked at."""
    return gluon2caffe.inspect_source(NET)


def test_every_node_with_its_layers(seen: Inspection) -> None:
    rows = [
        (node.name, node.operator, node.outputs, node.parameters, node.macs, [layer.type for layer in node.layers])
        for node in seen.nodes
    ]
    assert rows == [
        ("b", "Conv", {"b": (1, 4, 4, 4)}, 4 * 27 + 4, 64 * 27, ["Convolution"]),
        ("c", "Relu", {"c": (1, 4, 4, 4)}, 0, 0, ["ReLU"]),
        ("d", "GlobalAveragePool", {"d": (1, 4, 1, 1)}, 0, 0, ["Pooling"]),
        ("e", "Flatten", {"e": (1, 4)}, 0, 0, ["InnerProduct"]),
        ("y", "Gemm", {"y": (1, 10)}, 40, 40, ["InnerProduct"]),
    ]
    assert [node.source for node in seen.nodes][:2] == [("a", "b"), ("c",)]


def test_the_whole(seen: Inspection) -> None:
    assert (seen.inputs, seen.outputs) == ({"x": (1, 3, 6, 6)}, {"y": (1, 10)})
    assert (seen.parameters, seen.macs) == (152, 1768)
    assert seen.convertible
    assert seen.verdict == "Caffe with the SSD layers can compute all of it."


def test_a_target_that_was_never_run_says_so_and_names_its_documents() -> None:
    net = model("(float[1,3,2,2] x) => (float[] y) { y = Relu(x) }")
    seen = gluon2caffe.inspect_source(net, target="tensorrt")
    verdict, head, *documents = seen.verdict.splitlines()
    assert verdict == "TensorRT 8 (Caffe parser) can compute all of it."
    assert head == (
        "Nothing for TensorRT 8 (Caffe parser) was run: no reader was at hand. The target 'tensorrt' rests on:"
    )
    assert documents[0] == "  - layers: NVIDIA/TensorRT, release 8, parsers/caffe/caffeParser/opParsers/opParsers.h"
    assert seen.to_dict()["reservations"] == [head, *documents]


def test_the_layers_are_those_of_a_conversion(seen: Inspection) -> None:
    converted = gluon2caffe.to_caffe(NET)
    assert [(layer.name, layer.type) for layer in seen.layers] == [
        (layer.message.name, layer.message.type) for layer in converted.layers
    ]
    assert [layer.weights for layer in seen.layers] == [((4, 3, 3, 3), (4,)), (), (), ((10, 4),)]
    assert seen.layers[-1].nodes == ("e", "y")
    assert gluon2caffe.walk_back(converted) == {layer.name: layer.source for layer in seen.layers}


def test_weights_that_two_nodes_read_are_counted_once() -> None:
    seen = gluon2caffe.inspect_source(REFUSED)
    assert [node.parameters for node in seen.nodes] == [16, 0, 16, 0]
    assert seen.parameters == 16


def test_refused_nodes_stand_among_the_others() -> None:
    seen = gluon2caffe.inspect_source(REFUSED, target="bvlc")
    assert not seen.convertible
    assert [bool(node.refusal) for node in seen.nodes] == [False, True, False, True]
    assert [[layer.type for layer in node.layers] for node in seen.nodes] == [["Convolution"], [], ["Convolution"], []]
    assert [(refusal.node, refusal.operator) for refusal in seen.refusals] == [("b", "Sin"), ("y", "Acos")]
    assert all(refusal.reason for refusal in seen.refusals)
    head, *lines, cut = seen.verdict.splitlines()
    assert cut == "Try: --outputs a (or auto), which leaves for you to compute: Sin, Conv, Acos."
    assert head == "2 nodes cannot be computed exactly by BVLC Caffe 1.0:"
    assert [line.split(" [")[0] for line in lines] == ["  - Sin 'b'", "  - Acos 'y'"]


def test_everything_as_plain_values(seen: Inspection) -> None:
    described = json.loads(json.dumps(seen.to_dict(), allow_nan=False))
    assert (described["convertible"], described["macs"], described["parameters"]) == (True, 1768, 152)
    assert described["uncounted_layers"] == []
    assert described["nodes"][0] == {
        "name": "b",
        "operator": "Conv",
        "outputs": {"b": [1, 4, 4, 4]},
        "parameters": 112,
        "macs": 1728,
        "source": ["a", "b"],
        "blocks": [],
        "layers": ["b"],
        "refusal": None,
    }
    assert described["layers"][0] == {
        "name": "b",
        "type": "Convolution",
        "bottoms": ["x"],
        "tops": ["b"],
        "shapes": [[1, 4, 4, 4]],
        "macs": 1728,
        "weights": [[4, 3, 3, 3], [4]],
        "nodes": ["b"],
        "source": ["a", "b"],
    }
    refused = gluon2caffe.inspect_source(REFUSED).to_dict()
    assert refused["nodes"][1]["refusal"] == refused["refusals"][0]
    assert refused["refusals"][0]["operator"] == "Sin"


def test_arguments_of_a_conversion_count() -> None:
    kept = gluon2caffe.inspect_source(NET, merge_bn=False, outputs=["c"])
    assert [layer.type for layer in kept.layers] == ["Convolution", "BatchNorm", "Scale", "ReLU"]
    larger = gluon2caffe.inspect_source(
        model("(float[n,4,h,w] x) => (float[] y) <float[4,4,1,1] w1> { y = Conv(x, w1) }"), (2, 4, 5, 5)
    )
    assert larger.macs == 2 * 4 * 25 * 4


def test_what_cannot_be_looked_at() -> None:
    with pytest.raises(ConversionError, match="target='tf' is not valid"):
        gluon2caffe.inspect_source(NET, target="tf")
    with pytest.raises(SourceError):
        gluon2caffe.inspect_source(onnx.ModelProto())
