"""The few moves that passes share."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.origins import absorb

Array = np.ndarray[Any, np.dtype[Any]]


Ends = frozenset[int]
"""The identities of a graph's outputs: whoever reads them is outside."""


def ends_of(graph: gs.Graph) -> Ends:
    """The outputs of the graph, to be looked up in a pass at no cost."""
    return frozenset(map(id, graph.outputs))


def only_reader(tensor: gs.Tensor, ends: Ends) -> gs.Node | None:
    """The one node that reads `tensor`; None where there are more, none, or it is an output of the graph."""
    return tensor.outputs[0] if len(tensor.outputs) == 1 and id(tensor) not in ends else None


def is_read(tensor: gs.Tensor, ends: Ends) -> bool:
    """Whether a node reads `tensor`, or the graph gives it."""
    return bool(tensor.outputs) or id(tensor) in ends


def is_only_reader(node: gs.Node, tensor: gs.Tensor, ends: Ends) -> bool:
    """Whether nothing but `node` sees `tensor`, so that its values may change."""
    return only_reader(tensor, ends) is node


def producer(tensor: gs.Tensor) -> gs.Node | None:
    """The node that makes `tensor`; None for inputs and constants."""
    return tensor.inputs[0] if tensor.inputs else None


def redirect_readers(tensor: gs.Tensor, other: gs.Tensor) -> None:
    """Let all that read `tensor` read `other`."""
    for reader in list(tensor.outputs):
        for position, read in enumerate(reader.inputs):
            if read is tensor:
                reader.inputs[position] = other


def bypass(node: gs.Node, ends: Ends, *, into: gs.Node | None = None) -> bool:
    """Take `node` out: its readers read its first input. False where that would rename an output of the graph.

    `into` is the node that now does its work; by default the one that makes its input, else those that read it.
    """
    source, result = node.inputs[0], node.outputs[0]
    if id(result) in ends:
        maker = producer(source)
        if maker is None or len(source.outputs) != 1 or id(source) in ends:
            return False
        absorb(into or maker, node)
        # The maker takes over the output's name, which the user knows.
        node.outputs.clear()
        node.inputs.clear()
        maker.outputs[next(i for i, made in enumerate(maker.outputs) if made is source)] = result
        return True
    heir = into or producer(source)
    for taker in [heir] if heir is not None else list(result.outputs):
        absorb(taker, node)
    redirect_readers(result, source)
    node.outputs.clear()
    node.inputs.clear()
    return True


def take_over_output(maker: gs.Node, node: gs.Node) -> None:
    """Let `maker` make what `node`, its only reader, made; `node` is left without tensors."""
    absorb(maker, node)
    result = node.outputs[0]
    node.outputs.clear()
    node.inputs.clear()
    maker.outputs[0] = result


def own_values(constant: gs.Constant) -> Array:
    """The constant's array, for writing in place: its own where nothing else reads it, else a copy."""
    values: Array = constant.values
    if len(constant.outputs) == 1 and values.flags.writeable and values.dtype == np.float32:
        return values
    return values.astype(np.float32)
