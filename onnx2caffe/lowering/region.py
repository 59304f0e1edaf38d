"""MaxRoiPool as ROIPooling, a layer of Faster R-CNN's Caffe."""

from __future__ import annotations

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.node import Node
from gluon2caffe.onnx2caffe.registry import lowering


@lowering("MaxRoiPool")
def max_roi_pool(node: Node, net: NetBuilder) -> Blob:
    """ROIPooling; the regions (R, 5) are rows of batch index, x1, y1, x2, y2, as in ONNX."""
    height, width = (int(value) for value in node.attr("pooled_shape", [1, 1]))
    fields = {"pooled_h": height, "pooled_w": width, "spatial_scale": node.attr("spatial_scale", 1.0)}
    x, regions = node.blob(0), node.blob(1)
    top = (regions.shape[0], x.shape[1], height, width)
    # Some forks look for four axes.
    rows = layers.reshape(net, regions, (regions.shape[0], 5, 1, 1), part="regions")
    return net.one("ROIPooling", [x, rows], top, roi_pooling_param=fields)
