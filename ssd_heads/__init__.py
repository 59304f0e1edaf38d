"""SSD heads: GluonCV's anchors and decoders, described, grafted into ONNX and lowered to Caffe.

Importing the package registers the lowerings of its two nodes.
"""

from gluon2caffe.ssd_heads import lowering as _registered  # noqa: F401
from gluon2caffe.ssd_heads.agreement import DetectionDifference, compare_detections
from gluon2caffe.ssd_heads.description import Head, SSDDescription
from gluon2caffe.ssd_heads.detections import Detections, detections, from_gluon
from gluon2caffe.ssd_heads.gluon import built_for, describe, is_ssd, raw_heads
from gluon2caffe.ssd_heads.graft import check_predictors, graft
from gluon2caffe.ssd_heads.prior_boxes import constant_priors

__all__ = [
    "DetectionDifference",
    "Detections",
    "Head",
    "SSDDescription",
    "built_for",
    "check_predictors",
    "compare_detections",
    "constant_priors",
    "describe",
    "detections",
    "from_gluon",
    "graft",
    "is_ssd",
    "raw_heads",
]
