"""What a graph may hold: float numbers, and integers only where they are shapes and the like."""

from __future__ import annotations

import math

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.onnx_source.structure import MOST_NUMBERS
from gluon2caffe.bridge.onnx_source.weights import StoredValues
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.surgeon import SparseValues, stored
from gluon2caffe.onnx2caffe.write import check_size

_QUANTISED = ("QLinear", "Quantize", "Dequantize", "DynamicQuantize", "ConvInteger", "MatMulInteger", "QGemm")


def refuse_quantised(graph: gs.Graph) -> None:
    """Refuse nodes that compute with quantised numbers."""
    found = [node for node in graph.nodes if node.op.startswith(_QUANTISED)]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise SourceError(
            f"The model is quantised ({found[0].op} {found[0].outputs[0].name!r}{more}); Caffe computes in float32: "
            "convert the float model that it was made from."
        )


def refuse_odd_values(graph: gs.Graph) -> None:
    """Refuse constants, inputs and Constant nodes that hold no plain numbers."""
    for tensor in graph.tensors().values():
        values = stored(tensor) if isinstance(tensor, gs.Constant) else None
        if isinstance(values, SparseValues):
            raise SourceError(f"The values of {tensor.name!r} are sparse: write them as a dense tensor.")
        if isinstance(values, StoredValues) and not values.is_numeric:
            values.load()  # it says why it cannot
    for tensor in graph.inputs:
        if tensor.type != "tensor_type":
            raise SourceError(f"Input {tensor.name!r} is no tensor ({tensor.type or 'of no type'}).")
        if not isinstance(tensor.dtype, (np.dtype, type)) or np.dtype(tensor.dtype).kind not in "fiub":
            raise SourceError(f"Input {tensor.name!r} is of a type that Caffe does not have; it takes float32.")


def refuse_impossible_blobs(graph: gs.Graph) -> None:
    """Refuse computed tensors with no number in them, or with more than a Caffe blob can have."""
    for node in graph.nodes:
        for tensor in node.outputs:
            if not tensor.name or tensor.shape is None:
                continue
            lengths = [int(length) for length in tensor.shape if isinstance(length, (int, np.integer))]
            if min(lengths, default=1) > 0 and math.prod(lengths) <= MOST_NUMBERS:
                continue
            reason = "cannot be empty" if min(lengths) <= 0 else f"holds at most {MOST_NUMBERS:,} numbers"
            raise SourceError(
                f"Tensor {tensor.name!r}, which node {node.name!r} ({node.op}) makes, has the shape "
                f"{list(tensor.shape)}: a Caffe blob {reason}."
            )


def check_weights_fit(graph: gs.Graph) -> None:
    """Refuse more weights than a .caffemodel can hold, before any of them is read."""
    sizes: dict[str, tuple[str, int]] = {}
    for node in graph.nodes:
        for tensor in node.inputs:
            if isinstance(tensor, gs.Constant) and isinstance(tensor.dtype, np.dtype) and tensor.dtype.kind == "f":
                sizes.setdefault(tensor.name, (node.outputs[0].name, 4 * int(np.prod(tensor.shape, dtype=object))))
    check_size(sizes.values())
