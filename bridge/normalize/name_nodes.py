"""Every node is called like its first output, so that names say which layer of the source a node came from."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.origins import record, sources_of


def name_nodes(graph: gs.Graph) -> bool:
    """Name the nodes; tensor names are unique, so these are."""
    changed = False
    for node in graph.nodes:
        name = node.outputs[0].name
        if node.name != name:
            record(node, sources_of(node))
            node.name = name
            changed = True
    return changed
