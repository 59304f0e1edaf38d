"""Every node is called like its first output, so that names say which layer of the source a node came from."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.origins import record, sources_of


def find_unnamed(graph: gs.Graph) -> str | None:
    """Describe a node that is not called like its first output; None where all are."""
    found = next((node for node in graph.nodes if node.name != node.outputs[0].name), None)
    return None if found is None else f"{found.op} {found.name!r} makes {found.outputs[0].name!r}"


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
