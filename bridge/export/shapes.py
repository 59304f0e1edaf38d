"""Static shapes of all tensors of a symbol, from those of its inputs and parameters forwards, without MXNet."""

from collections.abc import Mapping
from math import prod

from gluon2caffe.bridge.export.operators import (
    SHAPE_RULES,
    Input,
    NodeReader,
    NotExactError,
    OpenShapeError,
    ShapeError,
)
from gluon2caffe.bridge.export.operators.input_counts import check_input_count
from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolGraph, SymbolNode
from gluon2caffe.onnx2caffe.errors import SourceError

# Operators whose several outputs MXNet calls by name, the first of them "output"; those of others are numbered.
_FIRST_IS_OUTPUT = ("BatchNorm", "GroupNorm", "LayerNorm", "LeakyReLU", "RNN", "_contrib_SyncBatchNorm")
_LARGEST = 2**31  # values of a tensor; MXNet's usual builds hold no more


def add_shapes(graph: SymbolGraph, known: Mapping[str, Shape]) -> None:
    """Fill ``tensors`` and ``shapes`` of every node.

    A node without a rule, and all that depend on it, get none; so do nodes whose attributes have no translation.

    Args:
        graph: unique names.
        known: shapes of all variables that have one.

    Raises:
        SourceError: the shapes do not fit together; the first node where they do not is named.
    """
    for node in graph.nodes:
        node.shapes = _known(known, node.name) if node.is_variable else _outputs(graph, node)
        node.tensors = tensor_names(node, len(node.shapes))


def tensor_names(node: SymbolNode, count: int) -> list[str]:
    """Name the outputs of a node: its own name, followed by the output's number where there are several."""
    names = [f"{node.name}{index}" for index in range(count)]
    if (count == 1 and not _has_hidden_output(node)) or node.op in _FIRST_IS_OUTPUT:
        names[:1] = [node.name]
    return names


def _has_hidden_output(node: SymbolNode) -> bool:
    """Whether the one visible output is numbered all the same: there is another, or MXNet forgot to say its name."""
    return node.op in ("_contrib_box_nms", "make_loss") or (node.op == "topk" and node.attrs.get("ret_typ") == "value")


def _known(known: Mapping[str, Shape], name: str) -> list[Shape]:
    return [known[name]] if name in known else []


def _outputs(graph: SymbolGraph, node: SymbolNode) -> list[Shape]:
    if node.op == "RNN":
        _complete_states(graph, node)
    rule = SHAPE_RULES.get(node.op)
    producers = [(graph.nodes[source], output) for source, output in node.inputs]
    if rule is None or any(output >= len(producer.shapes) for producer, output in producers):
        return []
    inputs = [Input(producer.tensors[output], producer.shapes[output], False) for producer, output in producers]
    try:
        reader = NodeReader(node, inputs)
        check_input_count(reader)
        shapes = list(rule(reader))
        if any(not shape or min(shape) < 1 or prod(shape) >= _LARGEST for shape in shapes):
            raise ShapeError(f"its output would have shapes {shapes[:3]}")
    except NotExactError:
        return []
    except OpenShapeError:
        return []
    except ShapeError as error:
        raise SourceError(f"{node.name} ({node.op}): {error}") from error
    return shapes


def _complete_states(graph: SymbolGraph, node: SymbolNode) -> None:
    """Give the zeros that an RNN begins with their shape, whose batch is left open, as MXNet infers it backwards."""
    data = graph.nodes[node.inputs[0][0]].shapes
    for source, _ in node.inputs[2:]:
        zeros = graph.nodes[source]
        if zeros.op in ("_zeros", "_zeros_without_dtype") and not zeros.shapes and data:
            layers, _, hidden = NodeReader(zeros, []).integers("shape", (0, 0, 0))
            zeros.shapes = [(layers, data[0][1], hidden)]
            zeros.tensors = tensor_names(zeros, 1)
