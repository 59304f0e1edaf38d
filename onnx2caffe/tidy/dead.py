"""Layers and inputs that nothing reads."""

from __future__ import annotations

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


def remove_unread_inputs(model: CaffeModel) -> None:
    """Leave out every input that no layer reads, and say so: Caffe would give it as an output of the net."""
    read = {bottom for layer in model.layers for bottom in layer.message.bottom}
    for name in [name for name in model.inputs if name not in read]:
        del model.inputs[name]
        model.notes.append(f"{name}: the net does not read this input; it is left out")
