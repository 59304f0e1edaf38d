"""Graphs that nnsmith draws, as ONNX models.

nnsmith chooses operators and solves for shapes that fit. Its own way to ONNX leads through PyTorch; here its graphs are
written as nodes directly, so that the solver and its rules are all that is needed (`pip install nnsmith`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gluon2caffe.onnx2caffe.left_out import LEFT_OUT

OPSET = 13
NODES = 6
MOST_ELEMENTS = 4000
SOLVER_MILLISECONDS = 3000

UNARY = {
    "ReLU": "Relu",
    "LeakyReLU": "LeakyRelu",
    "Sigmoid": "Sigmoid",
    "Abs": "Abs",
    "Neg": "Neg",
    "Sqrt": "Sqrt",
    "Sin": "Sin",
    "Cos": "Cos",
    "Atan": "Atan",
    "Ceil": "Ceil",
    "Floor": "Floor",
    "Round": "Round",
    "Flatten": "Flatten",
}
BINARY = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "MatMul", "Equal", "Greater", "Less", "And", "Or", "Xor")
REDUCE = ("ReduceMin", "ReduceMax", "ReduceMean", "ReduceProd")


class Writer:
    """An ONNX graph while nodes are added."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        """Add a node."""
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))

    def weight(self, *shape: int, low: float = -1.0, high: float = 1.0) -> str:
        """Add a float32 constant with random values."""
        return self.constant(self.random.uniform(low, high, shape).astype(np.float32))

    def ints(self, *values: int) -> str:
        """Add an int64 constant of one axis."""
        return self.constant(np.array(values, np.int64))

    def constant(self, values: np.ndarray[Any, Any]) -> str:
        """Add a constant."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name


Write = Callable[[Writer, Any, list[str], str], None]


