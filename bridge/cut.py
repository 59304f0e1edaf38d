"""Ending a graph at tensors that the user names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.surgeon import remove_dead


def cut_at(graph: gs.Graph, names: Sequence[str]) -> bool:
    """Make the named tensors the outputs of `graph`; MXNet's `_output` ending may be left on.

    Raises:
        ConversionError: there is no such tensor; near names are given.
    """
    if not names:
        raise ConversionError("outputs names no tensor.")
    if ends_at(graph, names):
        return False
    tensors = {tensor.name: tensor for node in graph.nodes for tensor in node.outputs}
    chosen = []
    for name in names:
        tensor = tensors.get(name) or tensors.get(name.removesuffix("_output"))
        if tensor is None:
            near = difflib.get_close_matches(name, tensors, n=3) or [t.name for t in graph.outputs]
            raise ConversionError(f"There is no tensor {name!r} to cut at. Near names: {', '.join(near)}.")
        chosen.append(tensor)
    graph.outputs = chosen
    remove_dead(graph, inputs_too=True)
    return True


def ends_at(graph: gs.Graph, names: Sequence[str]) -> bool:
    """Whether the named tensors are the outputs of `graph` already."""
    wanted = [name.removesuffix("_output") for name in names]
    return [tensor.name.removesuffix("_output") for tensor in graph.outputs] == wanted
