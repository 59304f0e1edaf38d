"""A small net whose every blob is known, built by hand."""

import numpy as np

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer

INPUT = np.array([[[[1, 2]], [[3, 5]]]], np.float32)
VALUES = {
    "conv": [[4, 7], [-2, -3]],  # x0 + x1, x0 - x1
    "relu": [[4, 7], [0, 0]],
    "a": [[4, 7]],
    "b": [[0, 0]],
    "shifted": [[10, 10]],
    "joined": [[4, 7], [10, 10]],
}


def known_net() -> CaffeModel:
    """A net with an in-place ReLU and a Slice, whose second top is read by a layer that OpenCV runs in place."""
    conv = layer("conv", "Convolution", "data", "c", origin=("Conv_0",))
    conv.message.convolution_param.num_output = 2
    conv.message.convolution_param.kernel_size.append(1)
    conv.blobs = [np.array([1, 1, 1, -1], np.float32).reshape(2, 2, 1, 1), np.zeros(2, np.float32)]
    return CaffeModel(
        name="small",
        inputs={"data": INPUT.shape},
        layers=[
            conv,
            layer("relu", "ReLU", "c", "c", origin=("Relu_0",)),
            layer("cut", "Slice", "c", "a", "b", origin=("Split_0",), slice_param={"axis": 1, "slice_point": [1]}),
            layer("shift", "Power", "b", "shifted", origin=("Add_0",), power_param={"shift": 10}),
            layer("join", "Concat", "a shifted", "joined", origin=("Concat_0",), concat_param={"axis": 1}),
        ],
        outputs={"y": "joined"},
        tensors={"relu_out": "c", "split_1": "b", "add_out": "shifted", "y": "joined"},
    )


def layer(name: str, type: str, bottom: str, *tops: str, origin: tuple[str, ...] = (), **parameters: object) -> Layer:
    message = LayerParameter(name=name, type=type, bottom=bottom.split(), top=tops or [name])
    for parameter, fields in parameters.items():
        getattr(message, parameter).CopyFrom(type_of(message, parameter)(**fields))
    return Layer(message, origin=origin)


def type_of(message: LayerParameter, field: str) -> type:
    return type(getattr(message, field))
