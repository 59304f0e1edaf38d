"""The only module that uses graphsurgeon's private parts: protobuf export, lazy values, its log; and two graph walks.

`remove_dead` and `sort_nodes` replace graphsurgeon's `cleanup` and `toposort`: the first formats every removed node,
weights included, into a log message that nobody reads (half the time of converting PaddlePaddle files, 0.5.8); the
second recurses along chains of unsorted nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import onnx
import onnx_graphsurgeon as gs
from onnx_graphsurgeon.exporters.onnx_exporter import OnnxExporter
from onnx_graphsurgeon.ir.tensor import LazyValues, SparseValues
from onnx_graphsurgeon.logger import G_LOGGER


def node_proto(node: gs.Node) -> onnx.NodeProto:
    """The node as a protobuf message."""
    if not all(type(value) in _PLAIN or _is_list_of_int(value) for value in node.attrs.values()):
        return cast(onnx.NodeProto, OnnxExporter.export_node(node))
    # As graphsurgeon does it, at a third of its time: attributes of most nodes are numbers and lists of integers.
    proto = onnx.NodeProto(
        name=node.name,
        op_type=node.op,
        domain=node.domain,
        input=[tensor.name for tensor in node.inputs],
        output=[tensor.name for tensor in node.outputs],
    )
    for name, value in node.attrs.items():
        if isinstance(value, list):
            proto.attribute.add(name=name, type=onnx.AttributeProto.INTS, ints=value)
        elif isinstance(value, float):
            proto.attribute.add(name=name, type=onnx.AttributeProto.FLOAT, f=value)
        elif isinstance(value, str):
            proto.attribute.add(name=name, type=onnx.AttributeProto.STRING, s=value.encode())
        else:
            proto.attribute.add(name=name, type=onnx.AttributeProto.INT, i=value)
    return proto


_PLAIN = (int, float, str)


def _is_list_of_int(value: object) -> bool:
    return type(value) is list and bool(value) and all(type(each) is int for each in value)


def function_proto(function: Any) -> onnx.FunctionProto:
    """A model-local function as a protobuf message."""
    return cast(onnx.FunctionProto, OnnxExporter.export_function(function))


def stored(constant: gs.Constant) -> Any:
    """What holds a constant's values, an array or `LazyValues`, without reading them; both have shape and dtype."""
    return constant._values


@contextmanager
def silent() -> Iterator[None]:
    """Keep graphsurgeon from printing within the block."""
    with G_LOGGER.suppress(G_LOGGER.CRITICAL + 1):
        yield


def remove_dead(graph: gs.Graph, *, inputs_too: bool = False) -> None:
    """Remove nodes from which no output can be reached; with `inputs_too`, also the inputs that nothing reads then.

    Linear in the size of the graph.
    """
    used: set[int] = set()
    waiting = list(graph.outputs)
    while waiting:
        for maker in waiting.pop().inputs:
            if id(maker) not in used:
                used.add(id(maker))
                waiting += _read_by(maker)
    kept = [node for node in graph.nodes if id(node) in used]
    if len(kept) < len(graph.nodes):
        for node in graph.nodes:
            if id(node) not in used:
                node.inputs.clear()
                node.outputs.clear()
        graph.nodes = kept
    if inputs_too:
        ends = set(map(id, graph.outputs))
        inner = {id(tensor) for node in kept for value in _subgraphs(node) for tensor in _read_in(value)}
        graph.inputs = [tensor for tensor in graph.inputs if tensor.outputs or id(tensor) in ends | inner]


def sort_nodes(graph: gs.Graph) -> bool:
    """Sort the nodes by their depth, the longest way from an input; say whether that changed their order.

    The order is that of graphsurgeon's toposort, so that a graph and its saved form have one order.
    """
    depths: dict[int, int] = {}
    order: list[gs.Node] = []
    for last in graph.nodes:
        waiting = [last]
        while waiting:
            node = waiting[-1]
            if id(node) in depths:
                waiting.pop()
                continue
            makers = [maker for tensor in _read_by(node) for maker in tensor.inputs]
            missing = [maker for maker in makers if id(maker) not in depths]
            if missing:
                waiting += reversed(missing)
                continue
            depths[id(node)] = max((depths[id(maker)] for maker in makers), default=-1) + 1
            order.append(node)
            waiting.pop()
    order.sort(key=lambda node: depths[id(node)])
    changed = any(a is not b for a, b in zip(order, graph.nodes, strict=True))
    graph.nodes = order
    return changed


def _read_by(node: gs.Node) -> list[gs.Tensor]:
    """The tensors that the node reads, those that its subgraphs read included."""
    return [*node.inputs, *(tensor for value in _subgraphs(node) for tensor in _read_in(value))]


def _subgraphs(node: gs.Node) -> Iterator[gs.Graph]:
    for value in node.attrs.values():
        if isinstance(value, gs.Graph):
            yield value


def _read_in(graph: gs.Graph) -> Iterable[gs.Tensor]:
    """All tensors read within a subgraph; those of the outer graph are the same objects there."""
    made = {id(tensor) for node in graph.nodes for tensor in node.outputs}
    read = [tensor for node in graph.nodes for tensor in _read_by(node)]
    return (tensor for tensor in (*read, *graph.outputs) if id(tensor) not in made)


__all__ = [
    "LazyValues",
    "SparseValues",
    "function_proto",
    "node_proto",
    "remove_dead",
    "silent",
    "sort_nodes",
    "stored",
]
