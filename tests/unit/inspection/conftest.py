import numpy as np
import pytest

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer


@pytest.fixture
def small_net() -> CaffeModel:
    """A convolution of two channels and a ReLU in its place."""
    conv = LayerParameter(name="conv", type="Convolution", bottom=["data"], top=["conv"])
    conv.convolution_param.num_output = 2
    conv.convolution_param.kernel_size.append(1)
    relu = LayerParameter(name="relu", type="ReLU", bottom=["conv"], top=["conv"])
    blobs = [np.ones((2, 3, 1, 1), np.float32), np.ones(2, np.float32)]
    return CaffeModel("net", {"data": (1, 3, 4, 4)}, [Layer(conv, blobs), Layer(relu)], outputs={"conv": "conv"})
