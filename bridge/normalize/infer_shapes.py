"""Static shapes for every tensor, by onnx's own shape inference.

The weights stay out of what is serialised for it: each large constant is given as an input of its shape.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs
from onnx import helper, numpy_helper, shape_inference

from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.infer_types import LARGEST_VALUE_READ, MADE_LIKE_FIRST_INPUT, value_info
from gluon2caffe.onnx2caffe.node import is_static
from gluon2caffe.onnx2caffe.surgeon import function_proto, node_proto


def infer_shapes(graph: gs.Graph) -> bool:
    """Fill in the shapes that are missing."""
    if all(is_static(tensor) for node in graph.nodes for tensor in node.outputs if tensor.name):
        return False
    model = light_model(graph)
    inferred = _inferred(model)
    tensors = graph.tensors()
    for info in (*inferred.graph.value_info, *inferred.graph.output):
        tensor = tensors.get(info.name)
        if tensor is None or isinstance(tensor, gs.Constant) or not info.type.HasField("tensor_type"):
            continue
        kind = info.type.tensor_type
        if kind.HasField("shape") and not is_static(tensor):
            tensor.shape = [d.dim_value if d.HasField("dim_value") else (d.dim_param or None) for d in kind.shape.dim]
        if tensor.dtype is None and kind.elem_type:
            tensor.dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return False


def _inferred(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes and types that onnx infers; ConversionError where they do not fit together."""
    try:
        return shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except shape_inference.InferenceError as error:
        reason = str(error).strip().splitlines()[0]
        raise ConversionError(f"The shapes of the graph do not fit together: {reason}") from error


def light_model(graph: gs.Graph) -> onnx.ModelProto:
    """The graph as a ModelProto without its weights: constants of many numbers become inputs."""
    nodes = []
    initializers: dict[str, onnx.TensorProto] = {}
    inputs = {tensor.name: value_info(tensor) for tensor in graph.inputs}
    for node in graph.nodes:
        nodes.append(_proto(node))
        for tensor in node.inputs:
            if not isinstance(tensor, gs.Constant) or tensor.name in initializers or tensor.name in inputs:
                continue
            if int(np.prod(tensor.shape)) <= LARGEST_VALUE_READ:
                initializers[tensor.name] = numpy_helper.from_array(np.asarray(tensor.values), tensor.name)
            else:
                inputs[tensor.name] = value_info(tensor)
    outputs = [value_info(tensor) for tensor in graph.outputs]
    # The rest onnx finds out again; what these make it cannot, or not without the values it depends on.
    made = [
        tensor for node in graph.nodes if node.domain for tensor in node.outputs if tensor.name and is_static(tensor)
    ]
    infos = [value_info(tensor) for tensor in made if not any(tensor is output for output in graph.outputs)]
    weights = list(initializers.values())
    proto = helper.make_graph(nodes, "shapes", list(inputs.values()), outputs, weights, value_info=infos)
    opsets = list(graph.import_domains) if graph.import_domains else [helper.make_opsetid("", graph.opset)]
    functions = [function_proto(f) for f in graph.functions]
    return helper.make_model(proto, opset_imports=opsets, functions=functions)


def _proto(node: gs.Node) -> onnx.NodeProto:
    if node.op in MADE_LIKE_FIRST_INPUT and not node.domain:
        return helper.make_node("Identity", [node.inputs[0].name], [node.outputs[0].name])
    proto = node_proto(node)
    # onnx says which node it cannot infer by this name alone.
    proto.name = node.name or node.outputs[0].name
    return proto
