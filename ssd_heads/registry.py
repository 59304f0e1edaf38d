"""The kinds of detection heads there are: one module or folder each in `ssd_heads.kinds`, found by being there."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Any

import onnx_graphsurgeon as gs

from gluon2caffe.ssd_heads import kinds as _kinds
from gluon2caffe.ssd_heads.heads import HeadKind, Heads


@functools.cache
def head_kinds() -> tuple[HeadKind, ...]:
    """One object of every kind, the more special ones first: the `KIND` of each module in `ssd_heads.kinds`."""
    names = [module.name for module in pkgutil.iter_modules(_kinds.__path__)]
    found = [importlib.import_module(f"{_kinds.__name__}.{name}").KIND for name in names]
    return tuple(sorted(found, key=lambda kind: (kind.rank, kind.name)))


def kind_of_block(net: Any) -> HeadKind | None:
    """The kind whose heads a Gluon block has, where it must be traced in a way of its own; None for any other source.

    Neither MXNet nor GluonCV is imported.
    """
    return next((kind for kind in head_kinds() if kind.in_block(net)), None)


def find_heads(graph: gs.Graph) -> Heads | None:
    """The detection heads that a graph ends in.

    Raises:
        SourceError: Caffe's layers cannot compute the same as they do.
    """
    for kind in head_kinds():
        heads = kind.in_graph(graph)
        if heads is not None:
            return heads
    return None


def cut_training(symbol: Any) -> list[str]:
    """End an MXNet symbol, with `nodes` and `heads`, at its detections where it is made for training; return notes."""
    return [note for kind in head_kinds() if (note := kind.cut_training(symbol))]
