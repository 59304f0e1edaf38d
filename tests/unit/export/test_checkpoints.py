import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement_with_mxnet import run_exported
from small_nets import SHAPE, tiny

from gluon2caffe.bridge.export import export_graph, load_checkpoint
from gluon2caffe.onnx2caffe.errors import SourceError


@pytest.fixture
def exported(mx: Any, tmp_path: Path) -> tuple[Path, Path, Any]:
    """A net as ``net.export`` writes it: symbol file, parameter file, and the net."""
    net = tiny(mx)
    net.hybridize()
    net(mx.nd.ones(SHAPE))
    net.export(str(tmp_path / "tiny"))
    return tmp_path / "tiny-symbol.json", tmp_path / "tiny-0000.params", net


def test_a_pair_of_files_computes_what_the_net_does(mx: Any, exported: tuple[Path, Path, Any]) -> None:
    symbol, params, net = exported
    traced = load_checkpoint(symbol, str(params), SHAPE)
    assert (traced.name, traced.outputs, traced.input_shapes) == ("tiny", ("tiny_dense0_fwd",), {"data": SHAPE})
    data = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    (found,) = run_exported(export_graph(traced), {"data": data})
    assert np.allclose(found, net(mx.nd.array(data)).asnumpy(), rtol=1e-5, atol=1e-6)


# Loss layer -> what it computes in inference, on an input of shape (2, 3) or (2, 3, 2, 2).
LOSSES: dict[str, tuple[tuple[int, ...], Any, Any]] = {
    "softmax": ((2, 3), lambda s, x: s.SoftmaxOutput(x, name="softmax"), lambda x: _softmax(x, 1)),
    "softmax per pixel": (
        (2, 3, 2, 2),
        lambda s, x: s.SoftmaxOutput(x, name="softmax", multi_output=True),
        lambda x: _softmax(x, 1),
    ),
    "softmax, shape preserved": (
        (2, 3, 2, 2),
        lambda s, x: s.SoftmaxOutput(x, name="softmax", preserve_shape=True),
        lambda x: _softmax(x, 3),
    ),
    "label of another name": (
        (2, 3),
        lambda s, x: s.SoftmaxOutput(x, s.var("truth"), name="softmax"),
        lambda x: _softmax(x, 1),
    ),
    "logistic": ((2, 3), lambda s, x: s.LogisticRegressionOutput(x, name="out"), lambda x: 1 / (1 + np.exp(-x))),
    "linear": ((2, 3), lambda s, x: s.LinearRegressionOutput(x, name="out"), lambda x: x),
    "absolute": ((2, 3), lambda s, x: s.MAERegressionOutput(x, name="out"), lambda x: x),
    "hinge": ((2, 3), lambda s, x: s.SVMOutput(x, name="out"), lambda x: x),
}


def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


@pytest.mark.parametrize("case", LOSSES)
def test_a_loss_becomes_what_it_computes_and_its_label_vanishes(mx: Any, tmp_path: Path, case: str) -> None:
    shape, build, expected = LOSSES[case]
    weight = np.random.default_rng(0).standard_normal((1, *shape[1:])).astype(np.float32)
    symbol = build(mx.sym, mx.sym.broadcast_mul(mx.sym.var("data"), mx.sym.var("weight")))
    mx.model.save_checkpoint(str(tmp_path / "old"), 7, symbol, {"weight": mx.nd.array(weight)}, {})
    traced = load_checkpoint(tmp_path / "old-symbol.json", tmp_path / "old-0007.params", shape)
    assert traced.graph.variables == ["data", "weight"]
    graph = export_graph(traced)
    assert [tensor.name for tensor in graph.inputs] == ["data"]
    assert traced.outputs == (symbol.list_outputs()[0].removesuffix("_output"),)
    data = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    (found,) = run_exported(graph, {"data": data})
    assert np.allclose(found, expected(data * weight), rtol=1e-5, atol=1e-6)


def test_a_data_input_of_another_name(mx: Any, tmp_path: Path) -> None:
    symbol = mx.sym.FullyConnected(mx.sym.var("picture"), num_hidden=2, no_bias=True, name="fc")
    mx.model.save_checkpoint(str(tmp_path / "net"), 0, symbol, {"fc_weight": mx.nd.ones((2, 3))}, {})
    files = tmp_path / "net-symbol.json", tmp_path / "net-0000.params"
    assert load_checkpoint(*files, (4, 3)).input_shapes == {"picture": (4, 3)}
    assert load_checkpoint(*files, {"picture": (4, 3)}).input_shapes == {"picture": (4, 3)}
    with pytest.raises(SourceError, match=r"^net has no data input data; it has: picture.$"):
        load_checkpoint(*files, {"data": (4, 3)})


