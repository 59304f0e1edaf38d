"""Ending a graph at tensors that the user names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import ConversionError


def cut_at(graph: gs.Graph, names: Sequence[str]) -> None:
    """Make the named tensors the outputs of `graph`; MXNet's `_output` ending may be left on."""
    if not names:
        raise ConversionError("outputs names no tensor.")
    if [tensor.name for tensor in graph.outputs] == list(names):
        return
    tensors = {tensor.name: tensor for node in graph.nodes for tensor in node.outputs}
    chosen = []
    for name in names:
        tensor = tensors.get(name) or tensors.get(name.removesuffix("_output"))
        if tensor is None:
            near = difflib.get_close_matches(name, tensors, n=3) or [t.name for t in graph.outputs]
            raise ConversionError(f"There is no tensor {name!r} to cut at. Near names: {', '.join(near)}.")
        chosen.append(tensor)
    graph.outputs = chosen
    graph.cleanup(remove_unused_graph_inputs=True)
