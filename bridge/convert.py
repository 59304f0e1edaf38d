"""The library calls `to_onnx` and `to_caffe`, and the two stages that they are made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from importlib import metadata
from typing import TYPE_CHECKING

import onnx
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.conversion import Conversion, Intermediate
from gluon2caffe.bridge.cut import attempt, ends_at, note_of
from gluon2caffe.bridge.frontier import cut_of_graph
from gluon2caffe.bridge.grown_weights import growth_notes
from gluon2caffe.bridge.load import Source, load_graph
from gluon2caffe.bridge.normalize.set_outputs_aside import OutputsAside
from gluon2caffe.bridge.options import (
    ConversionKeywords,
    ConversionOptions,
    InputShape,
    conversion_options,
    takes_options,
)
from gluon2caffe.bridge.origins import all_sources, write_sources
from gluon2caffe.bridge.passes import FLOAT32, normalizing_passes
from gluon2caffe.bridge.progress import announce
from gluon2caffe.onnx2caffe.builder import LoweringOptions
from gluon2caffe.onnx2caffe.errors import Cut, Refusal, UnsupportedModelError
from gluon2caffe.onnx2caffe.graph_pass import PassRunner
from gluon2caffe.onnx2caffe.lower import lower

if TYPE_CHECKING:
    from gluon2caffe.bridge.options import Unpack


@takes_options
def to_caffe(
    source: Source, input_shape: InputShape | None = None, **options: Unpack[ConversionKeywords]
) -> Conversion:
    """Convert a net to a Caffe model that computes the same numbers.

    Args:
        source: a Gluon HybridBlock (initialised, hybridised or not), a pair (symbol file, params file), the path of an
            .onnx file, or an `onnx.ModelProto`.
        input_shape: (N, C, H, W) of the input, or a mapping from input name to shape.
        options: see below.

    Raises:
        ConversionError: an option is not valid or does not fit the source; the source cannot be read (SourceError); or
            it holds nodes that the target cannot compute exactly (UnsupportedModelError lists them all).

    """
    return convert(source, conversion_options({"input_shape": input_shape, **options}))


@takes_options
def to_onnx(
    source: Source, input_shape: InputShape | None = None, **options: Unpack[ConversionKeywords]
) -> onnx.ModelProto:
    """The intermediate ONNX model, in normal form, for Netron, onnxruntime or another converter.

    The arguments are those of `to_caffe`; `relu6` and `target` make no difference here. The model passes `onnx.checker`
    with full checks; its metadata hold the source, this converter's version, the input layout and the preprocessing.

    Raises:
        ConversionError: as for `to_caffe`.

    """
    return as_model(to_intermediate(source, conversion_options({"input_shape": input_shape, **options})))


def convert(source: Source, options: ConversionOptions) -> Conversion:
    """`to_caffe` with its options as one object."""
    return convert_keeping(source, options)[1]


def convert_keeping(source: Source, options: ConversionOptions) -> tuple[Intermediate, Conversion]:
    """Both stages, and what the first of them made too."""

    def make(chosen: ConversionOptions) -> tuple[Intermediate, Conversion]:
        made = _stage_one(source, chosen)
        return made, lowered(made)

    (made, model), cut = attempt(make, options)
    model.notes.extend(note_of(cut))
    return made, model


def to_intermediate(source: Source, options: ConversionOptions | None = None) -> Intermediate:
    """Stage one: the source as a normal-form graph, weights by reference."""
    made, cut = attempt(lambda chosen: _stage_one(source, chosen), options or ConversionOptions())
    made.notes.extend(note_of(cut))
    return made


def _stage_one(source: Source, options: ConversionOptions) -> Intermediate:
    loaded = load_graph(source, options)
    graph = loaded.graph
    announce("Normalising")
    found = loaded.heads if options.outputs is None or ends_at(graph, options.outputs) else None
    aside = OutputsAside()
    PassRunner(graph, established=(FLOAT32,)).run(normalizing_passes(options, aside))
    arrays, notes = {**loaded.arrays, **aside.arrays}, [*loaded.notes, *aside.notes]
    weight_bytes = loaded.weight_bytes
    return Intermediate(graph, options, loaded.title, arrays, notes, found, loaded.tensors, weight_bytes, aside.ends)


def as_model(made: Intermediate) -> onnx.ModelProto:
    """Serialise the intermediate and check it."""
    model: onnx.ModelProto = gs.export_onnx(made.graph)
    # The IR version that came with opset 13 to 17: every runtime of the last years reads it.
    model.ir_version = 8
    version = metadata.version("gluon2caffe")
    model.producer_name, model.producer_version = "gluon2caffe", version
    preprocessing = made.options.preprocessing
    properties = {
        "source": made.source,
        "converter": f"gluon2caffe {version}",
        "input_layout": "NCHW",
        "preprocessing": json.dumps(vars(preprocessing) if preprocessing else {}),
        **write_sources(model, made.graph),
    }
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    return model


def lowered(made: Intermediate) -> Conversion:
    """Stage two: the intermediate as a Caffe model."""
    announce("Lowering to Caffe layers")
    sources = all_sources(made.graph)
    try:
        model = lower(made.graph, target=made.options.target, options=lowering_options(made.options))
    except UnsupportedModelError as error:
        error.cut = cut_before_refusals(made, error.refusals)
        raise
    notes = [*made.notes, *model.notes]
    notes += growth_notes(model, sources, made.weight_bytes)
    return Conversion(model, made.options, made.source, made.arrays, sources, notes, made.heads, made.ends)


def cut_before_refusals(made: Intermediate, refusals: Sequence[Refusal]) -> Cut | None:
    """Where the source could be cut before the nodes that were refused."""
    names = {refusal.node for refusal in refusals}
    return cut_of_graph(made.graph, lambda node: node.name in names, made.tensors)


def lowering_options(options: ConversionOptions) -> LoweringOptions:
    """What stage two may know of the options: those that it has fields for."""
    return LoweringOptions(**{each.name: getattr(options, each.name) for each in fields(LoweringOptions)})
