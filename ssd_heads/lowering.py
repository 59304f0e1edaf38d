"""PriorBox and DetectionOutput nodes as Caffe layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError
from gluon2caffe.onnx2caffe.registry import lowering
from gluon2caffe.onnx2caffe.targets.remedy import target_with
from gluon2caffe.ssd_heads.functions import ALL, DOMAIN


def _require_layer(net: NetBuilder, kind: str) -> None:
    if not net.profile.has(kind):
        raise UnsupportedNodeError(f"the target {net.profile.name!r} has no {kind} layer", target_with(kind))


@lowering("PriorBox", domain=DOMAIN, follows=True)
def prior_box(node: Node, net: NetBuilder) -> Blob:
    """PriorBox, with every field written: readers' defaults differ."""
    _require_layer(net, "PriorBox")
    feature, image = node.blob(0), node.blob(1)
    if node.attr("flip", 0) or node.attr("clip", 0):
        raise UnsupportedNodeError("flip and clip are not what the intermediate's PriorBox computes")
    least, most = node.attr("min_size", 0.0), node.attr("max_size", 0.0)
    if least != int(least) or most != int(most) or least < 1:
        raise UnsupportedNodeError(f"sizes {least} and {most}: Caffe truncates all but whole numbers")
    ratios = node.attr("aspect_ratio", [1.0])[1:]
    fields: dict[str, Any] = {
        "min_size": [least],
        "aspect_ratio": ratios,
        "flip": False,
        "clip": False,
        "variance": node.attr("variance", [0.1, 0.1, 0.2, 0.2]),
        "offset": node.attr("offset", 0.5),
    }
    if most:
        fields["max_size"] = [most]
    step_h, step_w = node.attr("step_h", 0.0), node.attr("step_w", 0.0)
    fields |= {"step": step_h} if step_h == step_w else {"step_h": step_h, "step_w": step_w}
    return net.one("PriorBox", [feature, image], prior_box_param=fields)


@lowering("DetectionOutput", domain=DOMAIN, follows=True)
def detection_output(node: Node, net: NetBuilder) -> Blob:
    """DetectionOutput, with every field written."""
    _require_layer(net, "DetectionOutput")
    loc, conf = node.blob(0), node.blob(1)
    priors = _constant_priors(net, loc, node.constant(2)) if node.is_constant(2) else node.blob(2)
    return _detection_output(node, net, [loc, conf, priors], "CENTER_SIZE")


@lowering("CornerDetectionOutput", domain=DOMAIN, follows=True)
def corner_detection_output(node: Node, net: NetBuilder) -> Blob:
    """DetectionOutput whose boxes are corners already: with code_type CORNER, priors of 0 and variances of 1."""
    _require_layer(net, "DetectionOutput")
    loc, conf = node.blob(0), node.blob(1)
    zeros = layers.constant_like(net, loc, 0.0, part="corners_of_priors")
    rows = layers.reshape(net, zeros, (loc.shape[0], 1, loc.shape[1]), part="corner_row")
    ones = layers.constant_like(net, rows, 1.0, part="variances_of_priors")
    priors = layers.concat(net, [rows, ones], 1, part="priors")
    return _detection_output(node, net, [loc, conf, priors], "CORNER")


def _detection_output(node: Node, net: NetBuilder, bottoms: list[Blob], code: str) -> Blob:
    loc = bottoms[0]
    classes = node.attr("num_classes", 0)
    boxes = loc.shape[1] // 4
    top_k = _limit(net, loc, node.attr("top_k", ALL), boxes, 1)
    keep = _limit(net, loc, node.attr("keep_top_k", ALL), boxes, max(1, classes - 1))
    fields: dict[str, Any] = {
        "num_classes": classes,
        "share_location": bool(node.attr("share_location", 1)),
        "background_label_id": node.attr("background_label_id", 0),
        "nms_param": {"nms_threshold": node.attr("nms_threshold", 0.3), "top_k": top_k},
        "code_type": node.attr("code_type", code),
        "keep_top_k": keep,
        "confidence_threshold": node.attr("confidence_threshold", 0.01),
    }
    top = (1, 1, max(1, keep), 7)
    return net.one("DetectionOutput", bottoms, top, detection_output_param=fields)


def _limit(net: NetBuilder, loc: Blob, limit: int, boxes: int, each: int) -> int:
    """How many of `each` candidates per box go on: at most as many as there are, since -1 is not safe on every reader.

    Then the file holds for no more boxes than that, unless it is for any size.
    """
    everything = boxes * each
    if 0 <= limit < everything or net.options.sizes == "any":
        return limit if limit >= 0 else ALL
    net.sizes.at_most(loc, 1, 4 * boxes, "as many boxes are kept as there are")
    return everything


def _constant_priors(net: NetBuilder, like: Blob, priors: layers.Array) -> Blob:
    """Constant priors on every reader: an InnerProduct with weights 0 and the priors as its bias.

    Readers have no layer for a constant in common. Each image of a batch gets the same row; they read the first.
    """
    values = priors.reshape(-1).astype(np.float32)
    net.sizes.fix("priors that are constants")
    one = layers.inner_product(net, like, np.zeros((1, like.shape[1]), np.float32), None, part="nothing")
    flat = layers.inner_product(net, one, np.zeros((values.size, 1), np.float32), values, part="priors")
    return layers.reshape(net, flat, (like.shape[0], 2, values.size // 2), part="prior_rows")
