"""OneHot of computed whole numbers."""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.axes import enlarge
from gluon2caffe.onnx2caffe.lowering.broadcasting import add_constant
from gluon2caffe.onnx2caffe.lowering.logic import as_float32
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("OneHot")
def one_hot_from_front(node: Node, net: NetBuilder) -> Blob:
    """`on` at place index of a new axis, `off` elsewhere."""
    return _one_hot(node, net, from_back=False)


@lowering("OneHot", since=11)
def one_hot(node: Node, net: NetBuilder) -> Blob:
    """`on` at place index of a new axis, or index + depth where that is negative; `off` elsewhere."""
    return _one_hot(node, net, from_back=True)


def _one_hot(node: Node, net: NetBuilder, *, from_back: bool) -> Blob:
    if np.dtype(node.raw.inputs[0].dtype).kind not in "iu":
        raise UnsupportedNodeError("its indices are computed floats, which it cuts to whole numbers; no layer rounds")
    depth = int(node.constant(1).item())
    off, on = as_float32(node.constant(2)).tolist()
    shape, index = node.shape(), node.blob()
    axis = axis_of(node.attr("axis", -1), len(shape))
    growth.require_numbers(*shape)
    wide = enlarge(net, layers.reshape(net, index, (*index.shape[:axis], 1, *index.shape[axis:]), part="beside"), shape)
    places = np.arange(depth, dtype=np.float32).reshape(-1, *[1] * (len(shape) - axis - 1))
    hits = _hits(net, wide, places, "front")
    if from_back:
        # No index is counted from both ends, so that at most one of the two hits.
        hits = layers.eltwise(net, [hits, _hits(net, wide, places - depth, "back")], "SUM", part="hits")
    return _either(net, hits, off, on)


def _hits(net: NetBuilder, index: Blob, numbers: Array, end: str) -> Blob:
    """1 where a whole number is equal to another, else 0: relu(1 - |index - number|)."""
    distance = layers.absolute(net, add_constant(net, index, -numbers, f"from_{end}"), part=f"distance_{end}")
    return layers.relu(net, layers.power(net, distance, scale=-1.0, shift=1.0, part=f"near_{end}"), part=f"hits_{end}")


def _either(net: NetBuilder, hits: Blob, off: float, on: float) -> Blob:
    """off·(1 - hits) + on·hits, each exactly."""
    if (off, on) == (0.0, 1.0):
        return hits
    if np.float32(on) - np.float32(off) + np.float32(off) == np.float32(on):
        return layers.power(net, hits, scale=float(np.float32(on) - np.float32(off)), shift=off)
    misses = layers.power(net, hits, scale=-off, shift=off, part="misses")
    return layers.weighted_sum(net, [layers.power(net, hits, scale=on, part="on"), misses], (1.0, 1.0))
