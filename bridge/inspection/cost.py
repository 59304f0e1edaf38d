"""What a node costs: multiply-accumulates (MACs) from static shapes.

Counted are Conv, ConvTranspose, Gemm and MatMul, whose products are nearly all of a net's work; everything else counts
0: additions of biases, normalisations, activations and poolings. The numbers are those of the whole input, with all the
images of its batch.

The counts follow from the definitions in the ONNX operator specification (https://onnx.ai/onnx/operators): each output
number of Conv is a sum of (C / group)·kh·kw products, each input number of ConvTranspose goes into (M / group)·kh·kw
products, and each output number of Gemm and MatMul is a sum of K products.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import onnx_graphsurgeon as gs

Shape = Sequence[int]


def macs(node: gs.Node) -> int:
    """The number of multiply-accumulates of one node; 0 for operators that are not counted.

    Every shape must be static.
    """
    count = _COUNTS.get(node.op)
    return count(node) if count is not None and node.domain in (None, "", "ai.onnx") else 0


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
