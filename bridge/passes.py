"""The passes that a graph goes through, from reading to lowering, in the order in which they run.

Files are read by `reading_passes`; every graph is brought to normal form by `normalizing_passes`; `lower` then runs
`onnx2caffe.fuse.fusing_passes` on a copy, so that the intermediate keeps the ONNX nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.cut import cut_at
from gluon2caffe.bridge.normalize.append_softmax import append_softmax
from gluon2caffe.bridge.normalize.find_pixel_shuffles import find_pixel_shuffles
from gluon2caffe.bridge.normalize.fold_affine import fold_affine
from gluon2caffe.bridge.normalize.fold_batch_norm import fold_batch_norm
from gluon2caffe.bridge.normalize.fold_constants import find_foldable
from gluon2caffe.bridge.normalize.fold_padding import fold_padding
from gluon2caffe.bridge.normalize.infer_and_fold import decompose
from gluon2caffe.bridge.normalize.name_nodes import find_unnamed, name_nodes
from gluon2caffe.bridge.normalize.prepend_preprocessing import prepend_preprocessing
from gluon2caffe.bridge.normalize.push_transposes import reduce_transposes
from gluon2caffe.bridge.normalize.remove_no_ops import remove_no_ops
from gluon2caffe.bridge.normalize.set_outputs_aside import OutputsAside, set_outputs_aside
from gluon2caffe.bridge.onnx_source.content import (
    check_weights_fit,
    refuse_impossible_blobs,
    refuse_odd_values,
    refuse_quantised,
)
from gluon2caffe.bridge.onnx_source.float32 import infer_any_precision, refuse_non_finite, use_float32
from gluon2caffe.bridge.onnx_source.inputs import fix_inputs
from gluon2caffe.bridge.onnx_source.integer_inputs import integers_as_float32
from gluon2caffe.bridge.onnx_source.validity import check_nodes
from gluon2caffe.bridge.options import ConversionOptions
from gluon2caffe.onnx2caffe.graph_pass import TYPES, Pass, Property
from gluon2caffe.onnx2caffe.invariants import find_other_float
from gluon2caffe.onnx2caffe.surgeon import sort_nodes

FLOAT32 = Property("float constants in float32", find_other_float)
FOLDED = Property("constants folded", find_foldable)
NAMED = Property("every node called like its first output", find_unnamed)


def reading_passes(options: ConversionOptions, notes: list[str]) -> list[Pass]:
    """Those that a graph from an .onnx file goes through first; they add to `notes` what the user should know.

    It is cut before anything is looked at, since what is cut away need not be readable. Shapes are inferred before
    floats become float32, since shape arithmetic may rely on their precision.
    """
    return [
        *_cut(options.outputs),
        _check("refuse_quantised", refuse_quantised),
        _check("refuse_odd_values", refuse_odd_values),
        Pass("fix_inputs", _noting(lambda graph: fix_inputs(graph, options.input_shapes), notes)),
        _check("check_weights_fit", check_weights_fit),
        Pass("infer_and_fold", lambda graph: infer_any_precision(graph, notes), ensures=(TYPES, FOLDED)),
        Pass("use_float32", _noting(use_float32, notes), requires=(TYPES,), ensures=(FLOAT32,)),
        _check("check_nodes", check_nodes, TYPES),
        _check("refuse_impossible_blobs", refuse_impossible_blobs, TYPES),
        Pass("integers_as_float32", _noting(integers_as_float32, notes), requires=(TYPES, FOLDED)),
        *([] if options.allow_non_finite else [_check("refuse_non_finite", refuse_non_finite, FLOAT32)]),
    ]


def normalizing_passes(options: ConversionOptions, aside: OutputsAside | None = None) -> list[Pass]:
    """Those that every graph goes through; they say in `aside` which outputs are not computed.

    Shapes come first: all the others rely on them. The preprocessing goes in while the first convolutions still stand
    as the source has them, with their pads folded. No-ops go before the folds that look at neighbours, and so do
    Transposes; pads before batch norms, so that Pad, Conv and BatchNormalization in a row become one; names last, since
    they come from what is left; then the order that a graph read back from a file is sorted into, so that both give the
    same Caffe files.
    """
    known = (TYPES, FOLDED)
    preprocessing = options.preprocessing
    return [
        *_cut(options.outputs),
        Pass("sort_nodes", sort_nodes),
        Pass("decompose", decompose, requires=(FLOAT32,), ensures=known),
        Pass("set_outputs_aside", lambda graph: set_outputs_aside(graph, aside or OutputsAside()), requires=known),
        *(
            []
            if preprocessing is None
            else [
                Pass("fold_padding", fold_padding, requires=known),
                Pass(
                    "prepend_preprocessing",
                    _changing(lambda graph: prepend_preprocessing(graph, preprocessing)),
                    requires=known,
                ),
            ]
        ),
        Pass("remove_no_ops", remove_no_ops, requires=known),
        Pass("reduce_transposes", reduce_transposes, requires=known),
        Pass("find_pixel_shuffles", find_pixel_shuffles, requires=known),
        Pass("fold_padding", fold_padding, requires=known),
        *(
            [
                Pass("fold_batch_norm", fold_batch_norm, requires=(*known, FLOAT32)),
                Pass("fold_affine", fold_affine, requires=(*known, FLOAT32)),
            ]
            if options.merge_bn
            else []
        ),
        *([Pass("append_softmax", append_softmax, requires=known)] if options.softmax else []),
        Pass("name_nodes", name_nodes, ensures=(NAMED,)),
        Pass("sort_nodes", sort_nodes, ensures=(FLOAT32,)),
    ]


def _cut(outputs: Sequence[str] | None) -> list[Pass]:
    return [] if outputs is None else [Pass("cut", lambda graph: cut_at(graph, outputs))]


def _check(name: str, check: Callable[[gs.Graph], None], *requires: Property) -> Pass:
    """A pass that changes nothing, but may refuse the graph."""

    def run(graph: gs.Graph) -> bool:
        check(graph)
        return False

    return Pass(name, run, requires, only_checks=True)


def _changing(change: Callable[[gs.Graph], None]) -> Callable[[gs.Graph], bool]:
    """A change that does not say whether it did anything."""

    def run(graph: gs.Graph) -> bool:
        change(graph)
        return True

    return run


def _noting(change: Callable[[gs.Graph], list[str]], notes: list[str]) -> Callable[[gs.Graph], bool]:
    """A change that gives notes."""

    def run(graph: gs.Graph) -> bool:
        notes.extend(change(graph))
        return True

    return run
