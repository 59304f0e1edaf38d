"""Operators written in the form whose shape and type onnx can infer, or that folds."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs
from onnx import helper

_DEFAULT_AXES = [0, 2, 3]
_SPLIT_WITH_SIZES_AS_INPUT = 13


def write_canonical_forms(graph: gs.Graph) -> bool:
    """Rewrite CastLike, Compress, SplitToSequence and MeanVarianceNormalization where what that needs is known."""
    changed = False
    for node in list(graph.nodes):
        if node.domain:
            continue
        if node.op == "CastLike" and node.inputs[1].dtype is not None:
            _cast_like_to_cast(node)
            changed = True
        elif node.op == "Compress" and isinstance(node.inputs[1], gs.Constant):
            _compress_to_gather(node, graph)
            changed = True
        elif node.op == "SplitToSequence":
            changed |= _sequence_to_split(node, graph)
        elif node.op == "MeanVarianceNormalization":
            # Its definition by other operators, through which a check of the intermediate infers, reads the attribute.
            node.attrs.setdefault("axes", _DEFAULT_AXES)
    return changed


def _cast_like_to_cast(node: gs.Node) -> None:
    """CastLike as the Cast to the type of its second input, of which nothing else is used."""
    kind = node.inputs[1].dtype
    to = kind if isinstance(kind, int) else helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    node.op, node.attrs = "Cast", {**node.attrs, "to": int(to)}
    node.inputs = node.inputs[:1]


def _compress_to_gather(node: gs.Node, graph: gs.Graph) -> None:
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


def _sequence_to_split(node: gs.Node, graph: gs.Graph) -> bool:
    """SplitToSequence whose pieces are all taken out at constant places as the Split into these."""
    readers = list(node.outputs[0].outputs)
    x, axis = node.inputs[0], node.attrs.get("axis", 0)
    taken = all(reader.op == "SequenceAt" and isinstance(reader.inputs[1], gs.Constant) for reader in readers)
    if not readers or not taken or any(node.outputs[0] is output for output in graph.outputs):
        return False
    if x.shape is None or not isinstance(x.shape[axis], (int, np.integer)):
        return False
    sizes = _sizes(node, int(x.shape[axis]))
    if sizes is None:
        return False
    name = node.outputs[0].name
    pieces = [gs.Variable(f"{name}/{index}", dtype=x.dtype) for index in range(len(sizes))]
    for reader in readers:
        piece = pieces[int(reader.inputs[1].values.item())]
        reader.op, reader.inputs = "Identity", [piece]
    node.op, node.attrs, node.outputs = "Split", {"axis": axis}, pieces
    if graph.opset >= _SPLIT_WITH_SIZES_AS_INPUT:
        node.inputs = [x, gs.Constant(f"{name}/sizes", np.array(sizes, np.int64))]
    else:
        node.inputs, node.attrs["split"] = [x], sizes
    return True


def _sizes(node: gs.Node, length: int) -> list[int] | None:
    """The lengths of the pieces of a SplitToSequence; None where they are not known, or lose their axis."""
    if len(node.inputs) < 2 or not node.inputs[1].name:
        return [1] * length if node.attrs.get("keepdims", 1) else None
    if not isinstance(node.inputs[1], gs.Constant):
        return None
    given = node.inputs[1].values
    if given.ndim:
        return [int(size) for size in given]
    size = int(given)
    return [min(size, length - start) for start in range(0, length, size)] if size > 0 else None
