"""Reshape, Transpose and Reshape that shuffle pixels become the DepthToSpace that they compute.

PyTorch's exporter and MXNet's nets split the channels in two factors of the block and what is left, move the factors
behind the rows and the columns, and merge:

    (N, C·r·r, H, W) -> (N, C, r, r, H, W) -> (N, C, H, r, W, r) -> (N, C, H·r, W·r)     CRD, as torch.pixel_shuffle
    (N, r·r·C, H, W) -> (N, r, r, C, H, W) -> (N, C, H, r, W, r) -> (N, C, H·r, W·r)     DCR

Written out the lengths hold for one size of the picture; the operator holds at every size, and has one layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import Ends, ends_of
from gluon2caffe.bridge.origins import record, sources_of
from gluon2caffe.onnx2caffe.sizes.marks import from_size

_MODES = {(0, 1, 4, 2, 5, 3): "CRD", (0, 3, 4, 1, 5, 2): "DCR"}


@dataclass(frozen=True)
class _Shuffle:
    """The nodes in order, what they read, and what they compute."""

    nodes: list[gs.Node]
    start: gs.Tensor
    block: int
    mode: str


def find_pixel_shuffles(graph: gs.Graph) -> bool:
    """Put a DepthToSpace in the place of each."""
    # Before opset 11 the operator has no mode.
    modes = {order: mode for order, mode in _MODES.items() if graph.opset >= 11 or mode == "DCR"}
    ends, changed = ends_of(graph), False
    for turn in [node for node in graph.nodes if node.op == "Transpose"]:
        found = _find(turn, modes.get(tuple(turn.attrs.get("perm", ())), ""), ends)
        if found is not None:
            _replace(graph, found)
            changed = True
    return changed


def _find(turn: gs.Node, mode: str, ends: Ends) -> _Shuffle | None:
    if not mode:
        return None
    before, after = _reshapes_before(turn, ends), _reshapes_after(turn, ends)
    if not before or not after or not all(map(_keeps_pictures, (*before, *after))):
        return None
    start, split, end = before[0].inputs[0], turn.inputs[0], after[-1].outputs[0]
    if len(start.shape) != 4 or len(split.shape) != 6 or len(end.shape) != 4:
        return None
    batch, channels, height, width = start.shape
    parts = list(split.shape[1:4])
    (left, block), other = (parts[:2], parts[2]) if mode == "CRD" else ((parts[2], parts[0]), parts[1])
    same = list(split.shape) == [batch, *parts, height, width] and block == other
    if not same or block * block * left != channels or list(end.shape) != [batch, left, height * block, width * block]:
        return None
    return _Shuffle([*before, turn, *after], start, int(block), mode)


def _reshapes_before(turn: gs.Node, ends: Ends) -> list[gs.Node]:
    """The Reshapes in a row that nothing but the Transpose reads in the end, the first one first."""
    found: list[gs.Node] = []
    tensor = turn.inputs[0]
    while tensor.inputs and tensor.inputs[0].op == "Reshape" and len(tensor.outputs) == 1 and id(tensor) not in ends:
        found.insert(0, tensor.inputs[0])
        tensor = tensor.inputs[0].inputs[0]
    return found


def _reshapes_after(turn: gs.Node, ends: Ends) -> list[gs.Node]:
    """The Reshapes in a row behind the Transpose, up to the first picture."""
    found: list[gs.Node] = []
    tensor = turn.outputs[0]
    while len(tensor.outputs) == 1 and tensor.outputs[0].op == "Reshape" and id(tensor) not in ends:
        found.append(tensor.outputs[0])
        tensor = tensor.outputs[0].outputs[0]
        if len(tensor.shape) == 4:
            break
    return found


def _keeps_pictures(node: gs.Node) -> bool:
    """Whether it splits and merges as it does here at every size that it takes.

    A length that is inferred in front of rows and columns that are written would take in more of a larger picture.
    """
    if "shape" in node.attrs or not isinstance(node.inputs[1], gs.Constant):
        return False
    target = node.inputs[1].values.reshape(-1).tolist()
    computed = from_size(node.inputs[1])
    behind = [
        length in (-1, 0) or (computed is not None and bool(computed.reshape(-1)[place]))
        for place, length in enumerate(target)
    ][-2:]
    return -1 not in target[1:-2] or all(behind)


def _replace(graph: gs.Graph, found: _Shuffle) -> None:
    last = found.nodes[-1]
    made = last.outputs[0]
    node = gs.Node(
        op="DepthToSpace",
        name=last.name,
        attrs={"blocksize": found.block, **({"mode": found.mode} if graph.opset >= 11 else {})},
        inputs=[found.start],
        outputs=[],
    )
    record(node, tuple(source for each in found.nodes for source in sources_of(each)))
    last.outputs.clear()
    node.outputs.append(made)
    gone = {id(each) for each in found.nodes[:-1]}
    graph.nodes = [node if each is last else each for each in graph.nodes if id(each) not in gone]
    for each in found.nodes:
        each.inputs.clear()
        each.outputs.clear()
