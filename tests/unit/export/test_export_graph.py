import tracemalloc
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from agreement_with_mxnet import assert_agrees, block_of
from small_nets import SHAPE, hybrid, tiny

from gluon2caffe.bridge.export import export_graph, trace_block
from gluon2caffe.onnx2caffe.errors import SourceError


def test_names_are_those_of_the_net(mx: Any) -> None:
    graph = export_graph(trace_block(tiny(mx), SHAPE))
    assert [(node.op, node.name) for node in graph.nodes] == [
        ("Conv", "tiny_conv0_fwd"),
        ("BatchNormalization", "tiny_batchnorm0_fwd"),
        ("Relu", "tiny_relu0_fwd"),
        ("Flatten", "tiny_dense0_fwd/Flatten"),
        ("Gemm", "tiny_dense0_fwd"),
    ]
    assert all(node.name == node.outputs[0].name for node in graph.nodes)
    assert (graph.name, graph.opset, graph.ir_version) == ("tiny", 13, 8)


def test_every_tensor_has_its_shape(mx: Any) -> None:
    graph = export_graph(trace_block(tiny(mx), SHAPE))
    assert {name: tuple(tensor.shape) for name, tensor in graph.tensors().items()} == {
        "data": (1, 3, 8, 8),
        "tiny_conv0_weight": (4, 3, 3, 3),
        "tiny_conv0_bias": (4,),
        "tiny_conv0_fwd": (1, 4, 6, 6),
        "tiny_batchnorm0_gamma": (4,),
        "tiny_batchnorm0_beta": (4,),
        "tiny_batchnorm0_running_mean": (4,),
        "tiny_batchnorm0_running_var": (4,),
        "tiny_batchnorm0_fwd": (1, 4, 6, 6),
        "tiny_relu0_fwd": (1, 4, 6, 6),
        "tiny_dense0_fwd/Flatten": (1, 144),
        "tiny_dense0_weight": (5, 144),
        "tiny_dense0_bias": (5,),
        "tiny_dense0_fwd": (1, 5),
    }


def test_weights_are_owned_writable_single_precision(mx: Any) -> None:
    net = tiny(mx)
    graph = export_graph(trace_block(net, SHAPE))
    constants = [tensor for tensor in graph.tensors().values() if isinstance(tensor, gs.Constant)]
    assert len(constants) == 8
    for tensor in constants:
        assert tensor.values.dtype == np.float32
        assert tensor.values.flags.writeable
        assert tensor.values.flags.c_contiguous
    assert np.array_equal(graph.tensors()["tiny_dense0_weight"].values, net[3].weight.data().asnumpy())


def test_a_fixed_gamma_is_one_and_the_parameter_is_not_copied(mx: Any) -> None:
    block = block_of(mx, mx.sym.BatchNorm(mx.sym.var("data"), name="bn"), {"data": SHAPE})
    block.collect_params()["bn_gamma"].set_data(mx.nd.array([np.nan, 2, 3]))
    tensors = export_graph(trace_block(block, SHAPE)).tensors()
    assert "bn_gamma" not in tensors
    assert tensors["bn/gamma"].values.tolist() == [1, 1, 1]


def test_a_parameter_shared_by_two_layers_is_one_constant(mx: Any) -> None:
    weight = mx.sym.var("w", shape=(3, 3, 1, 1))
    symbol = mx.sym.var("data")
    for name in ("first", "second"):
        symbol = mx.sym.Convolution(symbol, weight, num_filter=3, kernel=(1, 1), no_bias=True, name=name)
    graph = assert_agrees(mx, block_of(mx, symbol, {"data": SHAPE}), {"data": SHAPE})
    assert graph.nodes[0].inputs[1] is graph.nodes[1].inputs[1]


def test_a_reshaped_slope_is_a_view_of_its_parameter(mx: Any) -> None:
    symbol = mx.sym.LeakyReLU(mx.sym.var("data"), mx.sym.var("slope", shape=(3,)), act_type="prelu", name="act")
    (node,) = export_graph(trace_block(block_of(mx, symbol, {"data": SHAPE}), SHAPE)).nodes
    assert node.inputs[1].name == "act/slope"
    assert node.inputs[1].values.shape == (3, 1, 1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused_by_name(mx: Any, value: float) -> None:
    net = tiny(mx)
    traced = trace_block(net, SHAPE)
    weight = net[3].weight.data()
    weight[2, 3] = value
    with pytest.raises(SourceError, match=r"^parameter tiny_dense0_weight holds 1 NaN or infinite of 720 values"):
        export_graph(traced)
    found = export_graph(traced, allow_non_finite=True).tensors()["tiny_dense0_weight"].values[2, 3]
    assert np.array_equal(found, value, equal_nan=True)


def test_large_finite_weights_are_not_taken_for_infinite(mx: Any) -> None:
    net = tiny(mx)
    traced = trace_block(net, SHAPE)
    net[3].weight.set_data(mx.nd.full((5, 144), 3e38))
    assert export_graph(traced).tensors()["tiny_dense0_weight"].values.max() == np.float32(3e38)


def test_weights_are_in_memory_once(mx: Any) -> None:
    net = mx.gluon.nn.Dense(1000, in_units=4000, prefix="big_")
    net.initialize()
    traced = trace_block(net, (1, 4000))
    export_graph(traced)
    tracemalloc.start()
    graph = export_graph(traced)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert graph.tensors()["big_weight"].values.nbytes == 16_000_000
    assert peak < 1.1 * 16_000_000


def test_shapes_are_inferred_once(mx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    traced = trace_block(tiny(mx), SHAPE)
    calls: list[str] = []
    for name in ("infer_shape", "infer_shape_partial"):
        monkeypatch.setattr(mx.sym.Symbol, name, lambda *a, _name=name, **k: calls.append(_name))
    export_graph(traced)
    assert not calls


def test_an_output_that_is_constant(mx: Any) -> None:
    net = hybrid(mx, lambda s, x: (x + 1, s.ones(shape=(2, 3))))
    graph = assert_agrees(mx, net, {"data": SHAPE})
    assert graph.outputs[1].name == "block__ones0"


def test_gluoncv_group_norm_is_traced(mx: Any) -> None:
    gluoncv = pytest.importorskip("gluon2caffe.bridge.export").load_gluoncv()
    for scale in (True, False):
        net = gluoncv.nn.GroupNorm(ngroups=2, in_channels=6, epsilon=0.1, scale=scale, prefix="gn_")
        net.initialize()
        net.gamma.set_data(mx.nd.array([1, 2, 3, 4, 5, 6]))
        net.beta.set_data(mx.nd.array([6, 5, 4, 3, 2, 1]))
        before = vars(gluoncv.nn.GroupNorm)["hybrid_forward"]
        graph = assert_agrees(mx, net, {"data": (2, 6, 4, 5)})
        assert graph.outputs[0].name == "gn_fwd"
        assert vars(gluoncv.nn.GroupNorm)["hybrid_forward"] is before
