"""Which function lowers which ONNX operator, since which version of it."""

from __future__ import annotations

from collections.abc import Callable

import onnx.defs

from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.node import Node

Result = Blob | list[Blob]
Lowering = Callable[[Node, NetBuilder], Result]

_LOWERINGS: dict[tuple[str, str], dict[int, Lowering]] = {}


# The newest opset whose operators' forms the lowerings were written for.
NEWEST_FORM = 28


def lowering(operator: str, *, since: int = 1, domain: str = "") -> Callable[[Lowering], Lowering]:
    """Register a lowering for `operator` in the form it has had since opset `since`."""

    def register(function: Lowering) -> Lowering:
        versions = _LOWERINGS.setdefault((domain, operator), {})
        if since in versions:
            raise ValueError(f"{operator} since {since} is registered twice")
        versions[since] = function
        return function

    return register


def find_lowering(operator: str, domain: str, opset: int) -> Lowering | None:
    """The lowering for the form that `operator` has in `opset`; None where there is none."""
    versions = _LOWERINGS.get((domain, operator), {})
    if not domain:
        try:
            opset = onnx.defs.get_schema(operator, opset, domain).since_version
        except onnx.defs.SchemaError:
            return None
        if opset > NEWEST_FORM and opset not in versions:
            # It may say something in an attribute that no lowering looks at.
            return None
    usable = [since for since in versions if since <= opset]
    return versions[max(usable)] if usable else None


def registered() -> dict[tuple[str, str], tuple[int, ...]]:
    """All (domain, operator) pairs with the versions that have a lowering of their own."""
    return {key: tuple(sorted(versions)) for key, versions in sorted(_LOWERINGS.items())}
