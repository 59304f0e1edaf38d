"""Resize and Upsample: a linear map along each axis that changes."""

from __future__ import annotations

import numpy as np

from gluon2caffe.onnx2caffe import growth, layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.layers import Array
from gluon2caffe.onnx2caffe.lowering.axes import linear_along
from gluon2caffe.onnx2caffe.lowering.broadcasting import add_constant
from gluon2caffe.onnx2caffe.lowering.resize_matrix import Interpolation, resize_matrix
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("Resize", since=11)
def resize(node: Node, net: NetBuilder) -> Blob:
    """A depthwise Deconvolution of ones where each value is repeated, else a matrix per axis."""
    x = node.blob()
    axes = list(node.attr("axes", list(range(x.rank))))
    how = Interpolation(
        mode=node.attr("mode", "nearest"),
        coordinate_transformation_mode=node.attr("coordinate_transformation_mode", "half_pixel"),
        nearest_mode=node.attr("nearest_mode", "round_prefer_floor"),
        cubic_coeff_a=node.attr("cubic_coeff_a", -0.75),
        exclude_outside=bool(node.attr("exclude_outside", 0)),
        antialias=bool(node.attr("antialias", 0)),
    )
    regions = [(0.0, 1.0)] * x.rank
    if how.coordinate_transformation_mode == "tf_crop_and_resize":
        corners = node.constant(1)
        for position, axis in enumerate(axes):
            regions[axis] = (float(corners[position]), float(corners[len(axes) + position]))
    scales = node.optional_constant(2)
    full: Array | None = None
    if scales is not None and scales.size:
        full = np.ones(x.rank)
        full[axes] = scales
    return _resize(node, net, full, how, regions)


@lowering("Resize", since=10)
@lowering("Upsample", since=9)
def resize_scales(node: Node, net: NetBuilder) -> Blob:
    """The form of opset 9 and 10: asymmetric coordinates; nearest is the floor upwards and the ceiling downwards."""
    return _resize(node, net, node.constant(1), _early(node))


@lowering("Upsample", since=7)
def upsample_attribute(node: Node, net: NetBuilder) -> Blob:
    """The form of opset 7, with the scales as an attribute."""
    return _resize(node, net, np.array(node.attr("scales", [1.0]), np.float32), _early(node))


def _early(node: Node) -> Interpolation:
    return Interpolation(node.attr("mode", "nearest"), "asymmetric", "simple")


def _resize(
    node: Node,
    net: NetBuilder,
    scales: Array | None,
    how: Interpolation,
    regions: list[tuple[float, float]] | None = None,
) -> Blob:
    x, shape = node.blob(), node.shape()
    if scales is None:
        repeated = _repeated_like(node, net, x, shape, how)
        if repeated is not None:
            return repeated
        net.sizes.exact(x, why="a resize to given lengths")
    if how.mode not in ("nearest", "linear", "cubic"):
        raise UnsupportedNodeError(f"resize mode {how.mode!r}")
    crops = how.coordinate_transformation_mode == "tf_crop_and_resize"
    matrices: list[Array | None] = []
    for axis in range(x.rank):
        scale = shape[axis] / x.shape[axis] if scales is None else float(scales[axis])
        same = scale == 1.0 and shape[axis] == x.shape[axis] and not crops  # at every length
        region = (0.0, 1.0) if regions is None else regions[axis]
        matrices.append(None if same else resize_matrix(x.shape[axis], shape[axis], scale, how, region))
    if x.rank == 4 and shape[:2] == x.shape[:2]:
        times = (shape[2] // x.shape[2], shape[3] // x.shape[3])
        if min(times) >= 1 and times != (1, 1) and all(map(_repeated, matrices[2:], times)):
            if scales is not None:
                bound = [axis for axis in (2, 3) if not _repeats_at_any_size(float(scales[axis]), how)]
                net.sizes.exact(x, bound, "repeated")
            ones = growth.ones(x.shape[1], 1, *times)
            return layers.deconvolution(net, x, ones, None, stride=times, group=x.shape[1])
    for axis, matrix in reversed(list(enumerate(matrices))):
        if matrix is not None:
            x = linear_along(net, x, axis, matrix, part=f"along_{axis}")
    return _extrapolated(node, net, x, matrices)


def _repeated_like(node: Node, net: NetBuilder, x: Blob, shape: tuple[int, ...], how: Interpolation) -> Blob | None:
    """Each value so many times, as far as another tensor reaches that the size is taken from; None where it is not.

    A map is half as large as the one it is resized to, rounded up: of twice as many rows the last is cut off, or none.
    """
    like = node.blobs.get(node.cut_like)
    if like is None or x.rank != 4 or shape[:2] != x.shape[:2] or how.mode != "nearest":
        return None
    times = (-(-shape[2] // x.shape[2]), -(-shape[3] // x.shape[3]))
    cuts = net.options.sizes == "any" and net.profile.has("Crop")
    for axis, count in zip((2, 3), times, strict=True):
        fits = [less for less in range(count if cuts else 1) if _repeats_less(count, less, how)]
        if count * x.shape[axis] - shape[axis] not in fits:
            return None
        net.sizes.multiple(like, x, axis, count, fits, "a resize to the size of another tensor")
    ones = growth.ones(x.shape[1], 1, *times)
    y = x if times == (1, 1) else layers.deconvolution(net, x, ones, None, stride=times, group=x.shape[1])
    return layers.crop_like(net, y, like, part="cut") if cuts and times != (1, 1) else y


def _repeats_less(times: int, less: int, how: Interpolation) -> bool:
    """Whether a resize to `times` as many, less so many, repeats every value and cuts the end, at every length."""
    for size in (1, 2, 3, 4, 5, 8, 13, 32, 100):
        made = size * times - less
        whole = np.repeat(growth.eye(size), times, axis=0)
        if made > 0 and not np.array_equal(resize_matrix(size, made, made / size, how), whole[:made]):
            return False
    return True


def _extrapolated(node: Node, net: NetBuilder, x: Blob, matrices: list[Array | None]) -> Blob:
    """Add the extrapolation value at the places that lie outside along some axis."""
    value = node.attr("extrapolation_value", 0.0)
    inside = [None if matrix is None else matrix.any(axis=1) for matrix in matrices]
    if value == 0.0 or all(places is None or places.all() for places in inside):
        return x
    mask = growth.ones(*x.shape)
    for axis, places in enumerate(inside):
        if places is not None:
            mask *= places.reshape(-1, *[1] * (x.rank - axis - 1))
    return add_constant(net, x, (1 - mask) * np.float32(value), "extrapolated")


def _repeats_at_any_size(scale: float, how: Interpolation) -> bool:
    """Whether values are repeated at other lengths too: every mode repeats one value, and align_corners a few.

    The other modes do the same over and over where the factor is whole.
    """
    if scale != int(scale) or how.coordinate_transformation_mode == "tf_crop_and_resize":
        return False
    times = int(scale)
    return all(_repeated(resize_matrix(size, size * times, scale, how), times) for size in (1, 2, 3, 4, 8, 32))


def _repeated(matrix: Array | None, times: int) -> bool:
    """Whether the matrix repeats every value `times` times; None stands for the identity."""
    if matrix is None:
        return times == 1
    return matrix.shape[0] == times * matrix.shape[1] and bool(
        np.array_equal(matrix, np.repeat(growth.eye(matrix.shape[1]), times, axis=0))
    )
