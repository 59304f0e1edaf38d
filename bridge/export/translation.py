"""Translating the nodes of a symbol one by one with our own translators, whoever walks through them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.helper

from gluon2caffe.bridge.export.operators import (
    SHAPE_RULES,
    TRANSLATORS,
    Input,
    NodeReader,
    NotExactError,
    Operator,
    ShapeError,
)
from gluon2caffe.bridge.export.operators.refused import refusal_reason
from gluon2caffe.bridge.frontier import cut_of_symbol
from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolGraph, SymbolNode
from gluon2caffe.bridge.mxnet_files.unknown import why_unknown
from gluon2caffe.onnx2caffe.errors import SourceError


@dataclass
class Translation:
    """ONNX nodes of a symbol, and beside them everything known about their tensors."""

    proto: onnx.GraphProto
    constants: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    views: dict[str, tuple[str, Shape]] = field(default_factory=dict)  # a parameter in another shape
    shapes: dict[str, Shape] = field(default_factory=dict)
    dtypes: dict[str, np.dtype[Any]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)  # tensor -> the node of the symbol it was made for
    cut_like: dict[str, str] = field(default_factory=dict)  # tensor -> the one whose rows and columns it is cut to
    size_reasons: dict[str, tuple[str, ...]] = field(default_factory=dict)  # tensor -> why it holds for one size only


class NodeTranslator:
    """Translates nodes in their order; collects what is known of their tensors, and refusals."""

    def __init__(self, graph: SymbolGraph, parameters: set[str]) -> None:
        """Prepare for a graph with shapes whose variables called `parameters` are constants."""
        self.graph = graph
        self.result = Translation(onnx.GraphProto())
        self.refusals: list[str] = []
        self._refused: list[int] = []
        self._parameters = parameters
        self._readers: dict[int, list[str]] = defaultdict(list)
        self._read = set(graph.heads)
        for node in graph.nodes:
            self._read.update(node.inputs)
            for source, _ in node.inputs:
                self._readers[source].append(node.op)

    def translate(self, index: int) -> Operator | None:
        """Translate node number `index`; None where that cannot be exact, which is then among the refusals."""
        node = self.graph.nodes[index]
        try:
            if node.op not in TRANSLATORS:
                raise NotExactError(_why_not(node.op))
            inputs = self._inputs(node)
            if not node.shapes:
                _refuse_without_shape(node, inputs)
            operator = Operator(node, inputs, self._readers[index])
            TRANSLATORS[node.op](operator)
            self._check_outputs(node, index, operator)
        except NotExactError as error:
            self.refusals.append(self._describe(node, error))
            self._refused.append(index)
            return None
        result = self.result
        result.constants.update(operator.constants)
        result.views.update(operator.views)
        result.sources.update({name: node.name for each in operator.nodes for name in each.output})
        if operator.size_reasons:
            made = [name for each in operator.nodes for name in each.output]
            result.size_reasons.update(dict.fromkeys(made, tuple(operator.size_reasons)))
        if operator.cut_like is not None:
            result.cut_like[operator.nodes[-1].output[0]] = operator.cut_like
        result.shapes.update(operator.shapes)
        result.dtypes.update(operator.dtypes)
        return operator

    def finish(self, name: str, proto: onnx.GraphProto) -> Translation:
        """Return the whole translation.

        Raises:
            SourceError: some operators have no exact translation; the message lists all of them.
        """
        if self.refusals:
            error = SourceError(refusal(name, self.refusals))
            error.cut = cut_of_symbol(self.graph, self._refused, self._parameters)
            raise error
        self.result.proto = proto
        return self.result

    def _check_outputs(self, node: SymbolNode, index: int, operator: Operator) -> None:
        """Raise where an output is read that was not made: it exists only in training."""
        made = operator.constants.keys() | {name for onnx_node in operator.nodes for name in onnx_node.output}
        for number, name in enumerate(node.tensors):
            if name not in made and (index, number) in self._read:
                raise NotExactError(f"its output {number} is read, which matters only in training")

    def _inputs(self, node: SymbolNode) -> list[Input]:
        found = []
        for source, output in node.inputs:
            producer = self.graph.nodes[source]
            if output >= len(producer.tensors):
                raise NotExactError(f"reads output {output} of {producer.name}, which exists only in training")
            name = producer.tensors[output]
            found.append(Input(name, producer.shapes[output], name in self._parameters))
        return found

    def _describe(self, node: SymbolNode, error: Exception) -> str:
        shapes = [self.graph.nodes[source].shapes[:1] for source, _ in node.inputs[:1]]
        shape = f" on {shapes[0][0]}" if shapes and shapes[0] else ""
        return f"{node.name} ({node.op}{shape}): {error}"


def _why_not(operator: str) -> str:
    reason = refusal_reason(operator)
    return f"no translation: {reason}" if reason else why_unknown(operator)


def _refuse_without_shape(node: SymbolNode, inputs: list[Input]) -> None:
    """Ask the rule once more why it gave no shape."""
    try:
        SHAPE_RULES[node.op](NodeReader(node, inputs))
    except ShapeError as error:
        raise NotExactError(str(error)) from error
    raise NotExactError("its shape is not known")


def refusal(name: str, reasons: Iterable[str]) -> str:
    """Say that operators cannot be translated, with one line for each."""
    listed = "\n  ".join(reasons)
    return f"{name} has operators without an exact ONNX form:\n  {listed}"


def translate(graph: SymbolGraph, parameters: set[str], name: str) -> Translation:
    """Translate a symbol with shapes to ONNX nodes, opset 13, without MXNet; no weight is touched.

    Nodes that depend on one without shapes are not looked at.

    Raises:
        SourceError: some operators have no exact translation; the message lists all of them.

    """
    translator = NodeTranslator(graph, parameters)
    proto = onnx.GraphProto(name=name)
    unknown: set[int] = set()
    for index, node in enumerate(graph.nodes):
        if node.is_variable:
            continue
        if any(source in unknown for source, _ in node.inputs) and node.op in TRANSLATORS:
            unknown.add(index)
            continue
        operator = translator.translate(index)
        if operator is None or not node.shapes:
            unknown.add(index)
        else:
            proto.node.extend(operator.nodes)
    return translator.finish(name, proto)
