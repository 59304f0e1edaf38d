"""What a node or a Caffe layer costs: multiply-accumulates (MACs) from static shapes.

Counted are Conv, ConvTranspose, Gemm and MatMul, and the layers Convolution, Deconvolution and InnerProduct, whose
products are nearly all of a net's work; everything else counts 0: additions of biases, normalisations, activations and
poolings. The numbers are those of the whole input, with all the images of its batch.

The counts follow from the definitions in the ONNX operator specification (https://onnx.ai/onnx/operators): each output
number of Conv is a sum of (C / group)·kh·kw products, each input number of ConvTranspose goes into (M / group)·kh·kw
products, and each output number of Gemm and MatMul is a sum of K products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter
from gluon2caffe.onnx2caffe.shapes import LayerShapes, has_shape_rule, kernel_lengths

Shape = Sequence[int]


def macs(node: gs.Node) -> int:
    """The number of multiply-accumulates of one node; 0 for operators that are not counted.

    Every shape must be static.
    """
    count = _COUNTS.get(node.op)
    return count(node) if count is not None and node.domain in (None, "", "ai.onnx") else 0


def layer_macs(layer: LayerParameter, shapes: LayerShapes) -> int | None:
    """The number of multiply-accumulates of one Caffe layer; None where its type or its shapes are not known."""
    count = _LAYER_COUNTS.get(layer.type)
    if count is None:
        return 0 if has_shape_rule(layer.type) or layer.type in _WITHOUT_PRODUCTS else None
    # A layer whose tops are known has a bottom for each of them.
    pairs = [(x, y) for x, y in zip(shapes.bottoms, shapes.tops, strict=False) if x is not None and y is not None]
    return sum(count(layer, *pair) for pair in pairs) if pairs else None


def _convolution(layer: LayerParameter, bottom: Shape, top: Shape) -> int:
    return _size(top) * bottom[1] // layer.convolution_param.group * _kernel_size(layer, bottom)


def _deconvolution(layer: LayerParameter, bottom: Shape, top: Shape) -> int:
    return _size(bottom) * top[1] // layer.convolution_param.group * _kernel_size(layer, bottom)


def _inner_product(layer: LayerParameter, bottom: Shape, top: Shape) -> int:
    return _size(top) * _size(bottom[len(top) - 1 :])


def _kernel_size(layer: LayerParameter, bottom: Shape) -> int:
    return _size(kernel_lengths(layer.convolution_param, len(bottom) - 2))


def _conv(node: gs.Node) -> int:
    weight = node.inputs[1].shape  # (M, C/group, kh, kw)
    return _size(node.outputs[0].shape) * _size(weight[1:])


def _conv_transpose(node: gs.Node) -> int:
    weight = node.inputs[1].shape  # (C, M/group, kh, kw)
    return _size(node.inputs[0].shape) * _size(weight[1:])


def _gemm(node: gs.Node) -> int:
    rows, inner = node.inputs[0].shape
    if node.attrs.get("transA", 0):
        rows, inner = inner, rows
    return int(rows * inner * node.outputs[0].shape[1])


def _mat_mul(node: gs.Node) -> int:
    return _size(node.outputs[0].shape) * int(node.inputs[0].shape[-1])


def _size(shape: Shape) -> int:
    return int(math.prod(shape))


_COUNTS: dict[str, Callable[[gs.Node], int]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _mat_mul,
}
_LAYER_COUNTS: dict[str, Callable[[LayerParameter, Shape, Shape], int]] = {
    "Convolution": _convolution,
    "Deconvolution": _deconvolution,
    "InnerProduct": _inner_product,
}
# Beside those whose shapes are known.
_WITHOUT_PRODUCTS = frozenset(("ArgMax", "DetectionOutput", "Silence"))
