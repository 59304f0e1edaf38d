"""From an .onnx file or a ModelProto to the graph that stands in it, weights by reference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnx_graphsurgeon as gs
from onnx import helper

from gluon2caffe.bridge.onnx_source.file import ModelFile, read_file
from gluon2caffe.bridge.onnx_source.functions import inline_functions
from gluon2caffe.bridge.onnx_source.structure import check_structure, check_unique
from gluon2caffe.bridge.onnx_source.weights import StoredValues, is_large, stored
from gluon2caffe.bridge.origins import read_sources, record
from gluon2caffe.onnx2caffe.errors import ConversionError, SourceError
from gluon2caffe.onnx2caffe.graph_pass import PassError
from gluon2caffe.onnx2caffe.surgeon import remove_dead, silent


@contextmanager
def reading(title: str) -> Iterator[None]:
    """Turn what the libraries raise over a damaged model into a SourceError that names the model.

    Such an exception is chained to it, so that an error of this program can be told from one of the file.
    """
    try:
        with silent():
            yield
    except PassError as error:
        raise SourceError(f"{title} is not a valid ONNX model: {_sentence(error.__cause__ or error)}") from error
    except (ConversionError, MemoryError):
        raise
    except Exception as error:
        raise SourceError(f"{title} is not a valid ONNX model: {_sentence(error)}") from error


def open_model(source: Path | onnx.ModelProto) -> gs.Graph:
    """Read a model: its graph as it stands in the file, functions inlined, weights by reference.

    Args:
        source: an .onnx file, with weights in it or in files beside it, or a model, which stays as it is.

    Raises:
        SourceError: the model cannot be read or is not valid; the message says which piece.
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
    return graph


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
    # Shapes and types are inferred anew: those in the file may be of other sizes, or wrong. The type of an output is
    # compared with what is inferred.
    ends = set(map(id, graph.outputs))
    for node in graph.nodes:
        for tensor in node.outputs:
            if not node.domain or not tensor.shape:
                tensor.shape = None
            if not node.domain and id(tensor) not in ends:
                tensor.dtype = None
    remove_dead(graph)
    return graph


def _sentence(error: BaseException) -> str:
    text = str(error).strip().split("\n")[0] or type(error).__name__
    return text if text.endswith(".") else f"{text}."
