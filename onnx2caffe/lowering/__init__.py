"""One file per family of ONNX operators; importing this package registers them all."""

from onnx2caffe.lowering import (
    activation,
    convolution,
    elementwise,
    linear,
    normalization,
    pooling,
    reduction,
    resize,
    shape,
)

__all__ = [
    "activation",
    "convolution",
    "elementwise",
    "linear",
    "normalization",
    "pooling",
    "reduction",
    "resize",
    "shape",
]
