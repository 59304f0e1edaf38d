"""Graph surgery that brings an exported ONNX graph to normal form: static shapes, constants folded, nothing idle."""

from __future__ import annotations

from collections.abc import Callable

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.decompose.batch_norm import decompose_computed_batch_norm
from gluon2caffe.bridge.normalize.decompose.einsum import decompose_einsum
from gluon2caffe.bridge.normalize.decompose.recurrent import decompose_recurrent
from gluon2caffe.bridge.normalize.fold_affine import fold_affine
from gluon2caffe.bridge.normalize.fold_batch_norm import fold_batch_norm
from gluon2caffe.bridge.normalize.fold_padding import fold_padding
from gluon2caffe.bridge.normalize.infer_and_fold import infer_and_fold
from gluon2caffe.bridge.normalize.name_nodes import name_nodes
from gluon2caffe.bridge.normalize.push_transposes import reduce_transposes
from gluon2caffe.bridge.normalize.remove_no_ops import remove_no_ops

Pass = Callable[[gs.Graph], bool]


def passes(*, merge_bn: bool) -> list[Pass]:
    """The passes in the order in which they run.

    Shapes come first: all the others rely on them. They are settled again once nodes are written out. Idle nodes go
    before the folds that look at neighbours, and so do Transposes; pads before batch norms, so that Pad, Conv and
    BatchNormalization in a row become one; names last, since they come from what is left.
    """
    folds: list[Pass] = [fold_batch_norm, fold_affine] if merge_bn else []
    return [
        infer_and_fold,
        decompose_computed_batch_norm,
        decompose_recurrent,
        decompose_einsum,
        infer_and_fold,
        remove_no_ops,
        reduce_transposes,
        fold_padding,
        *folds,
        name_nodes,
    ]


def normalize(graph: gs.Graph, *, merge_bn: bool = True) -> None:
    """Bring `graph` to normal form where it stands."""
    graph.cleanup(remove_unused_graph_inputs=False).toposort()
    for step in passes(merge_bn=merge_bn):
        if step(graph):
            graph.cleanup(remove_unused_graph_inputs=False)
    # The order that a graph read back from a file is sorted into, so that both give the same Caffe files.
    graph.toposort()


__all__ = ["normalize", "passes"]
