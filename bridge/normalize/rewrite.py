"""One walk over a graph, in topological order: rewrite a node, fold it or infer what it makes, go on.

Each node finds the nodes before it settled, so a chain of shape arithmetic, each link of which makes the next one's
shapes known, takes one walk. What a rule puts in a node's place is walked over next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.fold_constants import fold
from gluon2caffe.bridge.normalize.surgery import ends_of, is_read
from gluon2caffe.onnx2caffe import growth
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.infer_types import InferenceError, TypeInference
from gluon2caffe.onnx2caffe.names import Names
from gluon2caffe.onnx2caffe.node import is_static


class Rewriting:
    """What rules may know of the graph, which they must not change but for the node that they are given."""

    def __init__(self, graph: gs.Graph) -> None:
        self._graph = graph
        self.opset: int = graph.opset
        self.names = Names.of_graph(graph)
        self.ends = ends_of(graph)
        self.made = growth.Total()
        self._inference = TypeInference(graph.opset)
        self._outer: dict[int, gs.Tensor] | None = None

    def is_read(self, tensor: gs.Tensor) -> bool:
        """Whether a node reads `tensor`, or the graph gives it."""
        return is_read(tensor, self.ends)

    def is_outer(self, tensor: gs.Tensor) -> bool:
        """Whether the tensor is one of the graph itself, not of a subgraph within it."""
        if self._outer is None:
            own = [t for node in self._graph.nodes for t in (*node.inputs, *node.outputs)]
            self._outer = {id(t): t for t in (*self._graph.inputs, *own)}
        return id(tensor) in self._outer

    def take_in(self, node: gs.Node) -> None:
        """Count the tensors of a new node as the graph's."""
        if self._outer is not None:
            self._outer.update((id(t), t) for t in (*node.inputs, *node.outputs))

    def infer(self, node: gs.Node) -> None:
        """Fill in what is not known of the node's outputs, where its inputs tell it."""
        if all(is_static(t) and t.dtype is not None for t in node.outputs if t.name):
            return
        if any(t.name and (t.dtype is None or t.shape is None) for t in node.inputs):
            return
        try:
            inferred = self._inference.outputs_of(node)
        except InferenceError as error:
            reason = str(error).strip().splitlines()[0]
            raise ConversionError(f"The shapes of the graph do not fit together: {reason}") from error
        for tensor, found in zip(node.outputs, inferred, strict=False):
            if not tensor.name or found is None:
                continue
            if found.shape is not None and not is_static(tensor):
                tensor.shape = list(found.shape)
            if tensor.dtype is None:
                tensor.dtype = found.dtype


Rule = Callable[[gs.Node, Rewriting], Sequence[gs.Node] | None]
"""Gives the nodes that take a node's place, itself among them if it was changed; None where it does not apply."""


def rewrite(graph: gs.Graph, rules: Sequence[Rule]) -> bool:
    """Walk over the graph once; say whether anything was rewritten or folded."""
    state = Rewriting(graph)
    waiting, done = list(reversed(graph.nodes)), []
    changed = False
    while waiting:
        node = waiting.pop()
        put = next((put for rule in rules if (put := rule(node, state)) is not None), None)
        if put is not None:
            for new in put:
                state.take_in(new)
            waiting.extend(reversed(put))
            changed = True
            continue
        # First, since onnx's inference is stricter than its evaluator: of Range it takes scalars alone.
        if fold(node, state.opset, state.made):
            changed = True
        else:
            state.infer(node)
            done.append(node)
    graph.nodes = done
    return changed