def test_parameters_that_the_symbol_does_not_use_are_noted(mx: Any, exported: tuple[Path, Path, Any]) -> None:
    symbol, params, _ = exported
    surplus = {f"arg:other{index}_bias": mx.nd.ones((2,)) for index in range(5)}
    mx.nd.save(str(params), {**mx.nd.load(str(params)), **surplus})
    traced = load_checkpoint(symbol, params, SHAPE)
    assert traced.notes == (
        "5 parameters that the symbol does not use were left out: other0_bias, other1_bias, other2_bias and 2 more.",
    )
    assert not [name for name in traced.params if "other" in name]


@pytest.mark.parametrize(
    ("rename", "expected"),
    [
        (lambda name: name.replace("running_", "moving_"), 2),
        (lambda name: name.replace("tiny_", "block0_tiny_"), 8),
        (lambda name: name.replace("tiny_conv", "conv").replace("tiny_", ""), 8),
    ],
)
def test_parameters_under_another_name_are_taken_where_the_match_is_one_to_one(
    mx: Any, exported: tuple[Path, Path, Any], rename: Any, expected: int
) -> None:
    symbol, params, net = exported
    mx.nd.save(str(params), {rename(name): array for name, array in mx.nd.load(str(params)).items()})
    traced = load_checkpoint(symbol, params, SHAPE)
    (note,) = traced.notes
    assert note.startswith(f"{expected} parameters were taken under another name: ")
    data = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    (found,) = run_exported(export_graph(traced), {"data": data})
    assert np.allclose(found, net(mx.nd.array(data)).asnumpy(), rtol=1e-5, atol=1e-6)


def test_the_shape_that_the_symbol_declares_is_taken(mx: Any, tmp_path: Path) -> None:
    for shape, expected in (((2, 3, 8, 8), (2, 3, 8, 8)), ((0, 3, 8, 8), (1, 3, 224, 224))):
        symbol = mx.sym.relu(mx.sym.var("data", shape=shape)) * mx.sym.var("w")
        mx.model.save_checkpoint(str(tmp_path / "net"), 0, symbol, {"w": mx.nd.ones(expected)}, {})
        assert load_checkpoint(tmp_path / "net-symbol.json", tmp_path / "net-0000.params").input_shapes == {
            "data": expected
        }


def test_a_forgotten_input_shape_is_found(mx: Any, exported: tuple[Path, Path, Any]) -> None:
    symbol, params, _ = exported
    net = mx.gluon.nn.HybridSequential(prefix="tiny_")
    with net.name_scope():
        net.add(mx.gluon.nn.Conv2D(4, 3, strides=2), mx.gluon.nn.Dense(5))
    net.initialize()
    net.hybridize()
    net(mx.nd.ones((1, 1, 28, 28)))
    net.export(str(symbol.with_name("tiny")))
    with pytest.raises(SourceError) as refusal:
        load_checkpoint(symbol, params)
    assert str(refusal.value) == (
        "The net does not take data (1, 3, 224, 224): tiny_conv0_fwd (Convolution): tiny_conv0_weight has shape "
        "(4, 1, 3, 3), expected (4, 3, 3, 3). Try: --input-shape 1,1,28,28."
    )


def test_a_label_is_not_asked_for_where_it_is_cut_away(mx: Any, tmp_path: Path) -> None:
    features = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2, no_bias=True, name="fc1")
    loss = mx.sym.MakeLoss(mx.sym.sum(features * mx.sym.one_hot(mx.sym.var("softmax_label"), depth=2)), name="loss")
    mx.model.save_checkpoint(str(tmp_path / "net"), 0, loss, {"fc1_weight": mx.nd.ones((2, 3))}, {})
    files = tmp_path / "net-symbol.json", tmp_path / "net-0000.params"
    assert load_checkpoint(*files, (4, 3), ["fc1"]).outputs == ("fc1",)
    with pytest.raises(SourceError) as refusal:
        load_checkpoint(*files, (4, 3))
    assert str(refusal.value) == (
        "net: it reads softmax_label, which only training has; end the net before that. Try: --outputs fc1."
    )


