"""Cutting and padding of (N, C, H, W) blobs as single layers, on which convolution and pooling rest.

A depthwise convolution whose kernel is 1 at one place and 0 elsewhere moves the picture under its window:
with kernel (a + 1) and the 1 at offset o, row i of the top is row i + o of the padded bottom. It is exact, needs no
piece beside it, and every reader has it; a `Slice` serves where the kernel would be large.
"""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Pair

LARGEST_SHIFT_KERNEL = 8


def shift_kernel(channels: int, size: Pair, offset: Pair) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Depthwise weight (channels, 1, *size) with a single 1 at `offset`."""
    weight = growth.zeros(channels, 1, *size)
    weight[:, 0, offset[0], offset[1]] = 1
    return weight


def crop(net: NetBuilder, x: Blob, start: Pair, size: Pair, *, part: str = "crop") -> Blob:
    """Rows start[0]..start[0]+size[0]-1 and columns likewise of `x`."""
    extra = (x.shape[2] - size[0], x.shape[3] - size[1])
    if extra == (0, 0):
        return x
    if max(extra) < LARGEST_SHIFT_KERNEL or not net.profile.has("Slice"):
        weight = shift_kernel(x.shape[1], (extra[0] + 1, extra[1] + 1), start)
        return layers.convolution(net, x, weight, None, group=x.shape[1], part=part)
    for axis in (2, 3):
        first, length = start[axis - 2], size[axis - 2]
        lengths = [first, length, x.shape[axis] - first - length]
        kept = [piece for piece in lengths if piece]
        if len(kept) > 1:
            pieces = layers.slices(net, x, kept, axis, part=f"{part}_{'hw'[axis - 2]}")
            x = pieces[1 if first else 0]
    return x


def pad_with_zeros(net: NetBuilder, x: Blob, before: Pair, after: Pair, *, part: str = "pad") -> Blob:
    """`x` with rows and columns of zeros around it."""
    if before == after == (0, 0):
        return x
    pad = (max(before[0], after[0]), max(before[1], after[1]))
    # Padding is symmetric: what is too much on one side is cut by the shifted 1 of a longer kernel.
    size = (2 * pad[0] - before[0] - after[0] + 1, 2 * pad[1] - before[1] - after[1] + 1)
    weight = shift_kernel(x.shape[1], size, (pad[0] - before[0], pad[1] - before[1]))
    return layers.convolution(net, x, weight, None, pad=pad, group=x.shape[1], part=part)
