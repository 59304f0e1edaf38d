"""Graph surgery that brings an exported ONNX graph to normal form: static shapes, constants folded, nothing idle."""

from __future__ import annotations

from collections.abc import Callable

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.fold_affine import fold_affine
from gluon2caffe.bridge.normalize.fold_batch_norm import fold_batch_norm
from gluon2caffe.bridge.normalize.fold_padding import fold_padding
from gluon2caffe.bridge.normalize.name_nodes import name_nodes
from gluon2caffe.bridge.normalize.push_transposes import settle_transposes
from gluon2caffe.bridge.normalize.remove_no_ops import remove_no_ops
from gluon2caffe.bridge.normalize.settle_shapes import settle_shapes
from gluon2caffe.bridge.normalize.write_out.batch_norm import write_out_computed_statistics
from gluon2caffe.bridge.normalize.write_out.einsum import write_out_einsum
from gluon2caffe.bridge.normalize.write_out.recurrent import write_out_recurrent

Pass = Callable[[gs.Graph], bool]


def passes(*, merge_bn: bool) -> list[Pass]:
    """The passes in the order in which they run.

    Shapes come first: all the others rely on them. They are settled again once nodes are written out. Idle nodes go
    before the folds that look at neighbours, and so do Transposes; pads before batch norms, so that Pad, Conv and
    BatchNormalization in a row become one; names last, since they come from what is left.
    """
    folds: list[Pass] = [fold_batch_norm, fold_affine] if merge_bn else []
    return [
        settle_shapes,
        write_out_computed_statistics,
        write_out_recurrent,
        write_out_einsum,
        settle_shapes,
        remove_no_ops,
        settle_transposes,
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
