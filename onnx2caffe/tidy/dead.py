"""Layers that nothing reads, and tops that nothing reads."""

from __future__ import annotations

from gluon2caffe.onnx2caffe import caffe_pb2
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer


def remove_unread_layers(model: CaffeModel) -> None:
    """Drop every layer from which no output can be reached."""
    needed = set(model.outputs.values())
    kept: list[Layer] = []
    for layer in reversed(model.layers):
        if needed.intersection(layer.message.top):
            needed.update(layer.message.bottom)
            kept.append(layer)
    model.layers[:] = reversed(kept)


def end_loose_tops(model: CaffeModel) -> None:
    """End every top or input that is neither read nor an output with a Silence layer: it would be an output."""
    used = {bottom for layer in model.layers for bottom in layer.message.bottom} | set(model.outputs.values())
    names = {layer.message.name for layer in model.layers}
    tops = [(top, layer.origin) for layer in model.layers for top in layer.message.top]
    inputs: list[tuple[str, tuple[str, ...]]] = [(name, ()) for name in model.inputs]
    loose = [(top, origin) for top, origin in inputs + tops if top not in used]
    for top, origin in loose:
        name = f"{top}/silence"
        while name in names:
            name += "_"
        model.layers.append(Layer(caffe_pb2.LayerParameter(name=name, type="Silence", bottom=[top]), [], origin))
