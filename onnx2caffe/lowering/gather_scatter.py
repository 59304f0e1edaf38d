"""Single numbers picked by constant indices: GatherElements, GatherND, the Scatters, ReverseSequence.

Every one of them is worked out by numpy on the positions of its input's numbers in memory, and the blob then put
together from the runs of numbers that stay together.
"""

from __future__ import annotations

from math import gcd, prod

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.axes import select
from gluon2caffe.onnx2caffe.lowering.broadcasting import constant_beside
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError, axis_of
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("GatherElements")
def gather_elements(node: Node, net: NetBuilder) -> Blob:
    """Along an axis, an index for every number of the result."""
    x, indices = node.blob(), node.constant(1)
    axis = axis_of(node.attr("axis", 0), x.rank)
    picked = np.take_along_axis(_beside(_positions(x.shape), indices, axis), _wrapped(indices, x.shape[axis]), axis)
    return _pick(net, x, picked)


@lowering("GatherND")
def gather_nd(node: Node, net: NetBuilder) -> Blob:
    """At points, each a row of indices."""
    x, indices, batch = node.blob(), node.constant(1), node.attr("batch_dims", 0)
    places = _positions(x.shape)
    growth.require_numbers(*indices.shape[:-1], *x.shape[batch + indices.shape[-1] :], width=8)
    picked = np.empty((*indices.shape[:-1], *x.shape[batch + indices.shape[-1] :]), np.int64)
    for sample in np.ndindex(*x.shape[:batch]):
        picked[sample] = places[sample][_points(indices[sample], x.shape[batch:])]
    return _pick(net, x, picked)


@lowering("Scatter")
@lowering("ScatterElements")
def scatter_elements(node: Node, net: NetBuilder) -> Blob:
    """Along an axis, an index for every update."""
    shape, indices = node.shape(), node.constant(1)
    axis = axis_of(node.attr("axis", 0), len(shape))
    places = _beside(_positions(shape), indices, axis)
    return _replace(node, net, np.take_along_axis(places, _wrapped(indices, shape[axis]), axis))


@lowering("ScatterND")
def scatter_nd(node: Node, net: NetBuilder) -> Blob:
    """At points, each a row of indices."""
    return _replace(node, net, _positions(node.shape())[_points(node.constant(1), node.shape())])


@lowering("ReverseSequence")
def reverse_sequence(node: Node, net: NetBuilder) -> Blob:
    """The first numbers of every sample, as many as a constant says, in reverse."""
    x, lengths = node.blob(), node.constant(1)
    batch, time = node.attr("batch_axis", 1), node.attr("time_axis", 0)
    places = _positions(x.shape)
    # A view: what is written to it is written to `places`.
    samples = np.moveaxis(places, (batch, time), (0, 1))
    for sample, length in zip(samples, lengths, strict=True):
        sample[:length] = sample[:length][::-1].copy()
    return _pick(net, x, places)


def _positions(shape: tuple[int, ...]) -> Array:
    return growth.positions(*shape)


def _beside(places: Array, indices: Array, axis: int) -> Array:
    """`places` as far as `indices` reach along the other axes."""
    return places[tuple(slice(None if i == axis else length) for i, length in enumerate(indices.shape))]


def _wrapped(indices: Array, length: int) -> Array:
    if ((indices < -length) | (indices >= length)).any():
        raise UnsupportedNodeError(f"an index is outside a length of {length}")
    return np.where(indices < 0, indices + length, indices)


def _points(indices: Array, shape: tuple[int, ...]) -> tuple[Array, ...]:
    """(..., K) as K arrays of indices."""
    return tuple(_wrapped(indices[..., axis], shape[axis]) for axis in range(indices.shape[-1]))


def _replace(node: Node, net: NetBuilder, written: Array) -> Blob:
    """The data with the updates at the positions `written`."""
    if node.attr("reduction", "none") != "none":
        raise UnsupportedNodeError(f"it combines its updates with the data ({node.attr('reduction', 'none')})")
    flat = written.reshape(-1)
    if len(np.unique(flat)) < len(flat):
        raise UnsupportedNodeError("it writes twice to one place")
    count = prod(node.shape())
    picked = np.arange(count)
    picked[flat] = count + np.arange(len(flat))
    blobs = {index: _row(net, node.blob(index)) for index in (0, 2) if not node.is_constant(index)}
    like = next(iter(blobs.values()))
    rows = [
        blobs[index] if index in blobs else constant_beside(net, like, node.constant(index).reshape(1, -1), 1)
        for index in (0, 2)
    ]
    both = layers.concat(net, rows, 1, part="both")
    return layers.reshape(net, _pick(net, both, picked), node.shape(), part="shape")


def _row(net: NetBuilder, x: Blob) -> Blob:
    return layers.reshape(net, x, (1, prod(x.shape)), part="row")


def _pick(net: NetBuilder, x: Blob, positions: Array) -> Blob:
    """The numbers of `x` at `positions`, in the shape of these.

    Samples stay apart where each is picked from alike.
    """
    samples = _alike_samples(x, positions)
    length = prod(x.shape) // samples
    picked = positions.reshape(samples, -1)[0]
    starts = np.flatnonzero(np.diff(picked, prepend=picked[0] - 2) != 1)
    # Numbers that always stay together.
    unit = gcd(length, len(picked), *picked[starts].tolist(), *starts.tolist())
    places = picked[::unit] // unit
    rows = layers.reshape(net, x, (samples, length // unit, unit), part="places")
    return layers.reshape(net, select(net, rows, 1, places.tolist(), part="pick"), positions.shape, part="picked")


def _alike_samples(x: Blob, positions: Array) -> int:
    """Length of the batch axis where every sample is picked from alike, else 1."""
    samples = x.shape[0]
    if samples == 1 or positions.shape[:1] != (samples,):
        return 1
    length = prod(x.shape[1:])
    own = positions.reshape(samples, -1) - length * np.arange(samples)[:, None]
    return samples if (own == own[0]).all() and (own[0] >= 0).all() and (own[0] < length).all() else 1
