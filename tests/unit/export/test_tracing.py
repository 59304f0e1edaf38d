from typing import Any

import numpy as np
import pytest
from agreement_with_mxnet import assert_agrees, run_exported
from small_nets import SHAPE, hybrid, tiny

from gluon2caffe.bridge.export import export_graph, mxnet_symbol, trace_block
from gluon2caffe.onnx2caffe.errors import SourceError


def test_deferred_parameters_get_their_shapes_without_a_forward_pass(mx: Any) -> None:
    net = tiny(mx)
    calls: list[Any] = []
    net[0].register_forward_pre_hook(lambda block, inputs: calls.append(inputs[0]))
    traced = trace_block(net, SHAPE)
    assert net[0].weight.data().shape == (4, 3, 3, 3)
    assert net[3].weight.data().shape == (5, 4 * 6 * 6)
    assert [type(call).__name__ for call in calls] == ["Symbol"]
    assert traced.params["tiny_dense0_weight"].shape == (5, 144)
    assert_agrees(mx, net, {"data": SHAPE})


def test_the_trace_says_what_it_found(mx: Any) -> None:
    traced = trace_block(tiny(mx), SHAPE)
    assert traced.name == "tiny"
    assert traced.input_shapes == {"data": SHAPE}
    assert traced.outputs == ("tiny_dense0_fwd",)
    assert sorted(traced.params) == [
        "tiny_batchnorm0_beta",
        "tiny_batchnorm0_gamma",
        "tiny_batchnorm0_running_mean",
        "tiny_batchnorm0_running_var",
        "tiny_conv0_bias",
        "tiny_conv0_weight",
        "tiny_dense0_bias",
        "tiny_dense0_weight",
    ]


@pytest.mark.parametrize("hybridised", [False, True])
def test_a_net_is_left_as_it_was(mx: Any, hybridised: bool) -> None:
    net = tiny(mx)
    if hybridised:
        net.hybridize()
    net(mx.nd.ones(SHAPE))
    before = dict(vars(net))
    arrays = {name: id(parameter.data()) for name, parameter in net.collect_params().items()}
    values = {name: parameter.data().asnumpy() for name, parameter in net.collect_params().items()}
    graph = export_graph(trace_block(net, SHAPE))
    for tensor in graph.tensors().values():  # the graph owns its weights
        if tensor.name in values:
            tensor.values[...] = 7.0
    assert vars(net) == before
    assert {name: id(parameter.data()) for name, parameter in net.collect_params().items()} == arrays
    for name, parameter in net.collect_params().items():
        assert np.array_equal(parameter.data().asnumpy(), values[name])
    assert not mx.autograd.is_training()
    assert net(mx.nd.ones(SHAPE)).shape == (1, 5)


def test_a_net_with_two_inputs_in_the_order_of_the_mapping(mx: Any) -> None:
    net = hybrid(mx, lambda s, left, right: s.broadcast_sub(left, 2 * right))
    shapes = {"right_picture": (1, 2, 3, 3), "left_picture": (1, 2, 1, 1)}
    graph = assert_agrees(mx, net, shapes)
    assert [tensor.name for tensor in graph.inputs] == ["right_picture", "left_picture"]
    assert [tensor.shape for tensor in graph.inputs] == [[1, 2, 3, 3], [1, 2, 1, 1]]


def test_outputs_come_in_the_order_of_the_net(mx: Any) -> None:
    def forward(s: Any, x: Any) -> Any:
        early = s.relu(x, name="early")
        late = s.exp(early, name="late")
        # later than its input, nested, an input, and one twice
        return late, [early, (x, late)]

    net = hybrid(mx, forward)
    traced = trace_block(net, SHAPE)
    assert traced.outputs == ("block_late", "block_early", "data/copy", "block_late/copy")
    graph = export_graph(traced)
    assert [tensor.name for tensor in graph.outputs] == list(traced.outputs)
    data = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    late, early, same, again = run_exported(graph, {"data": data})
    assert np.array_equal(same, data)
    assert np.array_equal(early, np.maximum(data, 0))
    assert np.allclose(late, np.exp(early), rtol=1e-6)
    assert np.array_equal(again, late)


def test_operators_of_one_name_are_told_apart(mx: Any) -> None:
    net = hybrid(mx, lambda s, x: s.exp(s.relu(s.sin(x, name="act"), name="act"), name="act"))
    traced = trace_block(net, SHAPE)
    assert [node.name for node in export_graph(traced).nodes] == ["block_act", "block_act2", "block_act3"]
    # The symbol kept for running beside the conversion has the same names.
    assert mxnet_symbol(traced.graph, mx).get_internals().list_outputs()[1:] == [
        "block_act_output",
        "block_act2_output",
        "block_act3_output",
    ]
    assert_agrees(mx, net, {"data": SHAPE})


def test_a_name_like_that_of_the_input_is_changed(mx: Any) -> None:
    net = hybrid(mx, lambda s, x: s.sin(x, name="data"), prefix="")
    assert trace_block(net, SHAPE).outputs == ("data2",)
    assert_agrees(mx, net, {"data": SHAPE})


