"""Static shapes everywhere: inference, constant folding, chosen branches, no empty pieces, until nothing changes."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from bridge.normalize.canonical_forms import write_canonical_forms
from bridge.normalize.choose_branches import choose_branches
from bridge.normalize.drop_empty import drop_empty
from bridge.normalize.fold_constants import fold_constants
from bridge.normalize.infer_shapes import infer_shapes


def settle_shapes(graph: gs.Graph) -> bool:
    """Infer shapes, fold constants, put chosen branches in, drop empty pieces: each makes more known to the others."""
    changed = False
    while True:
        write_canonical_forms(graph)
        infer_shapes(graph)
        # Once more: the types that CastLike needs are known now.
        if not (write_canonical_forms(graph) | fold_constants(graph) | choose_branches(graph) | drop_empty(graph)):
            return changed
        graph.cleanup(remove_unused_graph_inputs=False)
        changed = True
