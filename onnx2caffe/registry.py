"""Which function lowers which ONNX operator, since which version of it."""

from __future__ import annotations

from collections.abc import Callable

import onnx.defs

from gluon2caffe.onnx2caffe.builder import Blob, NetBuilder
from gluon2caffe.onnx2caffe.node import Node
from gluon2caffe.onnx2caffe.sizes.follows import FOLLOWS

Result = Blob | list[Blob]
Lowering = Callable[[Node, NetBuilder], Result]

_LOWERINGS: dict[tuple[str, str], dict[int, Lowering]] = {}
_FOLLOWING: set[tuple[str, str]] = {("", operator) for operator in FOLLOWS}


# The newest opset whose operators' forms the lowerings were written for.
NEWEST_FORM = 28


def lowering(
    operator: str, *, since: int = 1, domain: str = "", follows: bool = False
) -> Callable[[Lowering], Lowering]:
    """Register a lowering for `operator` in the form it has had since opset `since`.

    `follows` says of an operator of another domain that its lowering records every length that it relies on, as far as
    the layers do not show it; `sizes.follows` lists ONNX's own.
    """
    if follows:
        _FOLLOWING.add((domain, operator))

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


def says_its_sizes(operator: str, domain: str) -> bool:
    """Whether the lowerings of `operator` record every length that they rely on."""
    return (domain, operator) in _FOLLOWING


def registered() -> dict[tuple[str, str], tuple[int, ...]]:
    """All (domain, operator) pairs with the versions that have a lowering of their own."""
    return {key: tuple(sorted(versions)) for key, versions in sorted(_LOWERINGS.items())}