class TestRefusals:
    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_truncated_parameters(self, exported: tuple[Path, Path, Any], share: float) -> None:
        symbol, params, _ = exported
        whole = params.read_bytes()
        params.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(SourceError, match=r"tiny-0000.params is not a complete MXNet parameter file \("):
            load_checkpoint(symbol, params, SHAPE)

    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_truncated_symbol(self, exported: tuple[Path, Path, Any], share: float) -> None:
        symbol, params, _ = exported
        whole = symbol.read_text()
        symbol.write_text(whole[: int(share * len(whole))])
        with pytest.raises(SourceError, match=r"tiny-symbol.json is not a complete MXNet symbol file \("):
            load_checkpoint(symbol, params, SHAPE)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda graph: graph["nodes"][3]["inputs"][0].__setitem__(0, 99), "does not come before it"),
            (lambda graph: graph["heads"][0].__setitem__(0, 99), "an output refers to a node that is not there"),
            (lambda graph: graph["arg_nodes"].append(-1), "an argument refers to a node that is not there"),
            (lambda graph: graph.pop("heads"), "no nodes, arg_nodes and heads in it"),
            (lambda graph: graph["nodes"][3]["inputs"][0].__setitem__(0, "1"), r"refers to \['1', 0, 0\], expected"),
            (lambda graph: graph["nodes"][3]["attrs"].__setitem__("kernel", 3), "tiny_conv0_fwd are not strings"),
        ],
    )
    def test_damaged_symbol(self, exported: tuple[Path, Path, Any], change: Any, reason: str) -> None:
        symbol, params, _ = exported
        graph = json.loads(symbol.read_text())
        change(graph)
        symbol.write_text(json.dumps(graph))
        with pytest.raises(SourceError, match=reason):
            load_checkpoint(symbol, params, SHAPE)

    def test_files_that_are_not_there(self, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        with pytest.raises(SourceError, match=r"gone.json: the symbol file cannot be read"):
            load_checkpoint(symbol.with_name("gone.json"), params, SHAPE)
        with pytest.raises(SourceError, match=r"gone.params: the parameter file cannot be read"):
            load_checkpoint(symbol, params.with_name("gone.params"), SHAPE)

    def test_files_in_the_wrong_order(self, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        with pytest.raises(SourceError, match=r"tiny-0000.params: the symbol file cannot be read"):
            load_checkpoint(params, symbol, SHAPE)

    def test_a_missing_parameter(self, mx: Any, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        arrays = mx.nd.load(str(params))
        arrays["arg:tiny_conv_weight"] = arrays.pop("arg:tiny_conv0_weight")
        mx.nd.save(str(params), arrays)
        with pytest.raises(SourceError) as refusal:
            load_checkpoint(symbol, params, SHAPE)
        assert str(refusal.value) == (
            "tiny: parameters are missing: tiny-0000.params lacks tiny_conv0_weight. Near names in the file: "
            "tiny_conv0_weight is perhaps tiny_conv_weight. Try: the parameter file that was saved with this symbol."
        )

    def test_a_parameter_of_another_shape(self, mx: Any, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        arrays = mx.nd.load(str(params))
        arrays["arg:tiny_conv0_weight"] = mx.nd.ones((4, 3, 5, 5))
        mx.nd.save(str(params), arrays)
        with pytest.raises(
            SourceError,
            match=r"tiny_conv0_fwd \(Convolution\): tiny_conv0_weight has shape \(4, 3, 5, 5\), expected",
        ):
            load_checkpoint(symbol, params, SHAPE)

    def test_an_operator_that_mxnet_never_had(self, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        for name, whose in (
            ("QActivation", "it is BMXNet's"),
            ("MoonOutput", "it is from a plug-in or a changed MXNet"),
        ):
            graph = json.loads(symbol.read_text())
            graph["nodes"][-4]["op"] = name
            symbol.write_text(json.dumps(graph))
            with pytest.raises(
                SourceError, match=rf"MXNet 1.9.1 has no such operator, {whose}; the file itself is intact"
            ):
                export_graph(load_checkpoint(symbol, params, SHAPE))

    def test_an_output_that_a_node_does_not_have(self, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        graph = json.loads(symbol.read_text())
        graph["heads"][0][1] = 1000000
        symbol.write_text(json.dumps(graph))
        with pytest.raises(SourceError, match="tiny_dense0_fwd has 1 outputs, and no number 1000000"):
            load_checkpoint(symbol, params, SHAPE)

    def test_parameters_without_names(self, mx: Any, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        mx.nd.save(str(params), [mx.nd.ones((2,))])
        with pytest.raises(SourceError, match="holds 1 arrays without names"):
            load_checkpoint(symbol, params, SHAPE)
