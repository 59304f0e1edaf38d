"""What each Caffe reader accepts, as data: one file per profile."""

from __future__ import annotations

from onnx2caffe.errors import ConversionError
from onnx2caffe.targets import bvlc, opencv, ssd
from onnx2caffe.targets.profile import Profile

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (ssd.PROFILE, bvlc.PROFILE, opencv.PROFILE)}


def profile_named(name: str) -> Profile:
    """The profile called `name`; ConversionError lists the known ones."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ConversionError(f"Unknown target {name!r}. Known targets: {', '.join(PROFILES)}.") from None


__all__ = ["PROFILES", "Profile", "profile_named"]
