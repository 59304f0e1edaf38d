"""The end of an ONNX detector, from its boxes and scores on: found in the graph, and run on numbers of choice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.description import Floats

OPERATOR = "NonMaxSuppression"
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Layout:
    """How a tensor holds numbers of boxes: (N, boxes, width), or (N, width, boxes) where `boxes_last`; ones left out.

    Attributes:
        tensor: in the graph.
        images: N.
        boxes: number of boxes of an image.
        width: numbers of a box.
        boxes_last: whether they lie kind after kind.
    """

    tensor: gs.Tensor
    images: int
    boxes: int
    width: int
    boxes_last: bool

    def stored(self, rows: Array) -> Floats:
        """(N, boxes, width) as the tensor holds them."""
        lying = rows.transpose(0, 2, 1) if self.boxes_last else rows
        return np.ascontiguousarray(lying, np.float32).reshape(self.tensor.shape)

    def rows(self, stored: Array) -> Floats:
        """What the tensor holds, as (N, boxes, width)."""
        if self.boxes_last:
            return stored.reshape(self.images, self.width, self.boxes).transpose(0, 2, 1)
        return stored.reshape(self.images, self.boxes, self.width)


class Tail:
    """What stands between the boxes and scores of all candidates and the outputs.

    Attributes:
        node: the NonMaxSuppression node.
        boxes: the layout of the boxes.
        scores: the layout of the scores.
        outputs: the graph's outputs that are made here, by their places among all.
    """

    def __init__(self, graph: gs.Graph, node: gs.Node, boxes: Layout, scores: Layout, nodes: list[gs.Node]) -> None:
        """Take the part of the graph that `nodes` are."""
        self.node, self.boxes, self.scores, self.nodes = node, boxes, scores, nodes
        made = {id(tensor) for each in nodes for tensor in each.outputs}
        self.outputs = {place: tensor for place, tensor in enumerate(graph.outputs) if id(tensor) in made}
        self._run = _runner(graph, nodes, [boxes.tensor, scores.tensor], list(self.outputs.values()))

    def __call__(self, boxes: Array, scores: Array) -> dict[int, Array]:
        """The outputs, by their places, for boxes (N, boxes, 4) and scores (N, boxes, classes)."""
        fed = {self.boxes.tensor.name: self.boxes.stored(boxes), self.scores.tensor.name: self.scores.stored(scores)}
        return dict(zip(self.outputs, self._run(fed), strict=True))

    def numbers(self, kind: str, *, before: bool = False) -> list[float]:
        """The scalar constants of a numpy kind that the nodes read; with `before`, of those before the suppression."""
        nodes = _ancestors(self.node, self.nodes) if before else self.nodes
        found = [
            tensor.values.reshape(-1)[0].item()
            for node in nodes
            for tensor in node.inputs
            if isinstance(tensor, gs.Constant) and prod(tensor.shape) == 1 and np.dtype(tensor.dtype).kind in kind
        ]
        return sorted(set(found))


def find_tail(graph: gs.Graph) -> Tail | None:
    """The tail of a graph whose outputs come from one NonMaxSuppression node.

    None where there is no such node, or none by which outputs are made.

    Raises:
        SourceError: the boxes and scores that all of it starts from are not found.
    """
    nodes = [node for node in graph.nodes if node.op == OPERATOR and not node.domain]
    if not nodes:
        return None
    if len(nodes) > 1:
        raise SourceError(
            f"The graph suppresses boxes {len(nodes)} times, from {name_of(nodes[0])!r} on; once is known."
        )
    (node,) = nodes
    behind = {id(each) for each in _descendants(node)} | {id(node)}
    before = {id(tensor) for each in _ancestors(node, graph.nodes) for tensor in each.outputs}
    for output in graph.outputs:
        if id(output) not in before and not any(id(maker) in behind for maker in output.inputs):
            raise other_form(node, f"the output {output.name!r} has nothing to do with it")
    place = {id(tensor): number for number, each in enumerate(graph.nodes) for tensor in each.outputs}
    inside = set(behind)
    while True:
        made = {id(tensor) for each in graph.nodes if id(each) in inside for tensor in each.outputs}
        starts: dict[int, gs.Tensor] = {
            id(tensor): tensor
            for each in graph.nodes
            if id(each) in inside
            for tensor in each.inputs
            if tensor.name and not isinstance(tensor, gs.Constant) and id(tensor) not in made
        }
        starts |= {id(output): output for output in graph.outputs if id(output) not in made}
        pair = _pair(starts.values(), node)
        if pair is not None:
            break
        latest = max(starts.values(), key=lambda tensor: place.get(id(tensor), -1), default=None)
        if latest is None or id(latest) not in place:
            raise other_form(node, "the boxes and scores that it is given are not made by nodes of their own")
        inside.add(id(graph.nodes[place[id(latest)]]))
    tail = [each for each in graph.nodes if id(each) in inside]
    if any(each.domain for each in tail):
        raise other_form(node, "nodes of other domains come behind it")
    return Tail(graph, node, *pair, tail)


def other_form(node: gs.Node, reason: str) -> SourceError:
    """The refusal of a suppression."""
    return SourceError(f"The suppression {name_of(node)!r} cannot become a DetectionOutput layer: {reason}.")


def name_of(node: gs.Node) -> str:
    """What to call a node: nodes of files need no names."""
    return node.name or str(node.outputs[0].name)


def _pair(starts: Iterable[gs.Tensor], node: gs.Node) -> tuple[Layout, Layout] | None:
    """Boxes and scores, if these tensors are just that."""
    tensors = list(starts)
    if len(tensors) != 2 or not all(_is_static(tensor) and tensor.dtype == np.float32 for tensor in tensors):
        return None
    # Suppression sorts by what comes of the scores alone: a tensor that reaches only its first input is the boxes.
    for boxes, scores in (tensors, tensors[::-1]):
        for layout in _layouts(boxes, 4):
            count = prod(scores.shape)
            if count % (layout.images * layout.boxes) or _reaches(boxes, node.inputs[1], node):
                continue
            for fitting in _layouts(scores, count // (layout.images * layout.boxes)):
                if (fitting.images, fitting.boxes) == (layout.images, layout.boxes):
                    return layout, fitting
    return None


def _layouts(tensor: gs.Tensor, width: int) -> Iterator[Layout]:
    """The ways in which a tensor can hold `width` numbers per box."""
    shape = [int(length) for length in tensor.shape]
    if len(shape) < 2:
        shape = [1] * (2 - len(shape)) + shape
    shape = [1, *shape] if len(shape) == 2 else shape
    images, inner = shape[0], [length for length in shape[1:] if length != 1]
    boxes = prod(shape[1:]) // width
    if boxes < 2 or boxes * width != prod(shape[1:]):
        return
    kept = [length for length in (boxes, width) if length != 1]
    if inner == kept:
        yield Layout(tensor, images, boxes, width, boxes_last=False)
    elif inner == kept[::-1]:
        yield Layout(tensor, images, boxes, width, boxes_last=True)


def _is_static(tensor: gs.Tensor) -> bool:
    return tensor.shape is not None and all(isinstance(length, (int, np.integer)) for length in tensor.shape)


def _reaches(start: gs.Tensor, end: gs.Tensor, node: gs.Node) -> bool:
    """Whether `end` is `start`, moved about at most."""
    while end is not start:
        maker = end.inputs[0] if end.inputs else None
        if maker is None or maker.op not in ("Reshape", "Transpose", "Unsqueeze", "Squeeze", "Identity"):
            return False
        end = maker.inputs[0]
    return True


def _descendants(node: gs.Node) -> Iterator[gs.Node]:
    waiting, seen = [node], set()
    while waiting:
        for tensor in waiting.pop().outputs:
            for reader in tensor.outputs:
                if id(reader) not in seen:
                    seen.add(id(reader))
                    waiting.append(reader)
                    yield reader


def _ancestors(node: gs.Node, among: list[gs.Node]) -> list[gs.Node]:
    wanted, found = {id(tensor) for tensor in node.inputs}, [node]
    for each in reversed(among):
        if any(id(tensor) in wanted for tensor in each.outputs):
            wanted.update(id(tensor) for tensor in each.inputs)
            found.append(each)
    return found


def _runner(graph: gs.Graph, nodes: list[gs.Node], starts: list[gs.Tensor], ends: list[gs.Tensor]) -> Any:
    """A function from start name -> array to the arrays of the ends."""
    part = gs.Graph(nodes=nodes, inputs=starts, outputs=ends, opset=graph.opset)
    model = gs.export_onnx(part)
    del model.graph.value_info[:]
    model.ir_version = 8
    for info in model.graph.output:
        info.type.tensor_type.ClearField("shape")
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(model)
    else:
        # A hundred times as fast, where it is installed: suppression is a loop over pairs of boxes.
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 4
        evaluator = onnxruntime.InferenceSession(model.SerializeToString(), settings, ["CPUExecutionProvider"])
    return lambda fed: evaluator.run(None, fed)
