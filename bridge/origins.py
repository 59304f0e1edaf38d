"""Which layers of the source a node of the graph does the work of.

A node that no pass has touched stands for itself. The record is kept on the node, since passes rename nodes; a pass
that lets one node do what another did says so with `absorb`. Nodes that are computed away (constants, shapes) are not
recorded: no layer does their work.

The intermediate file keeps the record: in its metadata as a JSON object, and at each node as the description that
Netron shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import onnx
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.onnx2caffe.sizes.marks import hand_on

METADATA_KEY = "source_layers"

_RECORD = "source_layers"


def sources_of(node: gs.Node) -> tuple[str, ...]:
    """Names of the source's layers whose work `node` does, its own name if nothing else is known."""
    recorded: tuple[str, ...] | None = getattr(node, _RECORD, None)
    return recorded or (node.name or node.outputs[0].name,)


def record(node: gs.Node, names: tuple[str, ...]) -> None:
    """Say that `node` does the work of these layers, whatever it will be called."""
    setattr(node, _RECORD, tuple(dict.fromkeys(names)))


def absorb(node: gs.Node, other: gs.Node) -> None:
    """Say that `node` does the work of `other` too. Both must still have their names."""
    record(node, (*sources_of(node), *sources_of(other)))
    hand_on(other, node)


def all_sources(graph: gs.Graph) -> dict[str, tuple[str, ...]]:
    """Node name -> names of the source's layers, for the nodes that do not stand for themselves alone."""
    found = {node.name: sources_of(node) for node in graph.nodes}
    return {name: sources for name, sources in found.items() if sources != (name,)}


def write_sources(model: onnx.ModelProto, graph: gs.Graph) -> dict[str, str]:
    """Describe the nodes of `model`, made from `graph`; return the metadata to add."""
    sources = all_sources(graph)
    for node in model.graph.node:
        if node.name in sources:
            node.doc_string = " + ".join(sources[node.name])
    return {METADATA_KEY: json.dumps(sources)}


def read_sources(model: onnx.ModelProto, graph: gs.Graph) -> None:
    """Give the nodes of `graph`, imported from `model`, the record that an intermediate file keeps."""
    text = next((entry.value for entry in model.metadata_props if entry.key == METADATA_KEY), "{}")
    try:
        sources = json.loads(text)
    except ValueError:
        return  # metadata may hold anything; without them a node stands for itself
    if not isinstance(sources, dict):
        return
    for node in graph.nodes:
        names = sources.get(node.name)
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            record(node, tuple(names))


def walk_back(model: Conversion) -> dict[str, tuple[str, ...]]:
    """Name of each Caffe layer -> names of the source's layers whose work it does.

    For a Gluon net these are nodes of its symbol, which begin with the prefix of their block:
    ``resnetv10_stage1_conv0_fwd`` is the work of the block ``resnetv10_stage1_conv0_``.
    """
    return {layer.message.name: sources_behind(layer.origin, model.sources) for layer in model.layers}


def sources_behind(origin: Iterable[str], sources: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The layers of the source behind the ONNX nodes `origin`; `sources` is that of a `Conversion`."""
    return tuple(dict.fromkeys(source for node in origin for source in sources.get(node, (node,))))


def origin_map(model: Conversion) -> dict[str, dict[str, list[str]]]:
    """Name of each Caffe layer -> {"nodes": its ONNX nodes, "source": as `walk_back`}, as plain values for JSON."""
    back = walk_back(model)
    return {
        layer.message.name: {"nodes": list(layer.origin), "source": list(back[layer.message.name])}
        for layer in model.layers
    }
