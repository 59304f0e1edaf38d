"""Ending a net earlier, before operators that cannot be exported."""

import difflib
import re
from collections.abc import Sequence

from gluon2caffe.bridge.export.traced import TracedNet, output_names
from gluon2caffe.bridge.mxnet_files.graph import SymbolGraph
from gluon2caffe.onnx2caffe.errors import SourceError


def cut_net(traced: TracedNet, outputs: Sequence[str]) -> TracedNet:
    """Make tensors inside a traced net its outputs; what they do not need is gone.

    Args:
        traced: the net; it stays as it is.
        outputs: names of operators, or of their outputs as MXNet lists them (``conv0_fwd_output``).

    Raises:
        SourceError: there is no such tensor; near names are given.

    """
    graph = cut_graph(traced.graph, outputs, traced.name)
    used = set(graph.variables)
    return TracedNet(
        graph,
        {name: array for name, array in traced.params.items() if name in used},
        {name: shape for name, shape in traced.input_shapes.items() if name in used},
        output_names(graph),
        traced.name,
        traced.from_files,
        traced.notes,
    )


def cut_graph(graph: SymbolGraph, outputs: Sequence[str], name: str) -> SymbolGraph:
    """Return the part of a graph that `outputs` need; it need not have shapes yet.

    Raises:
        SourceError: there is no such tensor; near names are given.

    """
    if not outputs:
        raise SourceError(f"{name}: no tensor to end at is named.")
    return graph.with_heads([_find(graph, output, name) for output in outputs])


def _find(graph: SymbolGraph, wanted: str, name: str) -> tuple[int, int]:
    """Find the node and the output that are called `wanted`."""
    by_tensor = {
        tensor: (index, place)
        for index, node in enumerate(graph.nodes)
        for place, tensor in enumerate(node.tensors or [node.name])
    }
    by_node = {node.name: index for index, node in enumerate(graph.nodes)}
    listed = re.fullmatch(r"(?P<node>.+?)_output(?P<place>\d*)", wanted)
    numbered = re.fullmatch(r"(?P<node>.+?)(?P<place>\d+)", wanted)
    if wanted in by_tensor:
        return by_tensor[wanted]
    for match in (listed, numbered):
        index = by_node.get(match["node"]) if match else None
        if match is None or index is None:
            continue
        place = int(match["place"] or 0)
        tensors = graph.nodes[index].tensors
        if not tensors or place < len(tensors):
            return index, place
    names = list(by_tensor)
    heads = [graph.nodes[source].name for source, _ in graph.heads]
    near = ", ".join(difflib.get_close_matches(wanted, names, n=3)) or ", ".join(heads)
    raise SourceError(f"{name} has no tensor {wanted!r} to end at. Near names: {near}.")
