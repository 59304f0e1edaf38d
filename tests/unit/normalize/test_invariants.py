"""Violations planted in passes and lowerings: each is an internal error that names the culprit; nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from agreement import model

import gluon2caffe
from gluon2caffe.bridge import passes as listed
from gluon2caffe.bridge.normalize.set_outputs_aside import OutputsAside
from gluon2caffe.bridge.options import ConversionOptions
from gluon2caffe.bridge.passes import FLOAT32, FOLDED, normalizing_passes
from gluon2caffe.onnx2caffe import registry
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.errors import ConversionError, InternalError
from gluon2caffe.onnx2caffe.graph_pass import TYPES, Pass, PassRun, PassRunner, Property, listening_to_passes
from gluon2caffe.onnx2caffe.node import Node

SOURCE = "(float[1,3,6,6] x) => (float[] y) <float[4,3,3,3] w> { a = Conv(x, w)\n b = Relu(a)\n y = Tanh(b) }"
END = "Nothing was written. This is a bug in gluon2caffe; please report it with the output of --debug."


def _wrong_shape(graph: gs.Graph) -> None:
    graph.nodes[1].outputs[0].shape = [1, 4, 4]


def _wrong_type(graph: gs.Graph) -> None:
    graph.nodes[1].outputs[0].dtype = np.dtype(np.int64)


def _forgotten_axes(graph: gs.Graph) -> None:
    """As a pass that changes an attribute, and forgets what that does to the shape."""
    graph.nodes[0].attrs["pads"] = [1, 1, 1, 1]


def _two_of_one_name(graph: gs.Graph) -> None:
    graph.nodes[1].outputs[0].name = "a"


def _made_twice(graph: gs.Graph) -> None:
    graph.nodes.append(gs.Node("Neg", inputs=[graph.inputs[0]], outputs=[graph.nodes[1].outputs[0]]))


def _wrong_order(graph: gs.Graph) -> None:
    graph.nodes.reverse()


def _lost_maker(graph: gs.Graph) -> None:
    graph.outputs[0].inputs.clear()


def _misfit(graph: gs.Graph) -> None:
    graph.nodes[0].inputs[1].values = np.ones((4, 3, 3), np.float32)


def _double(graph: gs.Graph) -> None:
    graph.nodes[0].inputs[1].values = np.ones((4, 3, 3, 3), np.float64)


PLANTED: dict[str, tuple[Callable[[gs.Graph], None], str]] = {
    "shape": (
        _wrong_shape,
        "'b' is said to be float32 1×4×4, expected float32 1×4×4×4, which Relu 'b' makes of what it reads",
    ),
    "type": (
        _wrong_type,
        "'b' is said to be int64 1×4×4×4, expected float32 1×4×4×4, which Relu 'b' makes of what it reads",
    ),
    "attribute": (
        _forgotten_axes,
        "'a' is said to be float32 1×4×4×4, expected float32 1×4×6×6, which Conv 'a' makes of what it reads",
    ),
    "name": (_two_of_one_name, "'a' is made twice, expected unique names"),
    "maker": (_made_twice, "'b' is made twice, expected unique names"),
    "order": (_wrong_order, "Tanh 'y' reads 'b', which nothing before it makes, expected topological order"),
    "output": (_lost_maker, "output 'y' is made by no node, expected one that makes it"),
    "misfit": (_misfit, "Conv 'a' does not fit what it reads: "),
    "precision": (_double, "Conv 'a' does not fit what it reads: "),
}


@pytest.mark.parametrize(("plant", "said"), PLANTED.values(), ids=list(PLANTED))
def test_a_pass_that_breaks_an_invariant_is_named(
    plant: Callable[[gs.Graph], None], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(graph: gs.Graph) -> bool:
        plant(graph)
        return False

    def planted(options: ConversionOptions, aside: OutputsAside) -> list[Pass]:
        passes = normalizing_passes(options, aside)
        place = next(i for i, step in enumerate(passes) if step.name == "name_nodes") + 1
        return [*passes[:place], Pass("plant", run), *passes[place:]]

    monkeypatch.setattr("gluon2caffe.bridge.convert.normalizing_passes", planted)
    with pytest.raises(InternalError) as error:
        gluon2caffe.to_caffe(model(SOURCE)).save(tmp_path / "net")
    assert str(error.value).startswith(f"Internal error after pass 'plant', which follows 'name_nodes': {said}")
    assert str(error.value).endswith(END)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_said_of_a_graph_that_a_pass_leaves_right() -> None:
    def run(graph: gs.Graph) -> bool:
        graph.nodes[0].attrs["pads"] = [1, 1, 1, 1]
        for node in graph.nodes:
            node.outputs[0].shape = [1, 4, 6, 6]
        return True

    graph = gs.import_onnx(model(SOURCE))
    PassRunner(graph, established=(FLOAT32,)).run([*normalizing_passes(ConversionOptions()), Pass("widen", run)])
    assert [node.outputs[0].shape for node in graph.nodes] == [[1, 4, 6, 6]] * 3


def test_a_pass_that_stands_too_early_is_named() -> None:
    graph = gs.import_onnx(model(SOURCE))
    with pytest.raises(InternalError) as error:
        PassRunner(graph).run([Pass("first", lambda _: False), Pass("early", lambda _: False, requires=(TYPES,))])
    assert str(error.value) == (
        "Internal error before pass 'early', which follows 'first': it requires inferred types, which nothing ensured. "
        + END
    )


def test_a_pass_that_does_not_ensure_what_it_says_is_named() -> None:
    never = Property("peace", lambda _: "there is none")
    with pytest.raises(InternalError, match="after pass 'liar': it ensures peace, but there is none"):
        PassRunner(gs.import_onnx(model(SOURCE))).run([Pass("liar", lambda _: False, ensures=(never,))])


@pytest.mark.parametrize(
    ("property_", "text", "fault"),
    [
        (
            FOLDED,
            "(float[2] x) => (float[] y) <float[2] c> { d = Exp(c)\n y = Add(x, d) }",
            "Exp 'd' still reads const",
        ),
        (
            FLOAT32,
            "(double[2] x) => (double[] y) <double[2] c = {1.0, 2.0}> { y = Add(x, c) }",
            "constant 'c' is float64",
        ),
        (listed.NAMED, SOURCE, "Conv '' makes 'a'"),
    ],
    ids=lambda value: value.name if isinstance(value, Property) else "",
)
def test_properties_find_what_breaks_them(property_: Property, text: str, fault: str) -> None:
    found = property_.find_fault(gs.import_onnx(model(text)))
    assert found is not None
    assert found.startswith(fault)


def test_a_pass_that_fails_is_named_and_the_cause_kept() -> None:
    def run(graph: gs.Graph) -> bool:
        raise KeyError("lost")

    with pytest.raises(InternalError, match="in pass 'broken': KeyError: 'lost'") as error:
        PassRunner(gs.import_onnx(model(SOURCE))).run([Pass("broken", run)])
    assert isinstance(error.value.__cause__, KeyError)
    assert isinstance(error.value, ConversionError)


def test_a_lowering_whose_blob_has_another_shape_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(node: Node, net: NetBuilder) -> Blob:
        return net.one("Flatten", [node.blob(0)])

    monkeypatch.setitem(registry._LOWERINGS, ("", "Tanh"), {1: flat})
    with pytest.raises(InternalError) as error:
        gluon2caffe.to_caffe(model(SOURCE))
    assert str(error.value) == (
        f"Internal error in lowering Tanh 'y': the blob of 'y' is 1×64, expected 1×4×4×4. {END}"
    )


def test_tidying_that_changes_a_shape_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from gluon2caffe.onnx2caffe import lower

    def untidy(caffe: gluon2caffe.CaffeModel, profile: object) -> None:
        caffe.layers[0].message.convolution_param.pad[:] = [1]

    monkeypatch.setattr(lower, "tidy", untidy)
    with pytest.raises(InternalError, match="in the finished layers: blob 'a' of 'a' is 1×4×6×6, expected 1×4×4×4"):
        gluon2caffe.to_caffe(model(SOURCE))


def test_each_pass_that_runs_is_told() -> None:
    runs: list[PassRun] = []
    with listening_to_passes(runs.append):
        gluon2caffe.to_caffe(model(SOURCE))
    names = [run.name for run in runs]
    assert (
        names.index("infer_and_fold")
        < names.index("decompose")
        < names.index("remove_no_ops")
        < names.index("fold_affine")
    )
    assert [run.name for run in runs if run.changed][-1] == "name_nodes"
    assert all(run.seconds > 0 for run in runs)


def test_lowering_leaves_the_intermediate_as_it_is() -> None:
    from gluon2caffe.bridge.convert import to_intermediate
    from gluon2caffe.onnx2caffe.lower import lower

    source = model("(float[1,4,3,3] x) => (float[] y) { a = Sigmoid(x)\n y = Mul(x, a) }")
    graph = to_intermediate(source).graph
    made = lower(graph, target="opencv")
    assert [node.op for node in graph.nodes] == ["Sigmoid", "Mul"]
    assert [len(tensor.outputs) for tensor in graph.tensors().values()] == [2, 1, 0]
    assert made.prototxt() == lower(graph, target="opencv").prototxt()
