"""Put the preprocessing of the input into the graph.

The source is fed (rgb(x) - mean) / std. The order of channels and std go into the weights of the first convolutions
exactly, since zeros of padding stay zeros. So does the mean where those convolutions have no padding; elsewhere the
padding would have to hold the mean, and a Mul and an Add stand in front instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.absorb import Affine, absorb_in_front, can_absorb
from gluon2caffe.bridge.options import Preprocessing
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.names import Names
from gluon2caffe.onnx2caffe.surgeon import sort_nodes

Array = np.ndarray[Any, np.dtype[Any]]


def prepend_preprocessing(graph: gs.Graph, wanted: Preprocessing) -> None:
    """Let the graph take raw input.

    Raises:
        ConversionError: it has several inputs, its input is no image, or the numbers are not one per channel.
    """
    data = _image_input(graph, wanted)
    channels = int(data.shape[1])
    mean = _for_each("mean", wanted.mean, channels, 0.0)
    std = _for_each("std", wanted.std, channels, 1.0)
    # PriorBox looks at the shape of its input only.
    readers = [node for node in data.outputs if node.op not in ("PriorBox", "Shape")]
    names = Names.of_graph(graph)
    foldable = all(_is_plain_conv(node, data) for node in readers) and bool(readers)
    unpadded = foldable and not any(any(node.attrs.get("pads", [])) for node in readers)
    if foldable and (unpadded or not mean.any()):
        for conv in readers:
            absorb_in_front(conv, Affine(1 / std, -(mean / std)), names, reverse=wanted.to_bgr)
    else:
        _put_in_front(graph, readers, mean, std, foldable, wanted.to_bgr, names)


def _image_input(graph: gs.Graph, wanted: Preprocessing) -> gs.Tensor:
    if len(graph.inputs) != 1:
        raise ConversionError(f"to_bgr, mean and std need a net with one input; this one has {len(graph.inputs)}.")
    data = graph.inputs[0]
    if len(data.shape) != 4:
        raise ConversionError(f"to_bgr, mean and std need an input (N, C, H, W); this one is {tuple(data.shape)}.")
    channels = int(data.shape[1])
    if wanted.to_bgr and channels != 3:
        raise ConversionError(f"to_bgr needs an input of three channels; this one has {channels}.")
    return data


def _for_each(name: str, values: tuple[float, ...] | None, channels: int, default: float) -> Array:
    """One number for each channel."""
    if values is None:
        return np.full(channels, default)
    if len(values) not in (1, channels):
        raise ConversionError(f"{name} has {len(values)} values; the input has {channels} channels.")
    return np.broadcast_to(np.array(values, np.float64), (channels,))


def _put_in_front(
    graph: gs.Graph, readers: list[gs.Node], mean: Array, std: Array, foldable: bool, to_bgr: bool, names: Names
) -> None:
    """Nodes that do it between the input and what reads it; the order of channels goes into weights where it can."""
    data = graph.inputs[0]
    if to_bgr:
        mean, std = mean[::-1], std[::-1]
    first = _scaled(graph, data, mean, std, names) if mean.any() or np.any(std != 1) else data
    if to_bgr and foldable:
        for conv in readers:
            absorb_in_front(conv, Affine(np.ones(3), np.zeros(3)), names, reverse=True)
    elif to_bgr:
        first = _reversed(graph, first, names)
    for node in readers:
        for position, tensor in enumerate(node.inputs):
            if tensor is data:
                node.inputs[position] = first
    sort_nodes(graph)


def _is_plain_conv(node: gs.Node, data: gs.Tensor) -> bool:
    return (
        node.op == "Conv"
        and node.inputs[0] is data
        and node.attrs.get("group", 1) == 1
        and node.attrs.get("auto_pad", "NOTSET") in ("NOTSET", "")
        and can_absorb(node)
    )


def _scaled(graph: gs.Graph, data: gs.Tensor, mean: Array, std: Array, names: Names) -> gs.Tensor:
    """(x - mean)/std as a Mul and an Add, which the lowering joins to one Scale layer."""
    factor = (1 / std).astype(np.float32).reshape(1, -1, 1, 1)
    shift = (-mean / std).astype(np.float32).reshape(1, -1, 1, 1)
    scaled = _layer(graph, "Mul", "preprocessing_scale", data, factor, names)
    return _layer(graph, "Add", "preprocessing", scaled, shift, names)


def _reversed(graph: gs.Graph, data: gs.Tensor, names: Names) -> gs.Tensor:
    """The channels in the opposite order, by a 1×1 convolution that permutes them."""
    order = np.ascontiguousarray(np.eye(3, dtype=np.float32)[::-1].reshape(3, 3, 1, 1))
    return _layer(graph, "Conv", "rgb_from_bgr", data, order, names, kernel_shape=[1, 1])


def _layer(
    graph: gs.Graph, operator: str, wanted: str, data: gs.Tensor, values: Array, names: Names, **attributes: object
) -> gs.Tensor:
    """What a node makes of `data` and a constant, in the shape of `data`."""
    name = names.new(wanted)
    constant = gs.Constant(names.new(f"{name}/values"), values)
    made = gs.Variable(name, np.dtype(np.float32), data.shape)
    graph.nodes.append(gs.Node(operator, name, attributes, inputs=[data, constant], outputs=[made]))
    return made
