"""Transposes move behind operators that work element by element or along an axis, where that makes them fewer.

f(T(x)) = T(f(x)) for an operator f that works element by element; f(T(x), T(y)) = T(f(x, y)); a constant operand is
transposed back once and for all; an axis a of f becomes the axis perm[a].

A group is a set of such operators, together with the Transposes of one permutation that they read from. Behind it,
a Transpose is needed for every result that others read; there it meets Transposes that undo it. A group moves only if
fewer Transposes are left. The tensors that change their layout get names of their own, so that a name that the source
knows always stands for the source's values.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.merge_transposes import merge_transposes, permutation
from gluon2caffe.bridge.normalize.surgery import Ends, ends_of, producer
from gluon2caffe.bridge.origins import record, sources_of
from gluon2caffe.onnx2caffe.names import Names
from gluon2caffe.onnx2caffe.surgeon import remove_dead, sort_nodes

Permutation = tuple[int, ...]

# fmt: off
_ELEMENTWISE = frozenset(
    {
        "Abs", "Cast", "Ceil", "Celu", "Clip", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish",
        "Identity", "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign",
        "Softplus", "Softsign", "Sqrt", "Tanh", "ThresholdedRelu",
    }
)
# fmt: on
_BROADCASTING = frozenset(["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean", "PRelu"])


@dataclass
class _Group:
    """Operators and the Transposes that they read from, in the order of the graph."""

    operators: list[gs.Node] = field(default_factory=list)
    transposes: list[gs.Node] = field(default_factory=list)


def reduce_transposes(graph: gs.Graph) -> bool:
    """Merge and move Transposes until they become no fewer."""
    changed = merge_transposes(graph)
    left = _count(graph)
    while push_transposes(graph):
        changed = True
        merge_transposes(graph)
        remove_dead(graph)
        if _count(graph) >= left:
            break
        left = _count(graph)
    return changed


def _count(graph: gs.Graph) -> int:
    return sum(node.op == "Transpose" for node in graph.nodes)


def push_transposes(graph: gs.Graph) -> bool:
    """Move Transposes behind every group for which that leaves fewer of them."""
    orders = dict.fromkeys(p for node in graph.nodes if (p := permutation(node)) is not None)
    if not orders:
        return False
    names, ends = Names.of_graph(graph), ends_of(graph)
    changed = False
    for order in orders:
        for group in _groups(graph, order):
            if _saving(group, order, ends) > 0:
                graph.nodes += _push(group, order, names)
                changed = True
    if changed:
        remove_dead(graph)
        sort_nodes(graph)
    return changed


def _groups(graph: gs.Graph, order: Permutation) -> Iterable[_Group]:
    """The connected groups for one permutation."""
    parent: dict[int, int] = {}  # of the identities of nodes, a forest whose trees are the groups

    def root(key: int) -> int:
        while parent[key] != key:
            parent[key] = key = parent[parent[key]]
        return key

    for node in graph.nodes:
        if permutation(node) == order:
            parent[id(node)] = id(node)
            continue
        makers = [producer(tensor) for tensor in node.inputs if tensor.name and not isinstance(tensor, gs.Constant)]
        if not makers or not all(maker is not None and id(maker) in parent for maker in makers):
            continue
        if _can_pass(node, len(order)):
            parent[id(node)] = id(node)
            for maker in makers:
                parent[root(id(maker))] = id(node)
    groups: dict[int, _Group] = {}
    for node in graph.nodes:
        if id(node) in parent:
            group = groups.setdefault(root(id(node)), _Group())
            (group.transposes if permutation(node) == order else group.operators).append(node)
    return [group for group in groups.values() if group.operators]


def _can_pass(node: gs.Node, rank: int) -> bool:
    if node.domain:
        return False
    computed = [tensor for tensor in node.inputs if tensor.name and not isinstance(tensor, gs.Constant)]
    results = [tensor for tensor in node.outputs if tensor.name]
    if any(tensor.shape is None or len(tensor.shape) != rank for tensor in (*computed, *results)):
        return False
    if node.op == "Concat":
        return len(computed) == len(node.inputs)
    if node.op in _BROADCASTING:
        return "broadcast" not in node.attrs
    return node.op in _ELEMENTWISE or node.op == "Split"


def _saving(group: _Group, order: Permutation, ends: Ends) -> int:
    """How many Transposes fewer there are when they stand behind the group."""
    members = {id(node) for node in group.operators}
    saved = 0
    for transpose in group.transposes:
        kept = id(transpose.outputs[0]) in ends
        kept |= any(id(reader) not in members for reader in transpose.outputs[0].outputs)
        saved += not kept
    for node in group.operators:
        for result in node.outputs:
            outside = [reader for reader in result.outputs if id(reader) not in members]
            undone = [reader for reader in outside if _undoes(permutation(reader), order)]
            merged = [reader for reader in outside if permutation(reader) is not None]
            saved += len(undone)
            saved -= id(result) in ends or len(merged) < len(outside)
    return saved


def _undoes(second: Permutation | None, first: Permutation) -> bool:
    return second is not None and all(first[axis] == index for index, axis in enumerate(second))


def _push(group: _Group, order: Permutation, names: Names) -> list[gs.Node]:
    """Let the group work on what its Transposes read; return the Transposes behind it."""
    inverse = tuple(int(axis) for axis in np.argsort(order))
    before = {id(transpose.outputs[0]): transpose.inputs[0] for transpose in group.transposes}
    behind = []
    for node in group.operators:
        for position, tensor in enumerate(node.inputs):
            if isinstance(tensor, gs.Constant):
                if node.op in _BROADCASTING:
                    node.inputs[position] = _permuted(tensor, inverse, names)
            elif tensor.name:
                node.inputs[position] = before[id(tensor)]
        if "axis" in node.attrs or node.op == "Split":
            axis = node.attrs.get("axis", 0)
            node.attrs["axis"] = order[axis % len(order)]
        results = list(node.outputs)
        node.outputs.clear()
        for result in results:
            if not result.name:
                node.outputs.append(gs.Variable.empty())
                continue
            shape = [result.shape[axis] for axis in inverse]
            moved = gs.Variable(names.new(f"{result.name}/moved"), dtype=result.dtype, shape=shape)
            node.outputs.append(moved)
            before[id(result)] = moved
            back = gs.Node("Transpose", name=result.name, attrs={"perm": list(order)}, inputs=[moved], outputs=[result])
            record(back, sources_of(node))
            behind.append(back)
    return behind


def _permuted(constant: gs.Constant, inverse: Permutation, names: Names) -> gs.Constant:
    """The constant operand as the operator wants it when the other operand is not transposed."""
    values = constant.values
    if values.size == 1:
        return constant
    aligned = values.reshape((1,) * (len(inverse) - values.ndim) + values.shape)
    return gs.Constant(names.new(f"{constant.name}/moved"), np.ascontiguousarray(aligned.transpose(inverse)))
