"""Pieces of length 0, which exporters and the definitions of operators leave in general formulas.

A Concat does not need them and a Split need not make them; Caffe has no such blobs.
"""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.rewrite import Rewriting
from gluon2caffe.onnx2caffe.names import Names


def without_empty(node: gs.Node, state: Rewriting) -> list[gs.Node] | None:
    """A Concat without its empty tensors, a Split without those that nothing reads."""
    if node.domain or node.op not in ("Concat", "Split"):
        return None
    shortened = _shorten_concat(node) if node.op == "Concat" else _shorten_split(node, state)
    return [node] if shortened else None


def _shorten_concat(node: gs.Node) -> bool:
    full = [tensor for tensor in node.inputs if not _is_empty(tensor)]
    if not 0 < len(full) < len(node.inputs):
        return False
    node.inputs = full
    return True


def _shorten_split(node: gs.Node, state: Rewriting) -> bool:
    sizes = _sizes(node)
    if sizes is None or len(sizes) != len(node.outputs):
        return False
    kept = [(size, tensor) for size, tensor in zip(sizes, node.outputs, strict=True) if size or state.is_read(tensor)]
    if not 0 < len(kept) < len(sizes):
        return False
    _set_sizes(node, [size for size, _ in kept], state.names)
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


def _set_sizes(node: gs.Node, sizes: list[int], names: Names) -> None:
    if "split" in node.attrs:
        node.attrs["split"] = sizes
    else:
        name = names.new(f"{node.inputs[1].name}/{node.outputs[0].name}/sizes")
        node.inputs[1] = gs.Constant(name, np.array(sizes, np.int64))
