"""Nodes that depend on constants and static shapes alone are computed now, by onnx's reference evaluator.

The evaluator runs over the foldable nodes only, so no weights but those that such a node reads pass through it.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import helper
from onnx.reference import ReferenceEvaluator

# Their value depends on more than their inputs.
_NEVER = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli"}
)


def fold_constants(graph: gs.Graph) -> bool:
    """Replace the outputs of all foldable nodes by constants."""
    changed = _fold_shapes(graph)
    for node in graph.nodes:
        if node.op in _NEVER or any(isinstance(v, gs.Graph) for v in node.attrs.values()):
            continue
        if all(isinstance(tensor, gs.Constant) or not tensor.name for tensor in node.inputs):
            _evaluate(node, graph)
            changed = True
    return changed


def _fold_shapes(graph: gs.Graph) -> bool:
    """Shape and Size of tensors whose shape is static."""
    changed = False
    for node in graph.nodes:
        if node.op not in ("Shape", "Size") or isinstance(node.inputs[0], gs.Constant):
            continue
        shape = node.inputs[0].shape
        if shape is None or not all(isinstance(length, (int, np.integer)) for length in shape):
            continue
        if node.op == "Size":
            values = np.array(int(np.prod(shape)), np.int64)
        else:
            values = np.array(shape[node.attrs.get("start", 0) : node.attrs.get("end", len(shape))], np.int64)
        _become_constant(node.outputs[0], values, graph)
        changed = True
    return changed


def _evaluate(node: gs.Node, graph: gs.Graph) -> None:
    proto = gs.exporters.onnx_exporter.OnnxExporter.export_node(node)
    outputs = [tensor for tensor in node.outputs if tensor.name]
    model = helper.make_model(
        helper.make_graph(
            [proto],
            "fold",
            [helper.make_value_info(tensor.name, _any_type(tensor)) for tensor in node.inputs if tensor.name],
            [helper.make_value_info(tensor.name, helper.make_tensor_type_proto(1, None)) for tensor in outputs],
        ),
        opset_imports=[helper.make_opsetid("", graph.opset)],
    )
    feeds = {tensor.name: np.asarray(tensor.values) for tensor in node.inputs if tensor.name}
    results = ReferenceEvaluator(model).run(None, feeds)
    for tensor, values in zip(outputs, results, strict=True):
        _become_constant(tensor, np.asarray(values), graph)


def _any_type(tensor: gs.Constant) -> onnx.TypeProto:
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(np.asarray(tensor.values).dtype), tensor.shape)


def _become_constant(tensor: gs.Variable, values: np.ndarray, graph: gs.Graph) -> None:  # type: ignore[type-arg]
    tensor.inputs.clear()
    tensor.to_constant(values)
