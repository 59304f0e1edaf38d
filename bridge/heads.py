"""Ending a graph at the detection heads of its source, of whatever kind they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.options import ConversionOptions
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.heads import Heads


def end_heads(
    graph: gs.Graph, heads: Heads | None, options: ConversionOptions, title: str
) -> dict[str, npt.NDArray[np.float32]]:
    """End `graph` in detections, or at the raw predictions; return the arrays that go beside the model.

    Args:
        graph: the exported or opened graph, which is changed.
        heads: what was found in it, or in the block that it was made of.
        options: those of the conversion: `heads` and `priors`.
        title: of the source, for messages.

    Raises:
        SourceError: there are no heads, and something is asked of them; or Caffe's layers cannot compute the same.
    """
    if heads is None:
        _refuse(options, title)
        return {}
    if options.heads == "raw":
        return heads.end_raw(graph)
    heads.graft(graph, priors=options.priors)
    return {}


def _refuse(options: ConversionOptions, title: str) -> None:
    asked = [f"{name}={value!r}" for name, value in options.changed().items() if name in ("heads", "priors")]
    if asked:
        verb = "needs" if len(asked) == 1 else "need"
        raise SourceError(f"{' and '.join(asked)} {verb} a detector; no detection heads were found in {title}.")
