"""From a traced net to an ONNX graph whose weights are numpy arrays held by reference."""

from typing import Any

import numpy as np
import onnx
import onnx.helper
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.export.mx2onnx import IR_VERSION, OPSET
from gluon2caffe.bridge.export.mx2onnx_driver import translate_through_mxnet
from gluon2caffe.bridge.export.operators.detection import DOMAIN
from gluon2caffe.bridge.export.traced import TracedNet
from gluon2caffe.bridge.export.translation import Translation, refusal, translate
from gluon2caffe.bridge.export.weights import own_values
from gluon2caffe.bridge.frontier import cut_of_graph
from gluon2caffe.bridge.mxnet_files.graph import SymbolGraph
from gluon2caffe.bridge.origins import record
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.sizes.marks import bind, cut_like


def export_graph(traced: TracedNet, *, allow_non_finite: bool = False) -> Any:
    """Export a traced net as an ``onnx_graphsurgeon.Graph``, opset 13, IR version 8.

    Tensors are called as the nodes of the symbol and carry static shapes; nodes are called as their first output.
    The inputs are the data inputs, the outputs are those of `traced` in their order. Operators of detectors become
    nodes of the domain ``mxnet``. Weights are constants whose values are
    writable float32 arrays: copied out of MXNet once, or private views of a file.

    Raises:
        SourceError: operators without an exact ONNX form (all of them are listed), shapes that do not fit, NaN or
            infinite weights without `allow_non_finite`.

    """
    symbol_graph = traced.graph
    driver = translate if traced.from_files else translate_through_mxnet
    translation = driver(symbol_graph, set(traced.params), traced.name)
    domains = {"": OPSET, **({DOMAIN: 1} if any(node.domain for node in translation.proto.node) else {})}
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in domains.items()]
    model = onnx.helper.make_model(translation.proto, opset_imports=opsets)
    graph = gs.import_onnx(model)
    graph.name, graph.ir_version = traced.name, IR_VERSION
    graph.inputs = []  # mxnet.onnx lists every weight there, used or not
    tensors = graph.tensors()
    for source, index in symbol_graph.heads:  # no node reads or makes an output that is a parameter or an input
        name = symbol_graph.nodes[source].tensors[index]
        tensors.setdefault(name, gs.Variable(name))
    _fill_constants(tensors, traced, translation, allow_non_finite=allow_non_finite)
    _fill_shapes(graph, tensors, translation)
    graph.inputs = [_input(tensors, name, shape) for name, shape in traced.input_shapes.items()]
    tensors.update({tensor.name: tensor for tensor in graph.inputs})
    _set_outputs(graph, tensors, symbol_graph, traced.outputs)
    return graph


def refuse_mxnet_nodes(graph: Any, name: str) -> None:
    """Raise where nodes of the domain ``mxnet`` are left, which nothing but a head as a whole can be made of.

    Raises:
        SourceError: there are some; all of them are listed.
    """
    left = [node for node in graph.nodes if node.domain == DOMAIN]
    if left:
        listed = (
            f"{node.name} ({node.op} on {tuple(node.inputs[0].shape)}): no translation, and no head of a detector is "
            "recognised here"
            for node in left
        )
        error = SourceError(refusal(name, listed))
        error.cut = cut_of_graph(graph, lambda node: node.domain == DOMAIN)
        raise error


def _fill_constants(
    tensors: dict[str, Any], traced: TracedNet, translation: Translation, *, allow_non_finite: bool
) -> None:
    """Turn every tensor that is not computed into a constant; only here are parameters copied."""
    copies: dict[str, np.ndarray[Any, Any]] = {}

    def copy_of(name: str) -> np.ndarray[Any, Any]:
        if name not in copies:
            copies[name] = own_values(
                name, traced.params[name], allow_non_finite=allow_non_finite, from_file=traced.from_files
            )
        return copies[name]

    for name, tensor in tensors.items():
        if name in translation.constants:
            tensor.to_constant(translation.constants[name])
        elif name in translation.views:
            parameter, shape = translation.views[name]
            view = copy_of(parameter).reshape(shape)
            # Later stages write into weights that have one reader; two tensors must not share their numbers.
            tensor.to_constant(view.copy() if _uses(parameter, tensors, translation) > 1 else view)
        elif name in traced.params:
            tensor.to_constant(copy_of(name))


def _uses(parameter: str, tensors: dict[str, Any], translation: Translation) -> int:
    """Number of tensors that hold a parameter, as it is or in another shape."""
    views = sum(name in tensors and source == parameter for name, (source, _) in translation.views.items())
    return views + (parameter in tensors)


def _fill_shapes(graph: Any, tensors: dict[str, Any], translation: Translation) -> None:
    for node in graph.nodes:
        node.name = node.outputs[0].name
        record(node, (translation.sources.get(node.name, node.name),))
        for reason in translation.size_reasons.get(node.name, ()):
            bind(node, reason)
        like = tensors.get(translation.cut_like.get(node.name, ""))
        if like is not None:
            cut_like(node, like)
        for tensor in node.outputs:
            tensor.shape = list(translation.shapes[tensor.name])
            tensor.dtype = translation.dtypes.get(tensor.name, np.dtype(np.float32))


def _input(tensors: dict[str, Any], name: str, shape: tuple[int, ...]) -> Any:
    tensor = tensors.get(name) or gs.Variable(name)
    tensor.shape, tensor.dtype = list(shape), np.dtype(np.float32)
    return tensor


def _set_outputs(graph: Any, tensors: dict[str, Any], symbol_graph: SymbolGraph, names: tuple[str, ...]) -> None:
    """List the outputs; one that is an input, a constant or listed twice is copied by an Identity."""
    graph.outputs = []
    for (source, index), name in zip(symbol_graph.heads, names, strict=True):
        producer = symbol_graph.nodes[source]
        tensor, shape = tensors[producer.tensors[index]], producer.shapes[index]
        if isinstance(tensor, gs.Constant) and tensor.name == name:
            # A constant cannot be an output: its name goes to the copy.
            tensor.name = f"{name}/value"
        if tensor.name != name:
            output = gs.Variable(name, np.dtype(np.float32), list(shape))
            graph.nodes.append(gs.Node("Identity", name, inputs=[tensor], outputs=[output]))
            tensor = output
        graph.outputs.append(tensor)
