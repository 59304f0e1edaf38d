"""Static shapes everywhere: shape inference, constant folding and the choice of branches, until nothing changes."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from bridge.normalize.choose_branches import choose_branches
from bridge.normalize.fold_constants import fold_constants
from bridge.normalize.infer_shapes import infer_shapes


def settle_shapes(graph: gs.Graph) -> bool:
    """Infer shapes, fold constants and put chosen branches in: each makes more known to the others."""
    changed = False
    while True:
        infer_shapes(graph)
        if not (fold_constants(graph) | choose_branches(graph)):
            return changed
        graph.cleanup(remove_unused_graph_inputs=False)
        changed = True
