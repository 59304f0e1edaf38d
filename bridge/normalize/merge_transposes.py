"""Transposes in a row become one, or none where they undo each other.

T_q(T_p(x)) = T_r(x) with r[i] = p[q[i]].

A net that was written for images as (N, H, W, C) has pairs of inverse Transposes with element by element operators
between them. `push_transposes` brings such pairs together.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import Ends, bypass, ends_of, producer
from gluon2caffe.bridge.origins import absorb


def merge_transposes(graph: gs.Graph) -> bool:
    """Merge every Transpose with the one it reads from."""
    ends = ends_of(graph)
    return bool(sum(_merge(node, ends) for node in graph.nodes if permutation(node) is not None))


def permutation(node: gs.Node | None) -> tuple[int, ...] | None:
    """The permutation of a Transpose of a computed tensor; None for other nodes."""
    if node is None or node.op != "Transpose" or node.domain or not node.inputs or not node.outputs:
        return None
    if isinstance(node.inputs[0], gs.Constant) or node.inputs[0].shape is None:
        return None
    return tuple(node.attrs.get("perm", range(len(node.inputs[0].shape) - 1, -1, -1)))


def _merge(second: gs.Node, ends: Ends) -> bool:
    first = producer(second.inputs[0])
    inner, outer = permutation(first), permutation(second)
    if first is None or inner is None or outer is None:
        return False
    merged = tuple(inner[axis] for axis in outer)
    second.inputs[0] = first.inputs[0]
    second.attrs["perm"] = list(merged)
    absorb(second, first)
    if merged == tuple(range(len(merged))):
        bypass(second, ends)  # where it makes an output of the graph it may have to stay, doing nothing
    return True
