"""Outputs that a Caffe net does not give: constants, and what is cast to integers at the very end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_graphsurgeon as gs
from onnx import helper

from gluon2caffe.onnx2caffe.surgeon import remove_dead

_INTEGERS = frozenset(
    int(getattr(onnx.TensorProto, name))
    for name in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
)


@dataclass
class OutputsAside:
    """What became of the outputs of a graph.

    Attributes:
        ends: the tensors of the source whose values the outputs hold, where those are no longer the source's own
            outputs; None where they are.
        arrays: name -> the constant that the source gives as an output, saved beside the model.
        notes: a sentence for each output.
    """

    ends: tuple[str, ...] | None = None
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def set_outputs_aside(graph: gs.Graph, aside: OutputsAside) -> bool:
    """Leave constants out, and end before casts of floats to integers; say in `aside` what was done.

    A graph of which nothing would be left stays as it is, and is refused when it is lowered.
    """
    kept: list[gs.Tensor] = []
    done = OutputsAside()
    for tensor in graph.outputs:
        if isinstance(tensor, gs.Constant):
            done.arrays[tensor.name] = np.asarray(tensor.values)
            done.notes.append(f"output {tensor.name} is a constant of the source, saved as an array and not computed")
            continue
        cast = _cast_to_integers(tensor)
        if cast is None:
            kept.append(tensor)
            continue
        before = cast.inputs[0]
        made = f"output {tensor.name} is {before.name} cast to {_type_name(cast)}, towards zero"
        if not before.inputs:
            done.notes.append(f"{made}; {before.name} is an input, so it is left out")
            continue
        done.notes.append(f"{made}; the Caffe net gives {before.name} as it is before the cast")
        if not any(before is other for other in (*kept, *graph.outputs)):
            kept.append(before)
    if not kept or not done.notes:
        return False
    graph.outputs = kept
    remove_dead(graph)
    aside.ends = tuple(tensor.name for tensor in kept)
    aside.arrays.update(done.arrays)
    aside.notes += done.notes
    return True


def _cast_to_integers(tensor: gs.Tensor) -> gs.Node | None:
    """The cast of floats that only makes this output; None where another node does, or its result is read."""
    if len(tensor.inputs) != 1 or tensor.outputs:
        return None
    (node,) = tensor.inputs
    if node.op != "Cast" or node.domain or node.attrs.get("to") not in _INTEGERS:
        return None
    before = node.inputs[0]
    floats = before.dtype is not None and not isinstance(before.dtype, int) and np.dtype(before.dtype).kind == "f"
    return node if floats and isinstance(before, gs.Variable) else None


def _type_name(cast: gs.Node) -> str:
    return str(np.dtype(helper.tensor_dtype_to_np_dtype(cast.attrs["to"])))
