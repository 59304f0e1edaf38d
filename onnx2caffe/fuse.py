"""Groups of ONNX nodes that one Caffe layer computes, put together before lowering.

A group becomes one node of the domain `caffe`, which only the lowering sees: this works on a copy, so the intermediate
keeps the ONNX nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.affine import per_channel
from gluon2caffe.onnx2caffe.graph_pass import Pass, PassRunner
from gluon2caffe.onnx2caffe.names import Names
from gluon2caffe.onnx2caffe.sizes.marks import hand_on
from gluon2caffe.onnx2caffe.targets import Profile

DOMAIN = "caffe"

_ORIGIN = "origin"


@dataclass(frozen=True)
class _Group:
    """Nodes that one layer computes, the last of them last.

    `inputs` are what the layer reads, `scale` a constant that becomes its weights.
    """

    kind: str
    nodes: list[gs.Node]
    inputs: list[gs.Tensor]
    attributes: dict[str, Any]
    scale: np.ndarray[Any, np.dtype[np.float32]] | None = None


@dataclass(frozen=True)
class _Fusion:
    """A kind of group: the operator that it ends with, but for a factor, and how it is found from there."""

    kind: str
    operator: str
    find: Callable[[gs.Node, frozenset[int]], _Group | None]


def fused(graph: gs.Graph, profile: Profile) -> gs.Graph:
    """The graph with all groups put together that `profile` has a layer for: a copy, or itself where there are none."""
    passes = fusing_passes(profile, {node.op for node in graph.nodes})
    if not passes:
        return graph
    copy = graph.copy()
    for old, new in zip(graph.nodes, copy.nodes, strict=True):
        hand_on(old, new)
    PassRunner(copy).run(passes)
    return copy


def fusing_passes(profile: Profile, operators: set[str]) -> list[Pass]:
    """The passes that put groups together, of kinds that the profile has and may be among these operators."""

    def running(fusion: _Fusion) -> Callable[[gs.Graph], bool]:
        return lambda graph: _fuse(graph, fusion)

    return [
        Pass(f"fuse_{fusion.kind.lower()}", running(fusion))
        for fusion in _FUSIONS
        if profile.has(fusion.kind) and fusion.operator in operators
    ]


def origin_of(node: gs.Node) -> tuple[str, ...]:
    """Names of the ONNX nodes in the group that became `node`; none where it is no such group."""
    return tuple(node.attrs.get(_ORIGIN, ())) if node.domain == DOMAIN else ()


def _fuse(graph: gs.Graph, fusion: _Fusion) -> bool:
    names = Names.of_graph(graph)
    ends = frozenset(map(id, graph.outputs))
    put: dict[int, gs.Node] = {}
    for node in graph.nodes:
        group = fusion.find(node, ends) if node.op == fusion.operator else None
        if group is not None:
            put[id(group.nodes[-1])] = _as_node(group, names)
    if put:
        # The last of a group has lost its output, so it goes with the rest.
        graph.nodes = [each for node in graph.nodes for each in (put.get(id(node)), node) if each is not None]
    return bool(put)


def _as_node(group: _Group, names: Names) -> gs.Node:
    last = group.nodes[-1]
    made = last.outputs[0]
    last.outputs.clear()
    scale = [] if group.scale is None else [gs.Constant(names.new(f"{made.name}/scale"), group.scale)]
    fused_node = gs.Node(
        op=group.kind,
        domain=DOMAIN,
        name=made.name,
        attrs={**group.attributes, _ORIGIN: [node.name for node in group.nodes]},
        inputs=[*group.inputs, *scale],
        outputs=[made],
    )
    for node in group.nodes:
        hand_on(node, fused_node)
    return fused_node


def _find_normalization(divide: gs.Node, ends: frozenset[int]) -> _Group | None:
    """X / sqrt(sum of x² over the channels + eps), and a factor per channel after it: Caffe's Normalize."""
    if len(divide.inputs) != 2 or isinstance(divide.inputs[0], gs.Constant):
        return None
    x, norm = divide.inputs
    root = _producer(norm, "Sqrt")
    added = _producer(root.inputs[0], "Add") if root is not None else None
    if root is None or added is None or not isinstance(added.inputs[1], gs.Constant):
        return None
    epsilon = added.inputs[1].values
    squares = _producer(added.inputs[0], "ReduceSumSquare")
    if epsilon.size != 1 or squares is None or squares.inputs[0] is not x or not _over_channels(squares, x):
        return None
    nodes, attributes = [squares, added, root, divide], {"eps": float(epsilon.item())}
    if len(divide.outputs[0].shape) != len(x.shape):
        return None  # an epsilon of more axes raises the rank
    factor = _factor_behind(divide.outputs[0], ends)
    if factor is None:
        return _Group("Normalize", nodes, [x], attributes, np.ones(x.shape[1], np.float32))
    multiply, scale = factor
    return _Group("Normalize", [*nodes, multiply], [x], attributes, scale)


def _factor_behind(
    result: gs.Tensor, ends: frozenset[int]
) -> tuple[gs.Node, np.ndarray[Any, np.dtype[np.float32]]] | None:
    """The Mul by a constant per channel that alone reads `result`, and the constant."""
    after = result.outputs[0] if len(result.outputs) == 1 else None
    if after is None or after.op != "Mul" or id(result) in ends:
        return None
    other = after.inputs[1] if after.inputs[0] is result else after.inputs[0]
    if not isinstance(other, gs.Constant):
        return None
    channels = int(result.shape[1])
    values = per_channel(other.values, len(result.shape))
    return None if values is None or values.size != channels else (after, values.reshape(-1).astype(np.float32))


def _find_swish(multiply: gs.Node, _ends: frozenset[int]) -> _Group | None:
    """x·sigmoid(x)."""
    for x, gate in (multiply.inputs, reversed(multiply.inputs)):
        sigmoid = _producer(gate, "Sigmoid")
        if sigmoid is not None and sigmoid.inputs[0] is x:
            return _Group("Swish", [sigmoid, multiply], [x], {})
    return None


def _find_mish(multiply: gs.Node, _ends: frozenset[int]) -> _Group | None:
    """x·tanh(softplus(x))."""
    for x, gate in (multiply.inputs, reversed(multiply.inputs)):
        tanh = _producer(gate, "Tanh")
        softplus = _producer(tanh.inputs[0], "Softplus") if tanh is not None else None
        if tanh is not None and softplus is not None and softplus.inputs[0] is x:
            return _Group("Mish", [softplus, tanh, multiply], [x], {})
    return None


_FUSIONS = (
    _Fusion("Normalize", "Div", _find_normalization),
    _Fusion("Swish", "Mul", _find_swish),
    _Fusion("Mish", "Mul", _find_mish),
)


def _producer(tensor: gs.Tensor, operator: str) -> gs.Node | None:
    return tensor.inputs[0] if tensor.inputs and tensor.inputs[0].op == operator else None


def _over_channels(node: gs.Node, x: gs.Tensor) -> bool:
    axes = node.attrs.get("axes")
    if axes is None and len(node.inputs) > 1 and isinstance(node.inputs[1], gs.Constant):
        axes = node.inputs[1].values.tolist()
    over_channels = axes is not None and [axis % 4 for axis in axes] == [1]
    return len(x.shape) == 4 and over_channels and bool(node.attrs.get("keepdims", 1))
