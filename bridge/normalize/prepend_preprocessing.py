"""Put the preprocessing of the input into the graph.

The source is fed (rgb(x) - mean) / std. The order of channels and std go into the weights of the first convolutions
exactly, since zeros of padding stay zeros. So does the mean where those convolutions have no padding; elsewhere the
padding would have to hold the mean, and a Mul and an Add stand in front instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import own_values
from gluon2caffe.bridge.options import Preprocessing
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.surgeon import sort_nodes

Array = np.ndarray[Any, np.dtype[np.float64]]


def prepend_preprocessing(graph: gs.Graph, wanted: Preprocessing) -> None:
    """Let the graph take raw input."""
    if len(graph.inputs) != 1:
        raise ConversionError(f"to_bgr, mean and std need a net with one input; this one has {len(graph.inputs)}.")
    data = graph.inputs[0]
    if len(data.shape) != 4:
        raise ConversionError(f"to_bgr, mean and std need an input (N, C, H, W); this one is {tuple(data.shape)}.")
    channels = int(data.shape[1])
    if wanted.to_bgr and channels != 3:
        raise ConversionError(f"to_bgr needs an input of three channels; this one has {channels}.")
    mean = _per_channel("mean", wanted.mean, channels, 0.0)
    std = _per_channel("std", wanted.std, channels, 1.0)
    # PriorBox looks at the shape of its input only.
    readers = [node for node in data.outputs if node.op not in ("PriorBox", "Shape")]
    foldable = all(_is_plain_conv(node, data) for node in readers) and bool(readers)
    unpadded = foldable and not any(any(node.attrs.get("pads", [])) for node in readers)
    if foldable and (unpadded or not mean.any()):
        for conv in readers:
            _fold_into(conv, mean, std, wanted.to_bgr)
        return
    if wanted.to_bgr:
        mean, std = mean[::-1], std[::-1]
    first = _scaled(graph, data, mean, std) if mean.any() or np.any(std != 1) else data
    if wanted.to_bgr:
        if foldable:
            for conv in readers:
                _fold_into(conv, np.zeros(3), np.ones(3), True)
        else:
            first = _reversed(graph, first)
    for node in readers:
        for position, tensor in enumerate(node.inputs):
            if tensor is data:
                node.inputs[position] = first
    sort_nodes(graph)


def _per_channel(name: str, values: tuple[float, ...] | None, channels: int, default: float) -> Array:
    if values is None:
        return np.full(channels, default)
    if len(values) not in (1, channels):
        raise ConversionError(f"{name} has {len(values)} values; the input has {channels} channels.")
    return np.broadcast_to(np.array(values, np.float64), (channels,))


def _is_plain_conv(node: gs.Node, data: gs.Tensor) -> bool:
    return (
        node.op == "Conv"
        and node.inputs[0] is data
        and node.attrs.get("group", 1) == 1
        and node.attrs.get("auto_pad", "NOTSET") in ("NOTSET", "")
        and all(isinstance(tensor, gs.Constant) for tensor in node.inputs[1:])
    )


def _fold_into(conv: gs.Node, mean: Array, std: Array, to_bgr: bool) -> None:
    """W'·x = W·(x - mean)/std, with W' in the channel order of the raw input."""
    old = conv.inputs[1]
    weight = own_values(old)
    if mean.any():
        shift = -np.einsum("ochw,c->o", weight.astype(np.float64), mean / std)
        bias = conv.inputs[2].values if len(conv.inputs) > 2 else 0.0
        total = gs.Constant(f"{conv.outputs[0].name}/bias", (bias + shift).astype(np.float32))
        if len(conv.inputs) > 2:
            conv.inputs[2] = total
        else:
            conv.inputs.append(total)
    if np.any(std != 1):
        np.multiply(weight, (1 / std).astype(np.float32)[None, :, None, None], out=weight)
    if to_bgr:
        weight = weight[:, ::-1]
    if len(old.outputs) == 1:
        old.values = np.ascontiguousarray(weight)
    else:
        conv.inputs[1] = gs.Constant(f"{conv.outputs[0].name}/weight", np.ascontiguousarray(weight))


def _scaled(graph: gs.Graph, data: gs.Tensor, mean: Array, std: Array) -> gs.Tensor:
    """(x - mean)/std as a Mul and an Add, which the lowering joins to one Scale layer."""
    factor = (1 / std).astype(np.float32).reshape(1, -1, 1, 1)
    shift = (-mean / std).astype(np.float32).reshape(1, -1, 1, 1)
    scaled = graph.layer(
        op="Mul",
        name="preprocessing_scale",
        inputs=[data, gs.Constant("preprocessing_factor", factor)],
        outputs=[gs.Variable("preprocessing_scale", np.float32, data.shape)],
    )[0]
    return graph.layer(
        op="Add",
        name="preprocessing",
        inputs=[scaled, gs.Constant("preprocessing_shift", shift)],
        outputs=[gs.Variable("preprocessing", np.float32, data.shape)],
    )[0]


def _reversed(graph: gs.Graph, data: gs.Tensor) -> gs.Tensor:
    """The channels in the opposite order, by a 1×1 convolution that permutes them."""
    order = np.eye(3, dtype=np.float32)[::-1].reshape(3, 3, 1, 1)
    return graph.layer(
        op="Conv",
        name="rgb_from_bgr",
        inputs=[data, gs.Constant("rgb_from_bgr_weight", np.ascontiguousarray(order))],
        outputs=[gs.Variable("rgb_from_bgr", np.float32, data.shape)],
        attrs={"kernel_shape": [1, 1]},
    )[0]
