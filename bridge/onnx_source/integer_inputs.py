"""Inputs of whole numbers or truth values, which a Caffe net takes as float32.

Whole numbers that are moved and then cast to float are the same numbers all along. Arithmetic with them is another: in
ONNX it wraps around or rounds.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError

# They move numbers, and compute none. Only their first input is moved.
# fmt: off
_MOVING = frozenset(
    {
        "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "SpaceToDepth", "Split",
        "Squeeze", "Tile", "Transpose", "Unsqueeze",
    }
)
# fmt: on


def integers_as_float32(graph: gs.Graph) -> list[str]:
    """Let integer and boolean inputs that are still read be float32; drop the others; return notes.

    Raises:
        SourceError: integers are computed with, or given as they are.
    """
    notes = []
    for tensor in list(graph.inputs):
        dtype = np.dtype(tensor.dtype)
        if dtype.kind == "f":
            continue
        if not tensor.outputs and not any(tensor is output for output in graph.outputs):
            graph.inputs.remove(tensor)
            continue
        if dtype.kind == "b":
            _cast_to_truth(graph, tensor)
            notes.append(f"input {tensor.name} holds truth values; the Caffe net takes 0 for false, else true")
        else:
            for moved in _moved(graph, tensor):
                moved.dtype = np.dtype(np.float32)
            notes.append(f"input {tensor.name} is {dtype} in the source; the Caffe net takes the numbers as float32")
    return notes


def _cast_to_truth(graph: gs.Graph, tensor: gs.Variable) -> None:
    truth = gs.Variable(f"{tensor.name}/truth", dtype=np.dtype(bool), shape=list(tensor.shape))
    readers = list(tensor.outputs)
    if any(tensor is output for output in graph.outputs):
        raise SourceError(f"Output {tensor.name!r} is an input as it stands.")
    for reader in readers:
        reader.inputs = [truth if read is tensor else read for read in reader.inputs]
    tensor.dtype = np.dtype(np.float32)
    cast = gs.Node("Cast", truth.name, {"to": int(onnx.TensorProto.BOOL)}, inputs=[tensor], outputs=[truth])
    graph.nodes.insert(0, cast)


def _moved(graph: gs.Graph, tensor: gs.Variable) -> list[gs.Variable]:
    """The tensor, and what it becomes on the way to the casts."""
    found, waiting = [tensor], [tensor]
    while waiting:
        current = waiting.pop()
        if any(current is output for output in graph.outputs):
            raise SourceError(_refusal(tensor, f"output {current.name!r} is made of it unchanged"))
        for node in current.outputs:
            if node.op == "Cast" and node.attrs.get("to") == onnx.TensorProto.FLOAT:
                continue
            moves = node.op in _MOVING and not node.domain and sum(current is read for read in node.inputs) == 1
            if not moves or node.inputs[0] is not current:
                raise SourceError(_refusal(tensor, f"{node.op} {node.name or node.outputs[0].name!r} computes with it"))
            found += node.outputs
            waiting += node.outputs
    return found


def _refusal(tensor: gs.Variable, why: str) -> str:
    return (
        f"Input {tensor.name!r} is {np.dtype(tensor.dtype)}, and {why}; a Caffe net takes float32. Cut the graph "
        "behind what reads it, or export the model with a float input."
    )
