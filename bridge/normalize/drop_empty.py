"""Pieces of length 0, which exporters and the definitions of operators leave in general formulas.

A Concat does not need them and a Split need not make them; Caffe has no such blobs.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import is_read


def drop_empty(graph: gs.Graph) -> bool:
    """Take empty tensors out of every Concat, and out of every Split where nothing reads them."""
    changed = False
    for node in graph.nodes:
        if not node.domain and node.op == "Concat":
            changed |= _shorten_concat(node)
        elif not node.domain and node.op == "Split":
            changed |= _shorten_split(node, graph)
    return changed


def _shorten_concat(node: gs.Node) -> bool:
    full = [tensor for tensor in node.inputs if not _is_empty(tensor)]
    if not 0 < len(full) < len(node.inputs):
        return False
    node.inputs = full
    return True


def _shorten_split(node: gs.Node, graph: gs.Graph) -> bool:
    sizes = _sizes(node)
    if sizes is None or len(sizes) != len(node.outputs):
        return False
    kept = [(size, tensor) for size, tensor in zip(sizes, node.outputs, strict=True) if size or is_read(tensor, graph)]
    if not 0 < len(kept) < len(sizes):
        return False
    _set_sizes(node, [size for size, _ in kept])
    node.outputs = [tensor for _, tensor in kept]
    return True


def _is_empty(tensor: gs.Tensor) -> bool:
    return tensor.shape is not None and 0 in tensor.shape


def _sizes(node: gs.Node) -> list[int] | None:
    """The sizes of a Split's pieces; None where they are equal or not known."""
    if "split" in node.attrs:
        return list(node.attrs["split"])
    if len(node.inputs) > 1 and isinstance(node.inputs[1], gs.Constant):
        return [int(size) for size in node.inputs[1].values]
    return None


def _set_sizes(node: gs.Node, sizes: list[int]) -> None:
    if "split" in node.attrs:
        node.attrs["split"] = sizes
    else:
        name = f"{node.inputs[1].name}/{node.outputs[0].name}/sizes"
        node.inputs[1] = gs.Constant(name, np.array(sizes, np.int64))