def test_a_block_read_from_files_is_traced(mx: Any, tmp_path: Any) -> None:
    net = tiny(mx)
    net.hybridize()
    net(mx.nd.ones(SHAPE))
    net.export(str(tmp_path / "net"))
    block = mx.gluon.SymbolBlock.imports(str(tmp_path / "net-symbol.json"), ["data"], str(tmp_path / "net-0000.params"))
    assert_agrees(mx, block, {"data": SHAPE})


def test_half_and_double_precision_become_single(mx: Any) -> None:
    for dtype in ("float16", "float64"):
        net = tiny(mx)
        net(mx.nd.ones(SHAPE))
        net.cast(dtype)
        graph = export_graph(trace_block(net, SHAPE))
        weight = graph.tensors()["tiny_conv0_weight"].values
        assert weight.dtype == np.float32
        assert np.array_equal(weight, net[0].weight.data().asnumpy().astype(np.float32))


def test_a_constant_of_the_net_is_exported(mx: Any) -> None:
    class Shifted(mx.gluon.HybridBlock):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(prefix="shifted_")
            with self.name_scope():
                self.anchors = self.params.get_constant("anchors", np.arange(8, dtype=np.float32))

        def hybrid_forward(self, F: Any, x: Any, anchors: Any) -> Any:  # noqa: N803
            return F.broadcast_add(x, F.slice_axis(anchors, axis=0, begin=2, end=6)), anchors

    net = Shifted()
    net.initialize()
    graph = assert_agrees(mx, net, {"data": (2, 4)})
    assert [tensor.name for tensor in graph.outputs][1] == "shifted_anchors/copy"


class TestRefusals:
    def test_a_block_that_is_not_hybrid(self, mx: Any) -> None:
        with pytest.raises(
            SourceError, match=r"^Sequential is not a HybridBlock: .*\(HybridSequential instead of Sequential"
        ):
            trace_block(mx.gluon.nn.Sequential(), SHAPE)

    def test_a_net_that_was_never_initialised(self, mx: Any) -> None:
        net = mx.gluon.nn.Dense(3, prefix="dense_")
        with pytest.raises(SourceError) as refusal:
            trace_block(net, SHAPE)
        assert str(refusal.value) == (
            "dense has parameters that are not initialised: dense_weight, dense_bias. "
            "Call net.initialize() or net.load_parameters(file) first."
        )

    def test_a_net_initialised_in_part(self, mx: Any) -> None:
        net = tiny(mx)
        net.add(mx.gluon.nn.Dense(2, prefix="head_"))
        with pytest.raises(SourceError, match="not initialised: head_weight, head_bias"):
            trace_block(net, SHAPE)

    def test_a_shape_the_net_cannot_take(self, mx: Any) -> None:
        net = tiny(mx)
        net(mx.nd.ones(SHAPE))
        with pytest.raises(SourceError) as refusal:
            trace_block(net, (1, 3, 9, 9))
        assert str(refusal.value) == (
            "The net does not take data (1, 3, 9, 9): tiny_dense0_fwd: "
            "Shape inconsistent, Provided = [5,144], inferred shape=(5,196)."
        )

    @pytest.mark.parametrize("shape", [(1, 3, 0, 8), (1, 3, 8.5, 8), "abc", 5, (), (1, -3, 8, 8)])
    def test_what_is_no_shape(self, mx: Any, shape: Any) -> None:
        with pytest.raises(SourceError, match=r"^input shape of data: expected positive whole numbers"):
            trace_block(tiny(mx), shape)

    def test_code_that_needs_numbers(self, mx: Any) -> None:
        net = hybrid(mx, lambda s, x: x.reshape((x.shape[0], -1)))
        with pytest.raises(SourceError, match=r"^block cannot be traced: 'Symbol' object has no attribute 'shape'$"):
            trace_block(net, SHAPE)

    def test_a_block_that_returns_something_else(self, mx: Any) -> None:
        with pytest.raises(SourceError, match=r"^block cannot be traced: it does not return symbols"):
            trace_block(hybrid(mx, lambda s, x: 3), SHAPE)

    def test_an_int8_net(self, mx: Any) -> None:
        net = hybrid(mx, lambda s, x: s.contrib.quantize_v2(x, out_type="int8")[0])
        with pytest.raises(SourceError) as refusal:
            trace_block(net, SHAPE)
        assert str(refusal.value) == (
            "block: quantised (int8) nets cannot be converted; convert the float net of the same name "
            "(found _contrib_quantize_v2)."
        )

    def test_all_unknown_operators_at_once(self, mx: Any) -> None:
        net = hybrid(
            mx, lambda s, x: s.broadcast_add(s.sort(s.argsort(x, name="best"), name="sorted"), s.gamma(x, name="g"))
        )
        with pytest.raises(SourceError) as refusal:
            export_graph(trace_block(net, SHAPE))
        assert str(refusal.value) == (
            "block has operators without an exact ONNX form:\n"
            "  block_best (argsort on (1, 3, 8, 8)): no translation: its result depends on an order, a count or places "
            "that are data\n"
            "  block_sorted (sort on (1, 3, 8, 8)): no translation: its result depends on an order, a count or places "
            "that are data\n"
            "  block_g (gamma on (1, 3, 8, 8)): no translation: a special function without an ONNX counterpart"
        )
