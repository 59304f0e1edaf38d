"""SSD heads: GluonCV's anchors and decoders, described, grafted into ONNX and lowered to Caffe.

Importing the package registers the lowerings of its two nodes.
"""

from ssd_heads import lowering as _registered  # noqa: F401
from ssd_heads.agreement import DetectionDifference, compare_detections
from ssd_heads.description import Head, SSDDescription
from ssd_heads.detections import Detections, detections, from_gluon
from ssd_heads.gluon import built_for, describe, is_ssd, raw_heads
from ssd_heads.graft import check_predictors, graft
from ssd_heads.prior_boxes import constant_priors

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
