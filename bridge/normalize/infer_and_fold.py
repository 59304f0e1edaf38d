"""Static shapes everywhere: inference, constant folding, chosen branches, no empty pieces."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.canonical_forms import canonical_form
from gluon2caffe.bridge.normalize.choose_branches import chosen_branch
from gluon2caffe.bridge.normalize.decompose.batch_norm import (
    batch_norm_by_computed_statistics,
    batch_norm_in_training,
)
from gluon2caffe.bridge.normalize.decompose.einsum import decomposed_einsum
from gluon2caffe.bridge.normalize.decompose.recurrent import unrolled
from gluon2caffe.bridge.normalize.drop_empty import without_empty
from gluon2caffe.bridge.normalize.infer_shapes import infer_shapes
from gluon2caffe.bridge.normalize.mark_sizes import mark_sizes
from gluon2caffe.bridge.normalize.rewrite import Rule, rewrite
from gluon2caffe.onnx2caffe.surgeon import remove_dead

_SETTLING: tuple[Rule, ...] = (canonical_form, batch_norm_in_training, chosen_branch, without_empty)
_DECOMPOSING: tuple[Rule, ...] = (*_SETTLING, batch_norm_by_computed_statistics, unrolled, decomposed_einsum)


def infer_and_fold(graph: gs.Graph) -> bool:
    """Infer shapes, fold constants, put chosen branches in, drop empty pieces."""
    return _settle(graph, _SETTLING)


def decompose(graph: gs.Graph) -> bool:
    """The same, and operators that simpler ones compute become these. Floats are float32 by now."""
    return _settle(graph, _DECOMPOSING)


def _settle(graph: gs.Graph, rules: tuple[Rule, ...]) -> bool:
    """Walk until a walk changes nothing: the second one nearly always.

    Before each, onnx infers the whole graph where something is not static: it follows values through symbolic lengths.
    """
    changed = False
    while True:
        infer_shapes(graph)
        if not rewrite(graph, rules):
            mark_sizes(graph)
            return changed
        remove_dead(graph)
        changed = True
