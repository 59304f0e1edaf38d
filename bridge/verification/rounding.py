"""How far single precision alone may move an output, whatever the size of the output: derived from Caffe's formulas."""

from __future__ import annotations

from math import prod

from gluon2caffe.onnx2caffe.model import CaffeModel, Layer

SIGMOID_ROUNDING = 2.0**-23
"""Largest absolute error of a sigmoid as BVLC Caffe computes it, 0.5·tanh(0.5·x) + 0.5.

Near a result of 0 both terms are near 0.5 and cancel: tanh is rounded to multiples of 2^-24 below 1 and may be one of
them off, which halved is 2^-25; the sum adds 2^-25; the reference, rounded to float32 itself, less. That leaves a
factor of two for a tanh that is worse.
"""

# They hand on values, or leave some out.
_MOVING = frozenset({"Concat", "Crop", "Flatten", "Permute", "Reshape", "ShuffleChannel", "Slice", "Split", "Tile"})


def rounding_floors(model: CaffeModel) -> dict[str, float]:
    """Return output -> the absolute difference that rounding explains; 0 where the size of the output decides.

    A net that ends in scores near 0 cannot be held to a part of its largest score: its reader is off by as much at any
    score.
    """
    writers = {top: layer for layer in model.layers for top in layer.message.top}
    return {output: _floor(writers.get(blob), writers, set()) for output, blob in model.outputs.items()}


def _floor(layer: Layer | None, writers: dict[str, Layer], seen: set[str]) -> float:
    if layer is None or layer.message.name in seen:
        return 0.0
    message = layer.message
    seen = seen | {message.name}
    if message.type == "Sigmoid":
        return SIGMOID_ROUNDING
    bottoms = [writers.get(bottom) for bottom in message.bottom]
    if message.type in _MOVING:
        return max((_floor(bottom, writers, seen) for bottom in bottoms), default=0.0)
    if message.type == "Power" and message.power_param.power == 1:
        return abs(message.power_param.scale) * _floor(bottoms[0], writers, seen)
    if message.type == "Eltwise" and message.eltwise_param.operation == message.eltwise_param.PROD:
        # A product of probabilities, as of class and objectness: each factor is at most 1.
        floors = [_floor(bottom, writers, seen) for bottom in bottoms]
        return sum(floors) if prod(floors) else 0.0
    return 0.0
