"""Window geometry: what ONNX's pads, auto_pad and rounding mean for one node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsInt

from onnx2caffe.builder import Blob
from onnx2caffe.layers import Pair
from onnx2caffe.node import Node, UnsupportedNodeError


def require_2d(x: Blob) -> None:
    """Refuse all but (N, C, H, W)."""
    if x.rank != 4:
        raise UnsupportedNodeError(f"it works on {x.rank - 2} spatial axes (input shape {x.shape}); Caffe has two")


def pair(values: Iterable[SupportsInt]) -> Pair:
    """Two spatial values of an attribute."""
    first, second = (int(value) for value in values)
    return first, second


def window_pads(node: Node, x: Blob, kernel: Pair, stride: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """The pads (before, after) of a convolution or pooling node, `auto_pad` resolved."""
    mode = node.attr("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        pads = node.attr("pads", [0, 0, 0, 0])
        if min(pads) < 0:
            raise UnsupportedNodeError(f"negative pads {pads}")
        return pair(pads[:2]), pair(pads[2:])
    if mode == "VALID":
        return (0, 0), (0, 0)
    before, after = [], []
    for i in range(2):
        out = -(-x.shape[2 + i] // stride[i])
        total = max((out - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 - x.shape[2 + i], 0)
        small, large = total // 2, total - total // 2
        before.append(large if mode == "SAME_LOWER" else small)
        after.append(small if mode == "SAME_LOWER" else large)
    return pair(before), pair(after)