def _conv1d(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
    weights = [writer.weight(op.out_channels, op.in_channels, op.kernel_size), writer.weight(op.out_channels)]
    pads, steps = [op.padding] * 2, {"strides": [op.stride], "dilations": [op.dilation]}
    writer.add("Conv", [*inputs, *weights], output, pads=pads, **steps)


def _conv2d(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
    kernel = (op.kernel_h_size, op.kernel_w_size)
    weights = [writer.weight(op.out_channels, op.in_channels, *kernel), writer.weight(op.out_channels)]
    steps = {"strides": [op.stride] * 2, "dilations": [op.dilation_h, op.dilation_w]}
    writer.add("Conv", [*inputs, *weights], output, pads=[op.padding] * 4, **steps)


def _pool(operator: str) -> Write:
    def write(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
        kernel = [op.kernel_h_size, op.kernel_w_size]
        counted = {"count_include_pad": 1} if operator == "AveragePool" else {}
        steps = {"strides": [op.stride] * 2, "pads": [op.padding] * 4}
        writer.add(operator, inputs, output, kernel_shape=kernel, **steps, **counted)

    return write


def _batch_norm(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
    weights = [writer.weight(op.nfeat) for _ in range(3)] + [writer.weight(op.nfeat, low=0.5, high=2.0)]
    writer.add("BatchNormalization", [*inputs, *weights], output)


def _pad(mode: str) -> Write:
    def write(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
        # PyTorch's order: the last axis first, begin and end beside each other.
        rank, given = op.input_like[0].ndims, op.padding_list
        pads = [[0] * rank, [0] * rank]
        for axis in range(len(given) // 2):
            pads[0][rank - 1 - axis], pads[1][rank - 1 - axis] = given[2 * axis : 2 * axis + 2]
        value = [writer.constant(np.array(0.5, np.float32))] if mode == "constant" else []
        writer.add("Pad", [*inputs, writer.ints(*pads[0], *pads[1]), *value], output, mode=mode)

    return write


def _slice(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
    axis, length = op.extra_attrs["axis"], op.input_like[0].shape[op.extra_attrs["axis"]]
    start = 0 if op.start is None else op.start
    end = length if op.end is None else op.end
    places = [writer.ints(value) for value in (start, end, axis, op.step or 1)]
    writer.add("Slice", [*inputs, *places], output)


def _transpose(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
    rank = op.input_like[0].ndims
    order = list(range(rank))
    first, second = (op.extra_attrs[name] % rank for name in ("dim0", "dim1"))
    order[first], order[second] = order[second], order[first]
    writer.add("Transpose", inputs, output, perm=order)


def _to_output_shape(operator: str) -> Write:
    def write(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
        writer.add(operator, [*inputs, writer.ints(*op.output_like[0].shape)], output)

    return write


def _resize(mode: str) -> Write:
    def write(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
        sizes = writer.ints(*op.output_like[0].shape)
        form = "asymmetric" if mode == "nearest" else "half_pixel"
        rounding = {"nearest_mode": "floor"} if mode == "nearest" else {}
        node = {"mode": mode, "coordinate_transformation_mode": form, **rounding}
        writer.add("Resize", [*inputs, "", "", sizes], output, **node)

    return write


def _reduce(operator: str) -> Write:
    def write(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
        axis = op.extra_attrs.get("reduce_dim")
        axes = list(range(op.input_like[0].ndims)) if axis is None else [axis]
        writer.add(operator, inputs, output, axes=axes, keepdims=0)

    return write


def _with_axes(operator: str, **attributes: Any) -> Write:
    def write(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
        axis = op.extra_attrs.get("reduce_dim")
        axes = [] if axis is None else [writer.ints(axis)]
        writer.add(operator, [*inputs, *axes], output, **attributes)

    return write


def _plain(operator: str, **attributes: Any) -> Write:
    return lambda writer, op, inputs, output: writer.add(operator, inputs, output, **attributes)


def _prelu(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
    writer.add("PRelu", [*inputs, writer.weight(1)], output)


def _clip(writer: Writer, op: Any, inputs: list[str], output: str) -> None:
    bounds = [writer.constant(np.array(value, np.float32)) for value in (-1.5, 1.5)]
    writer.add("Clip", [*inputs, *bounds], output)


WRITERS: dict[str, Write] = {
    **{name: _plain(operator) for name, operator in UNARY.items()},
    **{name: _plain(name) for name in BINARY},
    **{name: _reduce(name) for name in REDUCE},
    "ReduceSum": _with_axes("ReduceSum", keepdims=0),
    "Squeeze": _with_axes("Squeeze"),
    "Where": _plain("Where"),
    "PReLU": _prelu,
    "Clip": _clip,
    "Softmax": lambda writer, op, inputs, output: writer.add("Softmax", inputs, output, axis=op.dim),
    "MaxPool2d": _pool("MaxPool"),
    "AvgPool2d": _pool("AveragePool"),
    "Conv1d": _conv1d,
    "NCHWConv2d": _conv2d,
    "BatchNorm2d": _batch_norm,
    "Slice": _slice,
    "ConstPad": _pad("constant"),
    "ReplicatePad": _pad("edge"),
    "ReflectPad": _pad("reflect"),
    "Reshape": _to_output_shape("Reshape"),
    **{f"ExpandLast{axes}": _to_output_shape("Expand") for axes in range(1, 5)},
    "Transpose": _transpose,
    "NearestInterp": _resize("nearest"),
    "LinearInterp": _resize("linear"),
    "BilinearInterp": _resize("linear"),
    **{
        f"Concat{count}": lambda writer, op, inputs, output: writer.add(
            "Concat", inputs, output, axis=op.extra_attrs["axis"]
        )
        for count in range(1, 6)
    },
}


def drawn_model(seed: int) -> onnx.ModelProto | None:
    """The model of a seed; None where the solver finds none in its time, or it has no float outputs."""
    from nnsmith.abstract.dtype import DType
    from nnsmith.abstract.op import FULL_OPERATOR_SETS
    from nnsmith.graph_gen import model_gen

    # What is refused anyway would leave little to compare.
    opset = [
        op
        for op in FULL_OPERATOR_SETS["core"]
        if op.__name__ in WRITERS and UNARY.get(op.__name__, op.__name__) not in LEFT_OUT
    ]
    try:
        generator = model_gen(
            opset=opset,
            method="symbolic",
            seed=seed,
            max_nodes=NODES,
            timeout_ms=SOLVER_MILLISECONDS,
            max_elem_per_tensor=MOST_ELEMENTS,
            rank_choices=[4] if seed % 2 else [2, 3, 4],  # else few pooling windows and convolutions are drawn
            dtype_choices=[DType.float32, DType.bool],
        )
        graph = generator.make_concrete()
    except Exception:  # nnsmith's own checks fail on some draws; whatever is raised, there is no graph to judge
        return None
    return _written(graph, seed)


def _written(graph: Any, seed: int) -> onnx.ModelProto | None:
    writer = Writer(seed)
    types = {"float32": TensorProto.FLOAT, "bool": TensorProto.BOOL}
    # Some constants come in half precision whatever is asked for.
    if any(kind.dtype.name not in types for kind in graph.vars.values()):
        return None

    def info(name: str) -> onnx.ValueInfoProto:
        kind = graph.vars[name]
        return helper.make_tensor_value_info(name, types[kind.dtype.name], list(kind.shape))

    inputs = []
    for inst in graph.insts:
        op, (output, *_) = inst.iexpr.op, inst.retvals()
        name = type(op).__name__
        if name == "Input":
            inputs.append(info(output))
        elif name == "Constant":
            kind = graph.vars[output]
            values = writer.random.uniform(-1, 1, kind.shape)
            values = values > 0 if kind.dtype.name == "bool" else values.astype(np.float32)
            writer.add("Identity", [writer.constant(values)], output)
        else:
            WRITERS[name](writer, op, list(inst.iexpr.args), output)
    outputs = [info(name) for name in graph.leaf_var() if not any(name == each.name for each in inputs)]
    if not inputs or not outputs:
        return None
    made = helper.make_graph(writer.nodes, "net", inputs, outputs, writer.constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
