"""Layers that may write where they read."""

from __future__ import annotations

from collections import Counter

from gluon2caffe.onnx2caffe.model import CaffeModel, Layer

IN_PLACE = frozenset({"ReLU", "PReLU", "ELU", "Sigmoid", "TanH", "Power", "Scale", "BatchNorm", "ReLU6"})
SHARING = frozenset({"Flatten", "Reshape"})


def put_in_place(model: CaffeModel) -> None:
    """Let a layer overwrite its bottom where no other layer sees those numbers.

    Flatten and Reshape share memory with their bottom: what they make is not overwritten, since the bottom would change
    too. Inputs and outputs keep their own blobs.
    """
    reads = Counter(bottom for layer in model.layers for bottom in layer.message.bottom)
    fixed = set(model.inputs) | set(model.outputs.values())
    fixed.update(top for layer in model.layers if layer.message.type in SHARING for top in layer.message.top)
    renamed: dict[str, str] = {}
    for layer in model.layers:
        message = layer.message
        bottom = message.bottom[0] if message.bottom else ""
        message.bottom[:] = [renamed.get(name, name) for name in message.bottom]
        if _may_overwrite(layer) and reads[bottom] == 1 and bottom not in fixed and message.top[0] not in fixed:
            renamed[message.top[0]] = message.bottom[0]
            message.top[0] = message.bottom[0]
    _move_tensors(model, renamed)


def _may_overwrite(layer: Layer) -> bool:
    """A layer with one bottom and one top, of a type that every reader takes in place."""
    message = layer.message
    return message.type in IN_PLACE and len(message.bottom) == len(message.top) == 1


def _move_tensors(model: CaffeModel, renamed: dict[str, str]) -> None:
    """Of the tensors that shared a blob, only the last is still there to be looked at."""
    final = {blob: top for top, blob in renamed.items()}
    kept = {}
    for tensor, blob in model.tensors.items():
        held = renamed.get(blob, blob)
        if final.get(held, held) == blob:
            kept[tensor] = held
    model.tensors = kept
