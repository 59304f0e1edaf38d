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
    assert traced.symbol.list_inputs() == ["data", "weight"]
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


class TestRefusals:
    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_truncated_parameters(self, exported: tuple[Path, Path, Any], share: float) -> None:
        symbol, params, _ = exported
        whole = params.read_bytes()
        params.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(SourceError, match=r"tiny-0000.params is not a complete MXNet parameter file \(Invalid NDA"):
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
            (lambda graph: graph["nodes"][3].__setitem__("op", "Conv"), "Operator Conv is not registered"),
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
        del arrays["arg:tiny_conv0_weight"]
        mx.nd.save(str(params), arrays)
        with pytest.raises(SourceError, match=r"^tiny: the parameter file lacks tiny_conv0_weight. "):
            load_checkpoint(symbol, params, SHAPE)

    def test_parameters_of_another_net(self, mx: Any, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        mx.nd.save(str(params), {**mx.nd.load(str(params)), "arg:other_bias": mx.nd.ones((2,))})
        with pytest.raises(
            SourceError, match=r"^tiny-0000.params holds .* tiny-symbol.json does not use: other_bias. "
        ):
            load_checkpoint(symbol, params, SHAPE)

    def test_a_parameter_of_another_shape(self, mx: Any, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        arrays = mx.nd.load(str(params))
        arrays["arg:tiny_conv0_weight"] = mx.nd.ones((4, 3, 5, 5))
        mx.nd.save(str(params), arrays)
        with pytest.raises(SourceError, match=r"tiny_conv0_fwd: Shape inconsistent, Provided = \[4,3,5,5\]"):
            load_checkpoint(symbol, params, SHAPE)

    def test_parameters_without_names(self, mx: Any, exported: tuple[Path, Path, Any]) -> None:
        symbol, params, _ = exported
        mx.nd.save(str(params), [mx.nd.ones((2,))])
        with pytest.raises(SourceError, match="holds 1 arrays without names"):
            load_checkpoint(symbol, params, SHAPE)
