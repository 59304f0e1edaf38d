"""The layers that move or regroup numbers without computing, part of the vocabulary in `onnx2caffe.layers`."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder, Shape


def concat(net: NetBuilder, bottoms: Sequence[Blob], axis: int, *, part: str = "") -> Blob:
    """Join along `axis`."""
    return net.one("Concat", bottoms, part=part, concat_param={"axis": axis})


def slices(net: NetBuilder, x: Blob, lengths: Sequence[int], axis: int, *, part: str = "slice") -> list[Blob]:
    """Slice `x` along `axis` into pieces of these lengths."""
    points = np.cumsum(lengths)[:-1].tolist()
    return net.add("Slice", [x], part=part, slice_param={"axis": axis, "slice_point": points})


def crop_like(net: NetBuilder, x: Blob, like: Blob, *, part: str = "") -> Blob:
    """The first rows and columns of `x`, as many as `like` has, at whatever size the net runs."""
    return net.one("Crop", [x, like], part=part)


def reshape(net: NetBuilder, x: Blob, shape: Shape, *, part: str = "") -> Blob:
    """The same numbers in another shape.

    A leading axis of unchanged length is written as 0 (copy), so that the net can be given another batch size. A single
    number is written as one axis of length 1, since not every reader has a shape without axes.
    """
    if shape == x.shape:
        return x
    if len(shape) == 2 and x.rank > 2 and shape[0] == x.shape[0] and net.profile.has("Flatten"):
        return net.one("Flatten", [x], shape, part=part)
    kept = bool(shape and x.shape) and shape[0] == x.shape[0]
    dims = [0, *shape[1:]] if kept else list(shape or (1,))
    return net.one("Reshape", [x], shape, part=part, reshape_param={"shape": {"dim": dims}})


def permute(net: NetBuilder, x: Blob, order: Sequence[int], *, part: str = "") -> Blob:
    """Transpose: axis i of the top is axis order[i] of `x`."""
    if tuple(order) == tuple(range(x.rank)):
        return x
    return net.one("Permute", [x], part=part, permute_param={"order": list(order)})


def flattened(x: Blob, axis: int) -> int:
    """Number of values of `x` from `axis` on."""
    return prod(x.shape[axis:])
