"""A layer of its own behind each piece of a Slice that several layers read, for a reader that confuses such pieces."""

from __future__ import annotations

from collections import Counter
from math import prod
from typing import Any

from gluon2caffe.onnx2caffe import caffe_pb2
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer
from gluon2caffe.onnx2caffe.shapes import Shape, net_shapes
from gluon2caffe.onnx2caffe.targets import Fault, Profile


def copy_shared_pieces(model: CaffeModel, profile: Profile) -> None:
    """Pool single values of such a piece: MAX over 1×1 windows, which the reader merges with nothing."""
    if not profile.has_quirk(Fault.SHARED_PIECES):
        return
    reads = Counter(bottom for layer in model.layers for bottom in layer.message.bottom)
    names = {layer.message.name for layer in model.layers} | set(model.inputs)
    names.update(top for layer in model.layers for top in layer.message.top)
    shapes = net_shapes(model.inputs, [layer.message for layer in model.layers])
    copies: dict[str, str] = {}
    made: list[Layer] = []
    for layer, known in zip(model.layers, shapes, strict=True):
        message = layer.message
        message.bottom[:] = [copies.get(bottom, bottom) for bottom in message.bottom]
        made.append(layer)
        if message.type != "Slice":
            continue
        for top, shape in zip(message.top, known.tops, strict=True):
            if reads[top] > 1 and shape is not None:
                behind = _copy(top, shape, layer.origin, names)
                copies[top] = behind[-1].message.top[0]
                made += behind
    model.layers[:] = made


def _copy(blob: str, shape: Shape, origin: tuple[str, ...], names: set[str]) -> list[Layer]:
    """A pooling of single values, between Reshapes where the blob has other than four axes."""
    made: list[Layer] = []

    def add(kind: str, part: str, **params: Any) -> None:
        bottom, name = made[-1].message.top[0] if made else blob, f"{blob}/{part}"
        while name in names:
            name += "_"
        names.add(name)
        made.append(
            Layer(caffe_pb2.LayerParameter(name=name, type=kind, bottom=[bottom], top=[name], **params), [], origin)
        )

    picture = (*shape, 1, 1)[:4] if len(shape) < 4 else (shape[0], shape[1], shape[2], prod(shape[3:]))
    if len(shape) != 4:
        add("Reshape", "picture", reshape_param={"shape": {"dim": [0, *picture[1:]]}})
    add("Pooling", "copy", pooling_param={"pool": caffe_pb2.PoolingParameter.MAX, "kernel_size": 1, "stride": 1})
    if len(shape) != 4:
        add("Reshape", "shape", reshape_param={"shape": {"dim": [0, *shape[1:]]}})
    return made
