"""Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Concat, Split, Tile, Expand, Identity, Dropout, Cast."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from onnx2caffe import layers
from onnx2caffe.builder import Blob, NetBuilder
from onnx2caffe.lowering.axes import enlarge, join, pieces, repeat, select
from onnx2caffe.lowering.broadcasting import constant_blob
from onnx2caffe.lowering.logic import is_not_zero
from onnx2caffe.lowering.transposition import transpose as transpose_axes
from onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from onnx2caffe.registry import lowering

# TensorProto.DataType.
FLOATS = frozenset({1, 10, 11, 16})
WHOLE = frozenset({6, 7, 12, 13})
BOOL = 9
ROUNDED = {10: "float16", 16: "bfloat16"}


@lowering("Reshape")
@lowering("Flatten")
@lowering("Squeeze")
@lowering("Unsqueeze")
def reshape(node: Node, net: NetBuilder) -> Blob:
    """The same numbers in the shape that shape inference found."""
    return layers.reshape(net, node.blob(), node.shape())


@lowering("Transpose")
def transpose(node: Node, net: NetBuilder) -> Blob:
    """Permute; a Reshape where only axes of length 1 move."""
    x = node.blob()
    return transpose_axes(net, x, node.attr("perm", list(reversed(range(x.rank)))))


@lowering("Concat")
def concat(node: Node, net: NetBuilder) -> Blob:
    """Concat; a constant among the inputs becomes a blob made from 0·x, or nothing where it has no elements."""
    indices = [i for i in range(node.input_count) if not (node.is_constant(i) and node.constant(i).size == 0)]
    axis = axis_of(node.attr("axis", 1), len(node.shape()))
    like = next(node.blob(index) for index in indices if not node.is_constant(index))
    blobs = [
        _constant_beside(net, like, node.constant(index), axis) if node.is_constant(index) else node.blob(index)
        for index in indices
    ]
    return join(net, blobs, axis, part="")


def _constant_beside(net: NetBuilder, like: Blob, constant: np.ndarray[Any, Any], axis: int) -> Blob:
    """A blob that holds the constant, computed from one that differs from it only along `axis`."""
    if constant.shape != like.shape:
        one = select(net, like, axis, [0], part="one")
        like = enlarge(net, one, constant.shape)
    return constant_blob(net, like, constant)


@lowering("Split")
def split(node: Node, net: NetBuilder) -> list[Blob]:
    """Slice into the lengths that the outputs have."""
    x = node.blob()
    axis = axis_of(node.attr("axis", 0), x.rank)
    lengths = [node.shape(index)[axis] for index in range(node.output_count)]
    return [x] if len(lengths) == 1 else pieces(net, x, lengths, axis)


@lowering("Tile")
def tile(node: Node, net: NetBuilder) -> Blob:
    """Concat of the same blob, axis by axis; ones along axes of length 1."""
    x = node.blob()
    times = enumerate(int(count) for count in node.constant(1))
    return reduce(lambda y, pair: repeat(net, y, *pair), times, x)


@lowering("Expand")
def expand(node: Node, net: NetBuilder) -> Blob:
    """Repeat along axes of length 1."""
    x = node.blob()
    return enlarge(net, x, node.shape()) if x.shape != node.shape() else x


@lowering("Identity")
@lowering("Dropout")
def identity(node: Node, net: NetBuilder) -> Blob:
    """Nothing at inference."""
    drops = node.optional_constant(2) if node.raw.op == "Dropout" and node.input_count > 2 else None
    if drops is not None and drops.any():
        raise UnsupportedNodeError("it is in training mode", "export the net for inference")
    if node.output_count > 1 and node.raw.outputs[1].outputs:
        raise UnsupportedNodeError("its mask is read")
    return node.blob()


@lowering("Cast")
def cast(node: Node, net: NetBuilder) -> Blob:
    """Nothing between float types, from truth values, and from whole numbers to others: Caffe computes in float32."""
    wanted = node.attr("to", 1)
    if wanted in ROUNDED:
        net.notes.append(f"{net.scope}: a cast to {ROUNDED[wanted]} is left out; Caffe computes in float32")
    return _cast(net, node, "f" if wanted in FLOATS else "i" if wanted in WHOLE else "b" if wanted == BOOL else "")


@lowering("CastLike")
def cast_like(node: Node, net: NetBuilder) -> Blob:
    """As Cast, to the type of the second input."""
    return _cast(net, node, np.dtype(node.raw.inputs[1].dtype).kind.replace("u", "i"))


def _cast(net: NetBuilder, node: Node, wanted: str) -> Blob:
    """To floats "f", whole numbers "i" or truth values "b"; these are 1 for what is not 0."""
    dtype = node.raw.inputs[0].dtype
    given = "" if dtype is None else np.dtype(dtype).kind.replace("u", "i")
    if wanted == "b" and given != "b":
        return is_not_zero(net, node.blob())
    if wanted not in ("f", "b") and (wanted != "i" or given not in ("i", "b")):
        raise UnsupportedNodeError("it casts to a type that is not a float")
    return node.blob()
