"""Caffe with the SSD layers (weiliu89's fork): the default target.

The list leaves out what other common readers of Caffe files lack (OpenCV has no ArgMax, Bias, Reduction,
Parameter, DummyData or Tile), so that the default output loads on all of them wherever that is possible. Its files are
meant for Caffe-SSD and for OpenCV, so they avoid the faults of both.
"""

from gluon2caffe.onnx2caffe.targets import bvlc, opencv
from gluon2caffe.onnx2caffe.targets.profile import Profile

PROFILE = Profile(
    name="ssd",
    title="Caffe with the SSD layers",
    layers=(bvlc.PROFILE.layers - {"ArgMax", "Bias", "Reduction", "Parameter", "DummyData", "Tile"})
    | {"DetectionOutput", "Normalize", "Permute", "PriorBox"},
    quirks=opencv.QUIRKS,
    beyond=frozenset({"ArgMax", "Parameter"}),
    sources=("weiliu89/caffe, branch ssd, src/caffe/layers; OpenCV dnn 4.x, modules/dnn/src/init.cpp",),
)
