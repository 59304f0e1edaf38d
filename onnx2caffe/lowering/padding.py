"""Window geometry: what ONNX's pads, auto_pad and rounding mean for one node.

A node on one spatial axis (N, C, L) is one on the picture (N, C, 1, L): its windows are one row high.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import SupportsInt

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder, Shape
from gluon2caffe.onnx2caffe.layers import Pair
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError


def as_picture(net: NetBuilder, x: Blob) -> Blob:
    """(N, C, H, W) as it is, (N, C, L) as (N, C, 1, L); other ranks are refused."""
    if x.rank == 3:
        return layers.reshape(net, x, (*x.shape[:2], 1, x.shape[2]), part="picture")
    if x.rank != 4:
        raise UnsupportedNodeError(f"it works on {x.rank - 2} spatial axes (input shape {x.shape}); Caffe has two")
    return x


def from_picture(net: NetBuilder, x: Blob, shape: Shape) -> Blob:
    """Undo `as_picture`: `shape` is what the ONNX node makes."""
    return layers.reshape(net, x, shape, part="row") if len(shape) == 3 else x


def pair(values: Iterable[SupportsInt]) -> Pair:
    """Two spatial values of an attribute."""
    first, second = (int(value) for value in values)
    return first, second


def spatial_pair(node: Node, name: str, default: int) -> Pair:
    """The attribute `name` for rows and columns; on one spatial axis the rows take the default."""
    values: list[int] = list(node.attr(name, []))
    return pair([*[default] * (2 - len(values)), *values])


def window_pads(node: Node, x: Blob, kernel: Pair, stride: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    """The pads (before, after) of a convolution or pooling node on the picture `x`, `auto_pad` resolved."""
    before, after = axis_pads(node, x.shape[2:], kernel, stride, dilation)
    return pair(before), pair(after)


def axis_pads(
    node: Node, sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[list[int], list[int]]:
    """The pads (before, after) along spatial axes of these sizes; of those that the node does not know, none."""
    mode, count = node.attr("auto_pad", "NOTSET"), len(sizes)
    if mode in ("NOTSET", ""):
        pads = node.attr("pads", [0] * 2 * count)
        if min(pads) < 0:
            raise UnsupportedNodeError(f"negative pads {pads}")
        half, missing = len(pads) // 2, [0] * (count - len(pads) // 2)
        return [*missing, *pads[:half]], [*missing, *pads[half:]]
    if mode == "VALID":
        return [0] * count, [0] * count
    before, after = [], []
    for i in range(count):
        out = -(-sizes[i] // stride[i])
        total = max((out - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 - sizes[i], 0)
        small, large = total // 2, total - total // 2
        before.append(large if mode == "SAME_LOWER" else small)
        after.append(small if mode == "SAME_LOWER" else large)
    return before, after
