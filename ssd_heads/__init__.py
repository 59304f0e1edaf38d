"""Detection heads: found in a block or a graph, described, grafted into ONNX and lowered to Caffe.

What the rest of the converter needs of them is `Heads` and `HeadKind`; each kind is a module in `ssd_heads.kinds`.
Importing the package registers the lowerings of its nodes.
"""

from gluon2caffe.ssd_heads import lowering as _registered  # noqa: F401
from gluon2caffe.ssd_heads.agreement import DetectionDifference, compare_detections
from gluon2caffe.ssd_heads.decoding import DecoderDocument, decode
from gluon2caffe.ssd_heads.description import Head, SSDDescription
from gluon2caffe.ssd_heads.detections import Detections, detections, from_gluon
from gluon2caffe.ssd_heads.heads import HeadKind, Heads
from gluon2caffe.ssd_heads.registry import cut_training, find_heads, head_kinds, kind_of_block

__all__ = [
    "DecoderDocument",
    "DetectionDifference",
    "Detections",
    "Head",
    "HeadKind",
    "Heads",
    "SSDDescription",
    "compare_detections",
    "cut_training",
    "decode",
    "detections",
    "find_heads",
    "from_gluon",
    "head_kinds",
    "kind_of_block",
]
