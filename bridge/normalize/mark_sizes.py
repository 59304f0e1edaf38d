"""Marks the nodes that compute with numbers found from a shape, before they are folded into others.

`fold_constants` keeps track of which constants come from the shape of a computed tensor. A Reshape to such lengths
fails where its input has another size, since it names all of them or infers one; what any other node makes of them
would be wrong in silence.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.sizes.marks import bind, from_size


def mark_sizes(graph: gs.Graph) -> None:
    """Mark every node that reads such a constant; the graph stays as it is."""
    for node in graph.nodes:
        if any(from_size(tensor) is not None for tensor in node.inputs) and not _shows_it(node):
            bind(node, f"{node.op} with numbers computed from a shape")


def _shows_it(node: gs.Node) -> bool:
    """Whether it is a Reshape whose lengths are all written, or inferred beside lengths that no size decides."""
    if node.op != "Reshape" or from_size(node.inputs[0]) is not None:
        return False
    places = from_size(node.inputs[1])
    # The batch, in front, is copied.
    return places is not None and (-1 not in node.inputs[1].values or not places.reshape(-1)[1:].any())
