"""An MXNet symbol as plain nodes: operators, attributes as strings, and which outputs they read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Shape = tuple[int, ...]
VARIABLE = "null"  # the operator name MXNet's JSON gives to inputs and parameters
_MXNET_1_9_1 = 10901


@dataclass
class SymbolNode:
    """One node of the symbol's JSON.

    ``inputs`` are pairs (index of the producing node, which of its outputs); ``tensors`` and ``shapes`` name and
    measure the visible outputs, and are empty until shapes are inferred.
    """

    name: str
    op: str
    attrs: dict[str, str]
    inputs: list[tuple[int, int]]
    tensors: list[str] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)

    @property
    def is_variable(self) -> bool:
        """Whether this is an input or a parameter."""
        return self.op == VARIABLE


@dataclass
class SymbolGraph:
    """The nodes of a symbol in topological order, and its outputs as (node, output) pairs."""

    nodes: list[SymbolNode]
    heads: list[tuple[int, int]]

    @property
    def variables(self) -> list[str]:
        """Names of inputs and parameters, in the order of the nodes."""
        return [node.name for node in self.nodes if node.is_variable]

    def with_heads(self, heads: Sequence[tuple[int, int]]) -> "SymbolGraph":
        """Return a graph of the nodes that `heads` need, in the order in which MXNet visits and saves them.

        That order is depth first from the outputs, inputs before the nodes that read them.
        """
        number: dict[int, int] = {}
        for root, _ in heads:
            stack = [(root, 0)]
            while stack:
                index, place = stack.pop()
                if index in number:
                    continue
                inputs = self.nodes[index].inputs
                if place < len(inputs):
                    stack += [(index, place + 1), (inputs[place][0], 0)]
                else:
                    number[index] = len(number)
        nodes = [
            SymbolNode(
                node.name,
                node.op,
                dict(node.attrs),
                [(number[source], output) for source, output in node.inputs],
                list(node.tensors),
                list(node.shapes),
            )
            for node in (self.nodes[index] for index in number)
        ]
        return SymbolGraph(nodes, [(number[source], output) for source, output in heads])

    def to_json(self) -> dict[str, Any]:
        """Return the graph as MXNet 1.9.1 saves it."""
        return {
            "nodes": [
                {
                    "op": node.op,
                    "name": node.name,
                    "attrs": node.attrs,
                    "inputs": [[*entry, 0] for entry in node.inputs],
                }
                for node in self.nodes
            ],
            "arg_nodes": [index for index, node in enumerate(self.nodes) if node.is_variable],
            "heads": [[*entry, 0] for entry in self.heads],
            "attrs": {"mxnet_version": ["int", _MXNET_1_9_1]},
        }
