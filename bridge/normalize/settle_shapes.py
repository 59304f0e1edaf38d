"""Static shapes everywhere: shape inference and constant folding in turn, until neither finds more."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from bridge.normalize.fold_constants import fold_constants
from bridge.normalize.infer_shapes import infer_shapes


def settle_shapes(graph: gs.Graph) -> bool:
    """Infer shapes and fold constants in turn: each makes more known to the other."""
    infer_shapes(graph)
    changed = False
    while fold_constants(graph):
        graph.cleanup(remove_unused_graph_inputs=False)
        infer_shapes(graph)
        changed = True
    return changed
