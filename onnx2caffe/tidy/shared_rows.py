"""One Flatten before the InnerProduct layers that read one blob, for a reader that cannot tell their own apart."""

from __future__ import annotations

from collections import defaultdict

from gluon2caffe.onnx2caffe import caffe_pb2
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer
from gluon2caffe.onnx2caffe.targets import Fault, Profile


def flatten_once(model: CaffeModel, profile: Profile) -> None:
    """Let several InnerProduct layers of one blob read its rows, (N, K), instead."""
    if not profile.has_quirk(Fault.INNER_PRODUCTS_OF_ONE_BLOB):
        return
    readers: defaultdict[str, list[Layer]] = defaultdict(list)
    for layer in model.layers:
        if layer.message.type == "InnerProduct":
            readers[layer.message.bottom[0]].append(layer)
    names = {layer.message.name for layer in model.layers} | set(model.inputs)
    names.update(top for layer in model.layers for top in layer.message.top)
    for blob, several in readers.items():
        if len(several) < 2:
            continue
        name = f"{blob}/rows"
        while name in names:
            name += "_"
        names.add(name)
        message = caffe_pb2.LayerParameter(name=name, type="Flatten", bottom=[blob], top=[name])
        first = next(index for index, layer in enumerate(model.layers) if layer is several[0])
        model.layers.insert(first, Layer(message, [], several[0].origin))
        for layer in several:
            layer.message.bottom[0] = name
