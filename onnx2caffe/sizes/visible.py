"""The lengths that a Caffe layer relies on, as its own fields and the shapes of its weights show them."""

from __future__ import annotations

from collections.abc import Sequence

from gluon2caffe.onnx2caffe.caffe_pb2 import LayerParameter

Shape = tuple[int, ...]


def bound_axes(layer: LayerParameter, blobs: Sequence[Shape], bottoms: Sequence[Shape]) -> list[tuple[int, int]]:
    """(bottom, axis) of every length that is written into the layer or into the shapes of its weights."""
    if not bottoms:
        return []
    rank = len(bottoms[0])
    kind = layer.type
    if kind in ("Convolution", "Deconvolution", "BatchNorm", "PReLU", "Normalize"):
        return [(i, 1) for i in range(len(bottoms)) if len(bottoms[i]) > 1]
    if kind == "InnerProduct":
        return [(0, axis) for axis in range(layer.inner_product_param.axis % rank, rank)]
    if kind in ("Scale", "Bias") and blobs:
        fields = layer.scale_param if kind == "Scale" else layer.bias_param
        first = fields.axis % rank
        return [(0, axis) for axis in range(first, min(first + len(blobs[0]), rank))]
    if kind == "Slice" and layer.slice_param.slice_point:
        return [(0, layer.slice_param.axis % rank)]
    if kind == "Reshape":
        return _reshaped_axes(layer, bottoms[0])
    return []


def _reshaped_axes(layer: LayerParameter, bottom: Shape) -> list[tuple[int, int]]:
    """The axes that a Reshape does not copy; none where it infers a length (-1), which it follows."""
    fields = layer.reshape_param
    dims = list(fields.shape.dim)
    if -1 in dims:
        return []
    start = fields.axis if fields.axis >= 0 else len(bottom) + fields.axis + 1
    end = len(bottom) if fields.num_axes == -1 else start + fields.num_axes
    copied = {start + index for index, length in enumerate(dims) if length == 0}
    return [(0, axis) for axis in range(start, end) if axis not in copied]


def misfit(layer: LayerParameter, bottoms: Sequence[Shape]) -> bool:
    """Whether the bottoms do not fit each other, where no rule for shapes looks at it."""
    if layer.type == "Scale" and len(bottoms) == 2:
        first = layer.scale_param.axis % len(bottoms[0])
        return bottoms[0][first : first + len(bottoms[1])] != bottoms[1]
    if layer.type == "Crop":
        first = layer.crop_param.axis % len(bottoms[0])
        return any(a < b for a, b in zip(bottoms[0][first:], bottoms[1][first:], strict=True))
    return False
