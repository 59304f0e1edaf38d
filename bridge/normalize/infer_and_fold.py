"""Static shapes everywhere: inference, constant folding, chosen branches, no empty pieces, until nothing changes."""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.canonical_forms import write_canonical_forms
from gluon2caffe.bridge.normalize.choose_branches import choose_branches
from gluon2caffe.bridge.normalize.decompose.batch_norm import decompose_training_batch_norm
from gluon2caffe.bridge.normalize.drop_empty import drop_empty
from gluon2caffe.bridge.normalize.fold_constants import fold_constants
from gluon2caffe.bridge.normalize.infer_shapes import infer_shapes
from gluon2caffe.bridge.normalize.mark_sizes import mark_sizes
from gluon2caffe.onnx2caffe.surgeon import remove_dead


def infer_and_fold(graph: gs.Graph) -> bool:
    """Infer shapes, fold constants, put chosen branches in, drop empty pieces: each makes more known to the others."""
    changed = False
    while True:
        infer_shapes(graph)
        steps = (write_canonical_forms, decompose_training_batch_norm, fold_constants, choose_branches, drop_empty)
        done = [step(graph) for step in steps]
        if not any(done):
            mark_sizes(graph)
            return changed
        remove_dead(graph)
        changed = True
