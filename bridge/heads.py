"""Ending a graph at the detection heads of its source, of whatever kind they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.heads import Heads

HEAD_CHOICES = ("detection", "raw")


def check_choice(end: str) -> None:
    """Raise a SourceError unless `end` is one of the ways to end a detector."""
    if end not in HEAD_CHOICES:
        raise SourceError(f"heads is {end!r}; it can be {' or '.join(map(repr, HEAD_CHOICES))}.")


def end_heads(
    graph: gs.Graph, heads: Heads | None, end: str, priors: str, title: str
) -> dict[str, npt.NDArray[np.float32]]:
    """End `graph` in detections, or at the raw predictions; return the arrays that go beside the model.

    Args:
        graph: the exported or opened graph, which is changed.
        heads: what was found in it, or in the block that it was made of.
        end: "detection" or "raw".
        priors: "box" or "constant", as for `to_caffe`.
        title: of the source, for messages.

    Raises:
        SourceError: there are no heads, and something is asked of them; or Caffe's layers cannot compute the same.
    """
    if heads is None:
        _refuse(end, priors, title)
        return {}
    if end == "raw":
        return heads.end_raw(graph)
    heads.graft(graph, priors=priors)
    return {}


def _refuse(end: str, priors: str, title: str) -> None:
    asked = [
        f"{name}={value!r}"
        for name, value, usual in (("heads", end, "detection"), ("priors", priors, "box"))
        if value != usual
    ]
    if asked:
        verb = "needs" if len(asked) == 1 else "need"
        raise SourceError(f"{' and '.join(asked)} {verb} a detector; no detection heads were found in {title}.")
