"""From an .onnx file or a ModelProto to a settled graph: static shapes, float32, weights by reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx_graphsurgeon as gs
from onnx import helper
from onnx_graphsurgeon.logger import G_LOGGER

from gluon2caffe.bridge.cut import cut_at
from gluon2caffe.bridge.normalize.infer_and_fold import infer_and_fold
from gluon2caffe.bridge.onnx_source.content import (
    check_weights_fit,
    refuse_impossible_blobs,
    refuse_odd_values,
    refuse_quantised,
)
from gluon2caffe.bridge.onnx_source.file import ModelFile, read_file
from gluon2caffe.bridge.onnx_source.float32 import refuse_non_finite, use_float32
from gluon2caffe.bridge.onnx_source.functions import inline_functions
from gluon2caffe.bridge.onnx_source.inputs import FixedShape, fix_inputs
from gluon2caffe.bridge.onnx_source.integer_inputs import integers_as_float32
from gluon2caffe.bridge.onnx_source.structure import check_structure, check_unique
from gluon2caffe.bridge.onnx_source.validity import check_nodes
from gluon2caffe.bridge.onnx_source.weights import StoredValues, is_large, stored
from gluon2caffe.bridge.origins import read_sources, record
from gluon2caffe.onnx2caffe.errors import ConversionError, SourceError


@dataclass(frozen=True)
class OpenedModel:
    """The graph of a model, and notes on what it took to get there."""

    graph: gs.Graph
    notes: list[str]


@contextmanager
def reading(title: str) -> Iterator[None]:
    """Turn what the libraries raise over a damaged model into a SourceError that names the model.

    Such an exception is chained to it, so that an error of this program can be told from one of the file.
    """
    try:
        with G_LOGGER.suppress(G_LOGGER.CRITICAL + 1):
            yield
    except (ConversionError, MemoryError):
        raise
    except Exception as error:
        raise SourceError(f"{title} is not a valid ONNX model: {_sentence(error)}") from error


def open_model(
    source: Path | onnx.ModelProto,
    given: FixedShape,
    *,
    outputs: Sequence[str] | None = None,
    allow_non_finite: bool = False,
) -> OpenedModel:
    """Read a model.

    Args:
        source: an .onnx file, with weights in it or in files beside it, or a model, which stays as it is.
        given: the shape of its one input, or of its inputs by name; None keeps the declared ones.
        outputs: where to cut the graph; what is cut away need not be readable.
        allow_non_finite: take weights that hold NaN or infinity.

    Raises:
        SourceError: the model cannot be read or is not valid; the message says which piece.
        ConversionError: its weights are more than a .caffemodel holds, or there is no tensor to cut at.
    """
    read = ModelFile(source) if isinstance(source, onnx.ModelProto) else read_file(source)
    model, weights = _without_weights(read, source.parent if isinstance(source, Path) else None)
    check_structure(model, weights)
    model, calls = inline_functions(model)
    _complete_outputs(model)
    onnx.checker.check_model(model)
    graph = _graph(model, weights)
    read_sources(model, graph)
    _record_calls(graph, calls)
    if outputs is not None:
        cut_at(graph, outputs)
    refuse_quantised(graph)
    refuse_odd_values(graph)
    fix_inputs(graph, given)
    check_weights_fit(graph)
    notes = _settle(graph)
    check_nodes(graph)
    refuse_impossible_blobs(graph)
    notes += integers_as_float32(graph)
    if not allow_non_finite:
        refuse_non_finite(graph)
    return OpenedModel(graph, notes)


def _complete_outputs(model: onnx.ModelProto) -> None:
    """Give outputs that are declared without a shape an empty one: onnx's checker wants one, nothing here reads it."""
    for output in model.graph.output:
        if output.type.WhichOneof("value") == "tensor_type":
            output.type.tensor_type.shape.SetInParent()


def _record_calls(graph: gs.Graph, calls: dict[str, str]) -> None:
    """Say that what a function has left in the graph does the work of the node that called it."""
    for node in graph.nodes:
        if node.outputs and node.outputs[0].name in calls:
            record(node, (calls[node.outputs[0].name],))


def _settle(graph: gs.Graph) -> list[str]:
    """Make all shapes static and all floats float32; return notes on the floats.

    Shapes come first, since shape arithmetic may rely on its precision.
    """
    try:
        infer_and_fold(graph)
        return use_float32(graph)
    except ConversionError:
        # Where precisions are mixed, which ONNX does not allow, they may fit together in float32.
        notes = use_float32(graph)
        if not notes:
            raise
        infer_and_fold(graph)
        return [*notes, *use_float32(graph)]


def _without_weights(read: ModelFile, folder: Path | None) -> tuple[onnx.ModelProto, dict[str, StoredValues]]:
    """A copy of the model in which each large initializer is an input, and the values of those."""
    light = onnx.ModelProto()
    for part, value in read.model.ListFields():
        if part.name != "graph":
            _copy_field(light, part.name, value)
    weights: dict[str, StoredValues] = {}
    declared = {tensor.name for tensor in read.model.graph.input}
    check_unique("initializer", (proto.name for proto in read.model.graph.initializer))
    for part, value in read.model.graph.ListFields():
        if part.name != "initializer":
            _copy_field(light.graph, part.name, value)
    for index, proto in enumerate(read.model.graph.initializer):
        extent = read.extents.get(index)
        outside = extent is not None or proto.data_location == onnx.TensorProto.EXTERNAL
        if not (outside or is_large(proto)):
            light.graph.initializer.add().CopyFrom(proto)
            continue
        weights[proto.name] = stored(proto, extent, folder)
        if proto.name not in declared:
            light.graph.input.append(helper.make_tensor_value_info(proto.name, proto.data_type, proto.dims))
    return light, weights


def _copy_field(message: object, name: str, value: object) -> None:
    target = getattr(message, name)
    if hasattr(target, "extend"):
        target.extend(value)
    elif hasattr(target, "CopyFrom"):
        target.CopyFrom(value)
    else:
        setattr(message, name, value)


def _graph(model: onnx.ModelProto, weights: dict[str, StoredValues]) -> gs.Graph:
    graph = gs.import_onnx(model)
    tensors = graph.tensors(check_duplicates=False)
    for tensor in graph.inputs:
        if tensor.name in weights:
            tensors.pop(tensor.name, None)
            tensor.to_constant(weights[tensor.name])
    graph.inputs = [tensor for tensor in graph.inputs if not isinstance(tensor, gs.Constant)]
    small = {proto.name: proto for proto in model.graph.initializer}
    for name, tensor in tensors.items():
        if isinstance(tensor, gs.Constant) and name in small:
            tensor.values = stored(small[name], None, None)
    # Shapes are inferred anew: those in the file may be of other sizes, or wrong.
    for node in graph.nodes:
        for tensor in node.outputs:
            if not node.domain or not tensor.shape:
                tensor.shape = None
    graph.cleanup(remove_unused_graph_inputs=False)
    return graph


def _sentence(error: Exception) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return text if text.endswith(".") else f"{text}."
