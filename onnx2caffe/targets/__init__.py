"""What each Caffe reader accepts, as data: one file per profile."""

from __future__ import annotations

from typing import Literal

from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.targets import bvlc, mnn, ncnn, nnie, opencv, openvino, rockchip, sophgo, ssd, tensorrt
from gluon2caffe.onnx2caffe.targets.profile import Limits, Profile
from gluon2caffe.onnx2caffe.targets.quirks import Fault, Quirk

# The keys of PROFILES, for type checkers.
TargetName = Literal["ssd", "bvlc", "opencv", "ncnn", "mnn", "openvino", "sophgo", "rockchip", "tensorrt", "nnie"]

PROFILES: dict[str, Profile] = {
    module.PROFILE.name: module.PROFILE
    for module in (ssd, bvlc, opencv, ncnn, mnn, openvino, sophgo, rockchip, tensorrt, nnie)
}


def profile_named(name: str) -> Profile:
    """The profile called `name`; ConversionError lists the known ones."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ConversionError(f"Unknown target {name!r}. Known targets: {', '.join(PROFILES)}.") from None


__all__ = ["PROFILES", "Fault", "Limits", "Profile", "Quirk", "TargetName", "profile_named"]
