"""The linear map that ONNX's Resize is along one axis, from its specification."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gluon2caffe.onnx2caffe import growth
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.node import UnsupportedNodeError


@dataclass(frozen=True)
class Interpolation:
    """How a Resize interpolates: the attributes of the node, under their names."""

    mode: str
    coordinate_transformation_mode: str
    nearest_mode: str
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


def resize_matrix(
    size: int, resized: int, scale: float, how: Interpolation, region: tuple[float, float] = (0.0, 1.0)
) -> Array:
    """(resized, size) matrix along one axis.

    A row of zeros stands for a place outside the region of tf_crop_and_resize, which gets the extrapolation value.
    """
    growth.require_numbers(resized, size, width=8)
    matrix = np.zeros((resized, size), np.float64)
    for row in range(resized):
        x = source_position(how.coordinate_transformation_mode, row, size, resized, scale, region)
        if how.coordinate_transformation_mode == "tf_crop_and_resize" and not 0 <= x <= size - 1:
            continue
        if how.mode == "nearest":
            matrix[row, min(max(_rounded(x, how.nearest_mode, scale), 0), size - 1)] = 1
            continue
        first, shares = _shares(x - math.floor(x), scale, how)
        places = math.floor(x) + first + np.arange(len(shares))
        if how.exclude_outside:
            shares = np.where((places >= 0) & (places < size), shares, 0)
            shares = shares / shares.sum()
        np.add.at(matrix[row], np.clip(places, 0, size - 1), shares)
    return matrix.astype(np.float32)


def source_position(
    mode: str, index: int, size: int, resized: int, scale: float, region: tuple[float, float] = (0.0, 1.0)
) -> float:
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
    if mode == "tf_crop_and_resize":
        start, end = np.float32(region[0]), np.float32(region[1])
        last = np.float32(size - 1)
        if resized == 1:
            return float(half * (start + end) * last)
        return float(start * last + place * (end - start) * last / np.float32(resized - 1))
    raise UnsupportedNodeError(f"coordinate_transformation_mode {mode!r}")


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


def _shares(ratio: float, scale: float, how: Interpolation) -> tuple[int, Array]:
    """(place of the first neighbour from the floor of x, share of each neighbour), `ratio` being x - floor(x)."""
    reach = 1 if how.mode == "linear" else 2
    # Antialiasing widens the filter by the factor of the reduction.
    squeeze = min(scale, 1.0) if how.antialias else 1.0
    first = math.floor(-reach / squeeze) + 1
    distance = np.abs((np.arange(first, 2 - first) - ratio) * squeeze)
    shares = np.clip(1 - distance, 0, 1) if reach == 1 else _cubic(distance, how.cubic_coeff_a)
    return first, shares / shares.sum()


def _cubic(distance: Array, a: float) -> Array:
    """Keys' cubic convolution kernel, as ONNX names its coefficient."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
