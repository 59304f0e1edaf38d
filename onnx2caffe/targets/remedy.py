"""Which other target takes what one target refuses."""

from __future__ import annotations

from collections.abc import Callable

from gluon2caffe.onnx2caffe.targets import PROFILES, Profile


def other_target(fits: Callable[[Profile], bool]) -> str:
    """The remedy of a refusal: the first target, in the order of `PROFILES`, that `fits`; empty where none does."""
    name = next((name for name, profile in PROFILES.items() if fits(profile)), None)
    return "" if name is None else f"choose the target {name!r}"


def target_with(*kinds: str) -> str:
    """The remedy where a target has no layer of one of these types."""
    return other_target(lambda profile: profile.has(*kinds))
