"""Resize and Upsample: linear maps along H and W."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onnx2caffe import layers
from onnx2caffe.builder import Blob, NetBuilder
from onnx2caffe.lowering.padding import require_2d
from onnx2caffe.node import Node, UnsupportedNodeError
from onnx2caffe.registry import lowering

Array = np.ndarray[Any, np.dtype[Any]]


def source_position(mode: str, index: int, size: int, resized: int, scale: float) -> float:
    """Where output `index` lies in the input, by ONNX's coordinate_transformation_mode.

    In float32, as runtimes compute it: between two values a rounding decides which one "nearest" takes.
    """
    place, step, half = np.float32(index), np.float32(scale), np.float32(0.5)
    if mode == "half_pixel":
        return float((place + half) / step - half)
    if mode == "pytorch_half_pixel":
        return float((place + half) / step - half) if resized > 1 else 0.0
    if mode == "align_corners":
        return float(place * np.float32(size - 1) / np.float32(resized - 1)) if resized > 1 else 0.0
    if mode == "asymmetric":
        return float(place / step)
    if mode == "half_pixel_symmetric":
        adjustment = np.float32(resized) / (step * np.float32(size))
        center = np.float32(size) / np.float32(2)
        return float(center * (np.float32(1) - adjustment) + (place + half) / step - half)
    raise UnsupportedNodeError(f"coordinate_transformation_mode {mode!r}")


def resize_matrix(size: int, resized: int, scale: float, method: str, coordinates: str, nearest: str) -> Array:
    """(resized, size) matrix of a resize along one axis, from the ONNX specification of Resize."""
    matrix = np.zeros((resized, size), np.float64)
    for row in range(resized):
        x = source_position(coordinates, row, size, resized, scale)
        if method == "nearest":
            matrix[row, min(max(_rounded(x, nearest, scale), 0), size - 1)] = 1
            continue
        low = math.floor(x)
        for neighbour, share in ((low, 1 - (x - low)), (low + 1, x - low)):
            matrix[row, min(max(neighbour, 0), size - 1)] += share
    return matrix.astype(np.float32)


def _rounded(x: float, mode: str, scale: float) -> int:
    if mode == "simple":
        mode = "ceil" if scale < 1 else "floor"
    if mode == "floor":
        return math.floor(x)
    if mode == "ceil":
        return math.ceil(x)
    if mode == "round_prefer_floor":
        return math.ceil(x - 0.5)
    if mode == "round_prefer_ceil":
        return math.floor(x + 0.5)
    raise UnsupportedNodeError(f"nearest_mode {mode!r}")


def apply_along_plane(net: NetBuilder, x: Blob, rows: Array, columns: Array) -> Blob:
    """Rows · x · columnsᵀ on every (H, W) plane: InnerProduct along W, Permute, InnerProduct along H, Permute."""
    if not net.profile.has("Permute"):
        raise UnsupportedNodeError(f"the target {net.profile.name!r} has no Permute layer", "choose the target 'ssd'")
    if not _is_identity(columns):
        x = layers.inner_product(net, x, columns, None, axis=3, part="along_w")
    if _is_identity(rows):
        return x
    x = layers.permute(net, x, (0, 1, 3, 2), part="turn")
    x = layers.inner_product(net, x, rows, None, axis=3, part="along_h")
    return layers.permute(net, x, (0, 1, 3, 2), part="turn_back")


def _is_identity(matrix: Array) -> bool:
    return matrix.shape[0] == matrix.shape[1] and bool(np.array_equal(matrix, np.eye(len(matrix), dtype=np.float32)))


def _repeated(matrix: Array, times: int) -> bool:
    """Whether the matrix repeats every value `times` times."""
    return matrix.shape[0] == times * matrix.shape[1] and bool(
        np.array_equal(matrix, np.repeat(np.eye(matrix.shape[1], dtype=np.float32), times, axis=0))
    )


@lowering("Resize", since=11)
def resize(node: Node, net: NetBuilder) -> Blob:
    """A depthwise Deconvolution of ones where each value is repeated, else the two matrices."""
    scales = node.optional_constant(2)
    if scales is None or not scales.size:
        return _resize(node, net, None)
    full = np.ones(node.blob().rank)
    full[node.attr("axes", list(range(len(full))))] = scales
    return _resize(node, net, full)


@lowering("Resize", since=10)
@lowering("Upsample", since=9)
def resize_scales(node: Node, net: NetBuilder) -> Blob:
    """The form of opset 9 and 10: asymmetric coordinates; nearest is the floor upwards and the ceiling downwards."""
    return _resize(node, net, node.constant(1), coordinates="asymmetric", nearest="simple")


def _resize(
    node: Node, net: NetBuilder, scales: Array | None, *, coordinates: str | None = None, nearest: str | None = None
) -> Blob:
    x = node.blob()
    require_2d(x)
    method = node.attr("mode", "nearest")
    if method not in ("nearest", "linear"):
        raise UnsupportedNodeError(f"resize mode {method!r}")
    if node.attr("exclude_outside", 0) or node.attr("antialias", 0):
        raise UnsupportedNodeError("exclude_outside or antialias")
    shape = node.shape()
    if shape[:2] != x.shape[:2]:
        raise UnsupportedNodeError(f"it resizes {x.shape} to {shape}: more than height and width")
    coordinates = coordinates or node.attr("coordinate_transformation_mode", "half_pixel")
    nearest = nearest or node.attr("nearest_mode", "round_prefer_floor")
    matrices = [
        resize_matrix(
            x.shape[axis],
            shape[axis],
            shape[axis] / x.shape[axis] if scales is None else float(scales[axis]),
            method,
            coordinates,
            nearest,
        )
        for axis in (2, 3)
    ]
    times = (shape[2] // x.shape[2], shape[3] // x.shape[3])
    if min(times) >= 1 and all(_repeated(m, t) for m, t in zip(matrices, times, strict=True)):
        if times == (1, 1):
            return x
        ones = np.ones((x.shape[1], 1, *times), np.float32)
        return layers.deconvolution(net, x, ones, None, stride=times, group=x.shape[1])
    return apply_along_plane(net, x, *matrices)
