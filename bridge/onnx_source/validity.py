"""Rules of ONNX that its checker and its shape inference do not look after, and on which lowerings rely."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError

_WINDOW = ("kernel_shape", "strides", "pads", "dilations", "output_padding", "output_shape", "group")
_LARGEST = 2**31 - 1


def check_nodes(graph: gs.Graph) -> None:
    """Check every node, once all shapes are known that can be known.

    Raises:
        SourceError: a node breaks a rule.
    """
    for node in graph.nodes:
        if node.domain:
            continue
        _check_window(node)
        if node.op == "PRelu":
            _require_broadcast(node, "slope", node.inputs[1].shape, node.inputs[0].shape)
        elif node.op == "Gemm" and len(node.inputs) > 2 and node.inputs[2].name:
            _require_broadcast(node, "third operand", node.inputs[2].shape, node.outputs[0].shape)
        elif node.op == "Split":
            _check_split(node)


def _check_window(node: gs.Node) -> None:
    for name in _WINDOW:
        value = node.attrs.get(name)
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int) and abs(number) > _LARGEST:
                raise SourceError(f"{_title(node)} has the attribute {name} = {number:,}, which no net can need.")


def _check_split(node: gs.Node) -> None:
    sizes = node.attrs.get("split")
    if sizes is None and len(node.inputs) > 1 and isinstance(node.inputs[1], gs.Constant):
        sizes = node.inputs[1].values.reshape(-1).tolist()
    shape = node.inputs[0].shape
    if sizes is None or not _is_static(shape):
        return
    axis = node.attrs.get("axis", 0)
    if not -len(shape) <= axis < len(shape):
        raise SourceError(f"{_title(node)} splits axis {axis} of a tensor of {len(shape)} axes.")
    if len(sizes) != len(node.outputs) or min(sizes) < 0 or sum(sizes) != shape[axis]:
        raise SourceError(
            f"{_title(node)} splits a length of {shape[axis]} into {list(sizes)}, for {len(node.outputs)} outputs."
        )


def _require_broadcast(node: gs.Node, what: str, shape: Any, wanted: Any) -> None:
    if not _is_static(shape) or not _is_static(wanted):
        return
    fits = len(shape) <= len(wanted) and all(
        a in (1, b) for a, b in zip(reversed(list(shape)), reversed(list(wanted)), strict=False)
    )
    if not fits:
        raise SourceError(f"{_title(node)}: its {what} of shape {list(shape)} does not broadcast to {list(wanted)}.")


def _is_static(shape: Any) -> bool:
    return shape is not None and all(isinstance(length, (int, np.integer)) for length in shape)


def _title(node: gs.Node) -> str:
    return f"Node {node.name or node.outputs[0].name!r} ({node.op})"
