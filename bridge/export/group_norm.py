"""Tracing GluonCV's own GroupNorm, whose code needs arrays, by an equal one made of symbols."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def _forward(self: Any, F: Any, x: Any, gamma: Any, beta: Any) -> Any:  # noqa: N803 - MXNet's name
    """Normalise each group of channels to mean 0 and variance 1 (eps inside the root), then scale and shift.

    MXNet's GroupNorm operator has one gamma and beta per group, GluonCV's block one per channel; hence the
    operator with ones and zeros, and the affine part after it.
    """
    groups = self.ngroups
    normal = F.GroupNorm(
        x, F.ones(shape=(groups,)), F.zeros(shape=(groups,)), num_groups=groups, eps=self._kwargs["eps"], name="normal"
    )
    offset = F.reshape(beta, shape=(1, -1, 1, 1), name="beta")
    if not self.scale:
        return F.broadcast_add(normal, offset, name="fwd")
    factor = F.reshape(gamma, shape=(1, -1, 1, 1), name="gamma")
    return F.broadcast_add(F.broadcast_mul(normal, factor, name="scale"), offset, name="fwd")


@contextmanager
def symbolic_group_norm() -> Iterator[None]:
    """Let GluonCV's GroupNorm be traced inside; its class is as before afterwards.

    Where GluonCV was never imported there is nothing to do.
    """
    module = sys.modules.get("gluoncv.nn.gn")
    if module is None:
        yield
        return
    original = vars(module.GroupNorm)["hybrid_forward"]
    module.GroupNorm.hybrid_forward = _forward
    try:
        yield
    finally:
        module.GroupNorm.hybrid_forward = original
