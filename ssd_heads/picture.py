"""Which tensor of a graph is the picture, with its channels in front, and its size."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError

_CHANNELS_TO_FRONT = [0, 3, 1, 2]


def picture(graph: gs.Graph) -> gs.Tensor:
    """The first tensor (N, C, H, W): the input, or what a Transpose makes of an input (N, H, W, C).

    Raises:
        SourceError: the graph has several inputs, or none of four axes.
    """
    if len(graph.inputs) != 1 or len(graph.inputs[0].shape) != 4:
        shapes = ", ".join(f"{tensor.name} {tuple(tensor.shape)}" for tensor in graph.inputs)
        raise SourceError(f"A detector takes one picture (N, C, H, W); this graph takes {shapes}.")
    (data,) = graph.inputs
    for node in _first_nodes(data):
        if node.op == "Transpose" and list(node.attrs.get("perm", [])) == _CHANNELS_TO_FRONT:
            return node.outputs[0]
    return data


def picture_size(graph: gs.Graph) -> tuple[int, int]:
    """(height, width) of the picture in pixels."""
    height, width = picture(graph).shape[2:]
    return int(height), int(width)


def _first_nodes(data: gs.Tensor) -> Iterator[gs.Node]:
    """The nodes between the input and the first that looks at more than one place, as long as they form a chain."""
    tensor = data
    while len(tensor.outputs) == 1 and tensor.outputs[0].op in ("Add", "Sub", "Mul", "Div", "Identity", "Transpose"):
        yield tensor.outputs[0]
        tensor = tensor.outputs[0].outputs[0]
