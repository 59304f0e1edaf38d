"""Chains of layers that one layer computes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from gluon2caffe.onnx2caffe.model import CaffeModel, Layer


def _producers(model: CaffeModel) -> dict[str, Layer]:
    return {top: layer for layer in model.layers for top in layer.message.top}


def _readers(model: CaffeModel) -> Counter[str]:
    read = Counter(bottom for layer in model.layers for bottom in layer.message.bottom)
    read.update(model.outputs.values())
    return read


def _merge(model: CaffeModel, fits: Callable[[Layer], bool], join: Callable[[Layer, Layer], bool]) -> None:
    """Let one layer do the work of two in a row, where both fit and no other layer reads what is between them.

    `join` puts the work of its first layer into the second, and says whether it did.
    """
    producers, readers = _producers(model), _readers(model)
    for layer in model.layers:
        while fits(layer):
            before = producers.get(layer.message.bottom[0])
            if before is None or not fits(before) or readers[before.message.top[0]] != 1 or not join(before, layer):
                break
            layer.message.bottom[0] = before.message.bottom[0]
            layer.origin = (*before.origin, *layer.origin)
            readers[before.message.top[0]] = 0


def merge_powers(model: CaffeModel) -> None:
    """Two linear Power layers in a row are one: c·(a·x + b) + d = (c·a)·x + (c·b + d)."""
    _merge(model, _is_linear, _join_powers)


def _is_linear(layer: Layer) -> bool:
    return layer.message.type == "Power" and layer.message.power_param.power == 1.0


def _join_powers(before: Layer, layer: Layer) -> bool:
    first, second = before.message.power_param, layer.message.power_param
    scale = second.scale * first.scale
    shift = second.scale * first.shift + second.shift
    layer.message.power_param.Clear()
    if scale != 1.0:
        layer.message.power_param.scale = scale
    if shift != 0.0:
        layer.message.power_param.shift = shift
    return True


def merge_scales(model: CaffeModel) -> None:
    """Two Scale layers per channel in a row are one: c·(a·x + b) + d = (c·a)·x + (c·b + d)."""
    _merge(model, _is_per_channel, _join_scales)


def _is_per_channel(layer: Layer) -> bool:
    message = layer.message
    plain = message.type == "Scale" and len(message.bottom) == 1
    return plain and message.scale_param.axis == 1 and layer.blobs[0].ndim == 1


def _join_scales(before: Layer, layer: Layer) -> bool:
    (first, *first_bias), (second, *second_bias) = before.blobs, layer.blobs
    if first.shape != second.shape:
        return False
    shift = [second * bias for bias in first_bias] + second_bias
    layer.blobs = [second * first] + ([sum(shift[1:], shift[0])] if shift else [])
    layer.message.scale_param.bias_term = bool(shift)
    return True


def skip_reshapes(model: CaffeModel) -> None:
    """Layers that only look at the order of their numbers read past a Reshape or Flatten.

    InnerProduct from axis 1 flattens by itself; Flatten, and Reshape to written dims, need only the batch axis kept.
    """
    producers = _producers(model)
    for layer in model.layers:
        message = layer.message
        reads_flat = message.type == "Flatten" or (
            message.type == "InnerProduct" and message.inner_product_param.axis == 1
        )
        fields = message.reshape_param
        writes_shape = message.type == "Reshape" and 0 not in fields.shape.dim[1:] and not fields.axis
        while reads_flat or writes_shape:
            before = producers.get(message.bottom[0])
            if before is None or not _keeps_batch(before) or (reads_flat and _may_add_axes(before)):
                break
            message.bottom[0] = before.message.bottom[0]
            layer.origin = (*before.origin, *layer.origin)


def _keeps_batch(layer: Layer) -> bool:
    message = layer.message
    if message.type == "Flatten":
        return True
    return message.type == "Reshape" and message.reshape_param.shape.dim[:1] == [0]


def _may_add_axes(layer: Layer) -> bool:
    """Whether its bottom may be of one axis, from whose axis 1 on nothing can be read."""
    return layer.message.type == "Reshape" and all(length == 1 for length in layer.message.reshape_param.shape.dim[1:])
