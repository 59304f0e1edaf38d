"""Marks the nodes that compute with numbers found from a shape, before they are folded into others.

`fold_constants` keeps track of which constants come from the shape of a computed tensor. A Reshape to such lengths
fails where its input has another size, since it names all of them or infers one; what any other node makes of them
would be wrong in silence.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.sizes.marks import bind, bind_axes, cut_like, from_size, lengths_in


def mark_sizes(graph: gs.Graph) -> None:
    """Mark every node that reads such a constant; the graph stays as it is."""
    for node in graph.nodes:
        like = _resized_like(node)
        if like is not None:
            cut_like(node, like)
        elif any(from_size(tensor) is not None for tensor in node.inputs) and not _shows_it(node):
            bind(node, f"{node.op} with numbers computed from a shape")


def _shows_it(node: gs.Node) -> bool:
    """Whether it is a Reshape whose lengths are all written, or inferred beside lengths that no size decides."""
    if node.op != "Reshape" or from_size(node.inputs[0]) is not None:
        return False
    places = from_size(node.inputs[1])
    # The batch, in front, is copied.
    return places is not None and (-1 not in node.inputs[1].values or not places.reshape(-1)[1:].any())


def _resized_like(node: gs.Node) -> gs.Tensor | None:
    """The tensor whose rows and columns are the size that a Resize of a picture names; None where they are of none."""
    lengths = lengths_in(node.inputs[3]) if node.op == "Resize" and len(node.inputs) > 3 else None
    if lengths is None or "axes" in node.attrs or lengths.places.size != 4 or "tf_crop" in str(node.attrs):
        return None
    rows, columns = lengths.of(2), lengths.of(3)
    if rows is None or columns is None or rows[0] is not columns[0] or (rows[1], columns[1]) != (2, 3):
        return None
    batch = lengths.of(0)
    if batch is None or batch[1] != 0:
        bind_axes(node, [0], "a batch that is written")
    return rows[0] if len(rows[0].shape) == 4 else None
