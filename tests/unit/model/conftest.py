from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.model import CaffeModel, Layer


@pytest.fixture
def small_net() -> CaffeModel:
    """3 -> 2 channels by a 1x1 convolution, BatchNorm + Scale, PReLU with one slope for both."""
    rng = np.random.default_rng(7)

    def random(*shape: int) -> Any:
        return rng.uniform(0.5, 2, shape).astype(np.float32)

    def layer(name: str, kind: str, bottom: str, *blobs: Any) -> Layer:
        return Layer(LayerParameter(name=name, type=kind, bottom=[bottom], top=[name]), list(blobs), (f"node_{name}",))

    conv = layer("conv", "Convolution", "data", random(2, 3, 1, 1) - 1, random(2))
    conv.message.convolution_param.num_output = 2
    conv.message.convolution_param.kernel_size.append(1)
    norm = layer("norm", "BatchNorm", "conv", random(2), random(2), np.ones(1, np.float32))
    norm.message.batch_norm_param.use_global_stats = True
    norm.message.batch_norm_param.eps = 1e-3
    scale = layer("scale", "Scale", "norm", random(2), random(2))
    scale.message.scale_param.bias_term = True
    prelu = layer("prelu", "PReLU", "scale", np.array(0.25, np.float32))
    prelu.message.prelu_param.channel_shared = True
    return CaffeModel("small", {"data": (1, 3, 4, 5)}, [conv, norm, scale, prelu], {"prelu_output": "prelu"})


@pytest.fixture
def net_of() -> Callable[..., CaffeModel]:
    """Make a net of one InnerProduct layer, called ip0, ip1, ..., per blob given."""

    def make(*blobs: Any) -> CaffeModel:
        messages = [
            LayerParameter(name=f"ip{i}", type="InnerProduct", bottom=["x"], top=[f"ip{i}"]) for i in range(len(blobs))
        ]
        return CaffeModel("blobs", {"x": (1, 2)}, [Layer(m, [b]) for m, b in zip(messages, blobs, strict=True)])

    return make
