"""The last tensors before what cannot be converted: where a net can be cut, computed from its graph."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.mxnet_files.graph import SymbolGraph
from gluon2caffe.onnx2caffe.decomposed import DECOMPOSED
from gluon2caffe.onnx2caffe.errors import Cut
from gluon2caffe.onnx2caffe.registry import find_lowering

# What these make depends on shapes alone, which are static before everything that is refused.
_SHAPES_ALONE = frozenset(
    {"Shape", "Size", "shape_array", "size_array", "zeros_like", "ones_like", "_contrib_MultiBoxPrior"}
)
# Operators of ONNX and MXNet that only move numbers.
_VIEWS = frozenset(
    {"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Slice", "Split", "Gather", "Cast", "Identity"}
    | {"reshape", "expand_dims", "squeeze", "transpose", "slice", "slice_axis", "slice_like", "SliceChannel", "_copy"}
)


@dataclass(frozen=True)
class Step:
    """A node of any graph: its operator, and the names of the tensors that it reads and makes."""

    operator: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]


def cut_before(
    steps: Sequence[Step],
    refused: Collection[int],
    data: Iterable[str],
    ends: Sequence[str],
    is_usable: Callable[[str], bool] = lambda name: True,
) -> Cut | None:
    """The cut that leaves out the steps `refused` and all that depends on them; None where nothing is left before it.

    A cut is only as good as the steps before it: whoever proposes it tries it first.

    Args:
        steps: in topological order.
        refused: numbers of those that cannot be converted.
        data: the inputs of the net; what depends on none of them is constant.
        ends: the outputs of the net.
        is_usable: whether the net can be cut at a tensor; where not, the cut is made before the step that makes it.
    """
    if not refused:
        return None
    outside = set(refused)
    needed = _needed(steps, ends)
    while True:
        computed, behind, left = set(data), set[str](), []
        maker: dict[str, int] = {}
        for number in needed:
            step = steps[number]
            if number in outside or not behind.isdisjoint(step.reads):
                behind.update(step.makes)
                left.append(step)
            elif step.operator not in _SHAPES_ALONE and not computed.isdisjoint(step.reads):
                computed.update(step.makes)
                maker.update(dict.fromkeys(step.makes, number))
        wanted = {name for step in left for name in step.reads} | set(ends)
        found = [name for name in maker if name in wanted]
        above = {maker[name] for name in found if not is_usable(name) or _is_view(steps[maker[name]], found)}
        if not above:
            return Cut(tuple(found), tuple(step.operator for step in left)) if found else None
        outside |= above


def _is_view(step: Step, found: Sequence[str]) -> bool:
    """Whether a step only moves the numbers of a tensor at which the net is cut anyway."""
    return step.operator in _VIEWS and not set(found).isdisjoint(step.reads)


def _needed(steps: Sequence[Step], ends: Sequence[str]) -> list[int]:
    """Numbers of the steps that the ends depend on, in order."""
    wanted, needed = set(ends), []
    for number in reversed(range(len(steps))):
        if not wanted.isdisjoint(steps[number].makes):
            wanted.update(steps[number].reads)
            needed.append(number)
    return needed[::-1]


def cut_of_symbol(graph: SymbolGraph, refused: Collection[int], parameters: Collection[str]) -> Cut | None:
    """The cut of an MXNet symbol before the nodes with these numbers."""

    def tensor(source: int, output: int) -> str:
        tensors = graph.nodes[source].tensors
        return tensors[output] if output < len(tensors) else f"{graph.nodes[source].name}#{output}"

    steps = [
        Step(node.op, tuple(tensor(*each) for each in node.inputs), tuple(node.tensors) or (tensor(number, 0),))
        for number, node in enumerate(graph.nodes)
    ]
    data = [node.name for node in graph.nodes if node.is_variable and node.name not in parameters]
    shapes = {name for node in graph.nodes for name in node.tensors}
    return cut_before(steps, refused, data, [tensor(*head) for head in graph.heads], shapes.__contains__)


def cut_of_graph(
    graph: gs.Graph, is_refused: Callable[[gs.Node], bool], tensors: Collection[str] | None = None
) -> Cut | None:
    """The cut of an ONNX graph before the nodes that are refused.

    Args:
        graph: its nodes are in topological order.
        is_refused: of each node.
        tensors: the names that its source knows, where these are others.
    """
    steps = [
        Step(
            node.op,
            tuple(tensor.name for tensor in node.inputs if not isinstance(tensor, gs.Constant) and tensor.name),
            tuple(tensor.name for tensor in node.outputs if tensor.name),
        )
        for node in graph.nodes
    ]
    refused = [number for number, node in enumerate(graph.nodes) if is_refused(node)]
    return cut_before(
        steps,
        refused,
        [tensor.name for tensor in graph.inputs],
        [tensor.name for tensor in graph.outputs],
        (lambda name: True) if tensors is None else tensors.__contains__,
    )


def has_no_lowering(node: gs.Node, opset: int) -> bool:
    """Whether nothing at all is known to compute a node, whatever its attributes and the target."""
    if any(isinstance(value, gs.Graph) for value in node.attrs.values()):
        return True
    if not node.domain and node.op in DECOMPOSED:
        return False
    return find_lowering(node.op, node.domain or "", opset) is None
