"""The one authority for new names: of tensors, nodes, layers and blobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx_graphsurgeon as gs


class Names:
    """The names in use; `new` gives one that is not."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._last: dict[str, int] = {}  # wanted name -> the number it was last given with

    @classmethod
    def of_graph(cls, graph: gs.Graph) -> Names:
        """Those of a graph's tensors and nodes."""
        names = cls(tensor.name for tensor in (*graph.inputs, *graph.outputs))
        for node in graph.nodes:
            names.reserve(node.name)
            for tensor in (*node.inputs, *node.outputs):
                names.reserve(tensor.name)
        return names

    def reserve(self, name: str) -> None:
        """Count `name` as in use."""
        self._taken.add(name)

    def new(self, wanted: str) -> str:
        """`wanted`, or where that is in use `wanted2`, `wanted3`, …; the name is in use from now on."""
        name, number = wanted, self._last.get(wanted, 1)
        while name in self._taken:
            number += 1
            name = f"{wanted}{number}"
        self._last[wanted] = number
        self._taken.add(name)
        return name
