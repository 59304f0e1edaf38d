"""Transpose, Concat, Split, Tile, Expand, Identity, Dropout, Cast."""

from __future__ import annotations

from functools import reduce

import numpy as np

from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.lowering.axes import enlarge, join, pieces, repeat
from gluon2caffe.onnx2caffe.lowering.broadcasting import constant_beside
from gluon2caffe.onnx2caffe.lowering.logic import is_not_zero
from gluon2caffe.onnx2caffe.lowering.transposition import transpose as transpose_axes
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from gluon2caffe.onnx2caffe.registry import lowering

# TensorProto.DataType.
FLOATS = frozenset({1, 10, 11, 16})
WHOLE = frozenset({6, 7, 12, 13})
BOOL = 9
ROUNDED = {10: "float16", 16: "bfloat16"}


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
        constant_beside(net, like, node.constant(index), axis) if node.is_constant(index) else node.blob(index)
        for index in indices
    ]
    return join(net, blobs, axis, part="")


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
    """Nothing between float types, from truth values, and from whole numbers to others: Caffe computes in float32.

    A truth value is 1 for what is not 0.
    """
    wanted = node.attr("to", 1)
    if wanted in ROUNDED:
        net.notes.append(f"{net.scope}: a cast to {ROUNDED[wanted]} is left out; Caffe computes in float32")
    dtype = node.raw.inputs[0].dtype
    given = "" if dtype is None else np.dtype(dtype).kind
    if wanted == BOOL and given != "b":
        return is_not_zero(net, node.blob())
    if wanted not in FLOATS and wanted != BOOL and not (wanted in WHOLE and given in ("i", "u", "b")):
        raise UnsupportedNodeError("it casts to a type that is not a float")
    return node.blob()
