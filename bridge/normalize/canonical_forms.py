"""Operators written in the form whose shape and type onnx can infer, or that folds."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs
from onnx import helper

_DEFAULT_AXES = [0, 2, 3]


def write_canonical_forms(graph: gs.Graph) -> bool:
    """Rewrite CastLike, Compress and MeanVarianceNormalization where that needs no more than what is known."""
    changed = False
    for node in list(graph.nodes):
        if node.domain:
            continue
        if node.op == "CastLike" and node.inputs[1].dtype is not None:
            _name_type(node)
            changed = True
        elif node.op == "Compress" and isinstance(node.inputs[1], gs.Constant):
            _name_places(node, graph)
            changed = True
        elif node.op == "MeanVarianceNormalization":
            # Its definition by other operators, through which onnx infers, reads the attribute.
            node.attrs.setdefault("axes", _DEFAULT_AXES)
    return changed


def _name_type(node: gs.Node) -> None:
    """CastLike as the Cast to the type of its second input, of which nothing else is used."""
    kind = node.inputs[1].dtype
    to = kind if isinstance(kind, int) else helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    node.op, node.attrs = "Cast", {**node.attrs, "to": int(to)}
    node.inputs = node.inputs[:1]


def _name_places(node: gs.Node, graph: gs.Graph) -> None:
    """Compress by a constant condition as the Gather of what it marks, of all numbers where it has no axis."""
    name = node.outputs[0].name
    marked = np.flatnonzero(node.inputs[1].values)
    source = node.inputs[0]
    if "axis" not in node.attrs:
        flat = gs.Variable(f"{name}/flat", dtype=source.dtype)
        shape = gs.Constant(f"{name}/flat/shape", np.array([-1], np.int64))
        place = next(index for index, other in enumerate(graph.nodes) if other is node)
        graph.nodes.insert(place, gs.Node("Reshape", name=flat.name, inputs=[source, shape], outputs=[flat]))
        source = flat
    node.op, node.attrs = "Gather", {"axis": node.attrs.get("axis", 0)}
    node.inputs = [source, gs.Constant(f"{name}/marked", marked.astype(np.int64))]
