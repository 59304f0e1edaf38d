"""End the graph in a softmax over its classes."""

from __future__ import annotations

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.names import Names
from gluon2caffe.ssd_heads.functions import DOMAIN as HEADS_DOMAIN


def append_softmax(graph: gs.Graph) -> bool:
    """Softmax over axis 1 behind the one output; nothing where it ends in one."""
    if len(graph.outputs) != 1:
        given = ", ".join(tensor.name for tensor in graph.outputs)
        raise ConversionError(f"softmax needs a net with one output; this one has {given}.")
    scores = graph.outputs[0]
    if scores.inputs and scores.inputs[0].op == "Softmax":
        return False
    if scores.inputs and scores.inputs[0].domain == HEADS_DOMAIN:
        raise ConversionError("softmax: a detection head has one of its own.")
    if len(scores.shape) < 2:
        raise ConversionError(f"softmax needs class scores (N, C, ...); the output is {tuple(scores.shape)}.")
    names = Names.of_graph(graph)
    name = names.new("softmax")
    result = gs.Variable(name, np.float32, scores.shape)
    if graph.opset >= 13 or len(scores.shape) == 2:
        graph.layer(op="Softmax", name=name, inputs=[scores], outputs=[result], attrs={"axis": 1})
    else:
        _softmax_by_last_axis(graph, scores, result, names)
    graph.outputs = [result]
    return True


def _softmax_by_last_axis(graph: gs.Graph, scores: gs.Tensor, result: gs.Tensor, names: Names) -> None:
    """Before opset 13 a Softmax runs over all axes from its own on, so the classes have to be the last one."""
    rank = len(scores.shape)
    to_last = [0, *range(2, rank), 1]
    turned_shape = [scores.shape[axis] for axis in to_last]
    turned = gs.Variable(names.new(f"{result.name}/turned"), np.float32, turned_shape)
    shares = gs.Variable(names.new(f"{result.name}/last"), np.float32, turned_shape)
    graph.layer(op="Transpose", name=turned.name, inputs=[scores], outputs=[turned], attrs={"perm": to_last})
    graph.layer(op="Softmax", name=shares.name, inputs=[turned], outputs=[shares], attrs={"axis": rank - 1})
    back = [0, rank - 1, *range(1, rank - 1)]
    graph.layer(op="Transpose", name=result.name, inputs=[shares], outputs=[result], attrs={"perm": back})
