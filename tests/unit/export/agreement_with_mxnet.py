"""Does the exported graph of a symbol compute what MXNet computes?"""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnx_graphsurgeon as gs
import onnxruntime

from gluon2caffe.bridge.export import TracedNet, export_graph, trace_block
from gluon2caffe.bridge.export.shapes import add_shapes


def block_of(mx: Any, symbol: Any, shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Any:
    """A Gluon block that computes `symbol`, with random parameters (variances and slopes positive)."""
    block = mx.gluon.SymbolBlock(symbol, [mx.sym.var(name) for name in shapes])
    arguments, _, states = symbol.infer_shape(**shapes)
    measured = {
        **dict(zip(symbol.list_arguments(), arguments, strict=True)),
        **dict(zip(symbol.list_auxiliary_states(), states, strict=True)),
    }
    rng = np.random.default_rng(seed)
    for name, parameter in block.collect_params().items():
        parameter.shape = measured[name]
        parameter.initialize()
        low, high = (0.5, 2.0) if name.endswith("var") else (-1.0, 1.0)
        parameter.set_data(mx.nd.array(rng.uniform(low, high, measured[name]).astype(np.float32)))
    return block


def run_exported(graph: Any, fed: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Outputs of a graph in onnxruntime; the model must pass the checker with strict shape inference."""
    model = gs.export_onnx(graph)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # As it stands: onnxruntime 1.23 joins a Pad to the pooling after it and then refuses its own pads.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return list(session.run(None, fed))


def assert_drivers_agree(traced: TracedNet) -> None:
    """Assert that our own walk, with shapes by our own rules, gives the graph that mxnet.onnx's walk gives."""
    known = {name: tuple(array.shape) for name, array in traced.params.items()}
    graph = traced.graph.with_heads(traced.graph.heads)
    add_shapes(graph, {**known, **traced.input_shapes})
    assert [(node.name, node.tensors, node.shapes) for node in graph.nodes] == [
        (node.name, node.tensors, node.shapes) for node in traced.graph.nodes
    ]
    arrays = {name: array.asnumpy() for name, array in traced.params.items()}
    ours = export_graph(replace(traced, graph=graph, params=arrays, from_files=True))
    theirs = export_graph(traced)
    assert gs.export_onnx(ours) == gs.export_onnx(theirs)


def assert_agrees(mx: Any, block: Any, shapes: dict[str, tuple[int, ...]], tolerance: float = 3e-6) -> Any:
    """Assert that all outputs agree to `tolerance` times the largest value; returns the graph."""
    rng = np.random.default_rng(1)
    fed = {name: rng.uniform(-3, 3, shape).astype(np.float32) for name, shape in shapes.items()}
    expected = block(*(mx.nd.array(values) for values in fed.values()))
    expected = [array.asnumpy() for array in (expected if isinstance(expected, (list, tuple)) else [expected])]
    traced = trace_block(block, shapes)
    assert_drivers_agree(traced)
    graph = export_graph(traced)
    found = run_exported(graph, {tensor.name: fed[tensor.name] for tensor in graph.inputs})
    assert [array.shape for array in found] == [array.shape for array in expected]
    for got, wanted in zip(found, expected, strict=True):
        assert np.isfinite(wanted).all()
        error = float(np.abs(got - wanted).max())
        assert error <= tolerance * float(np.abs(wanted).max()), f"{error} off"
    return graph
