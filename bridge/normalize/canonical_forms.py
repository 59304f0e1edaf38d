"""Operators written in the form whose shape and type onnx can infer, or that folds."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs
from onnx import helper

from gluon2caffe.bridge.normalize.rewrite import Rewriting

_DEFAULT_AXES = [0, 2, 3]
_SPLIT_WITH_SIZES_AS_INPUT = 13


def canonical_form(node: gs.Node, state: Rewriting) -> list[gs.Node] | None:
    """CastLike, Compress, SplitToSequence and MeanVarianceNormalization, where what that needs is known."""
    if node.domain:
        return None
    if node.op == "CastLike" and node.inputs[1].dtype is not None:
        return _cast_like_to_cast(node)
    if node.op == "Compress" and isinstance(node.inputs[1], gs.Constant):
        return _compress_to_gather(node, state)
    if node.op == "SplitToSequence":
        return _sequence_to_split(node, state)
    if node.op == "MeanVarianceNormalization":
        # Its definition by other operators, through which a check of the intermediate infers, reads the attribute.
        node.attrs.setdefault("axes", _DEFAULT_AXES)
    return None


def _cast_like_to_cast(node: gs.Node) -> list[gs.Node]:
    """CastLike as the Cast to the type of its second input, of which nothing else is used."""
    kind = node.inputs[1].dtype
    to = kind if isinstance(kind, int) else helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    node.op, node.attrs = "Cast", {**node.attrs, "to": int(to)}
    node.inputs = node.inputs[:1]
    return [node]


def _compress_to_gather(node: gs.Node, state: Rewriting) -> list[gs.Node]:
    """Compress by a constant condition as the Gather of what it marks, of all numbers where it has no axis."""
    name = node.outputs[0].name
    marked = np.flatnonzero(node.inputs[1].values)
    source, put = node.inputs[0], [node]
    if "axis" not in node.attrs:
        flat = gs.Variable(state.names.new(f"{name}/flat"), dtype=source.dtype)
        shape = gs.Constant(state.names.new(f"{name}/flat/shape"), np.array([-1], np.int64))
        put.insert(0, gs.Node("Reshape", name=flat.name, inputs=[source, shape], outputs=[flat]))
        source = flat
    node.op, node.attrs = "Gather", {"axis": node.attrs.get("axis", 0)}
    node.inputs = [source, gs.Constant(state.names.new(f"{name}/marked"), marked.astype(np.int64))]
    return put


def _sequence_to_split(node: gs.Node, state: Rewriting) -> list[gs.Node] | None:
    """SplitToSequence whose pieces are all taken out at constant places as the Split into these."""
    readers = list(node.outputs[0].outputs)
    x, axis = node.inputs[0], node.attrs.get("axis", 0)
    taken = all(reader.op == "SequenceAt" and isinstance(reader.inputs[1], gs.Constant) for reader in readers)
    if not readers or not taken or id(node.outputs[0]) in state.ends:
        return None
    if x.shape is None or not isinstance(x.shape[axis], (int, np.integer)):
        return None
    sizes = _sizes(node, int(x.shape[axis]))
    if sizes is None:
        return None
    name, names = node.outputs[0].name, state.names
    pieces = [gs.Variable(names.new(f"{name}/{index}"), dtype=x.dtype) for index in range(len(sizes))]
    for reader in readers:
        piece = pieces[int(reader.inputs[1].values.item())]
        reader.op, reader.inputs = "Identity", [piece]
    node.op, node.attrs, node.outputs = "Split", {"axis": axis}, pieces
    if state.opset >= _SPLIT_WITH_SIZES_AS_INPUT:
        node.inputs = [x, gs.Constant(names.new(f"{name}/sizes"), np.array(sizes, np.int64))]
    else:
        node.inputs, node.attrs["split"] = [x], sizes
    return [node]


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
