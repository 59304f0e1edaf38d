"""Running mxnet.onnx over a symbol, with our translations in the places of the wrong and the missing ones."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx.helper

from gluon2caffe.bridge.export.mx2onnx import OPSET, Converter, patched_mx2onnx
from gluon2caffe.bridge.export.operators import TRANSLATORS, Input, NotExactError, Operator
from gluon2caffe.bridge.export.symbol_graph import VARIABLE, Shape, SymbolGraph, SymbolNode
from gluon2caffe.onnx2caffe.errors import SourceError

# Operators whose translation in mxnet.onnx is right for every shape and attribute: one node, one output.
# fmt: off
TRUSTED = frozenset((
    "Activation", "relu", "sigmoid", "tanh", "exp", "log", "sqrt", "abs", "negative",
    "reciprocal", "floor", "ceil", "cos", "sin", "tan", "arccos", "arcsin", "arctan",
    "elemwise_add", "elemwise_sub", "elemwise_mul", "elemwise_div",
    "broadcast_add", "broadcast_sub", "broadcast_mul", "broadcast_div",
    "_power", "broadcast_power", "_maximum", "_minimum", "add_n",
    "Flatten", "Dropout", "_copy", "BlockGrad", "MakeLoss",
))
# fmt: on


@dataclass
class Translation:
    """ONNX nodes of a symbol, and beside them everything known about their tensors."""

    proto: onnx.GraphProto
    constants: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    views: dict[str, tuple[str, Shape]] = field(default_factory=dict)  # a parameter in another shape
    shapes: dict[str, Shape] = field(default_factory=dict)
    dtypes: dict[str, np.dtype[Any]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)  # tensor -> the node of the symbol it was made for


class _Weightless:
    """Stand in for every array: mxnet.onnx asks for its values, and our converters never look at them."""

    def asnumpy(self) -> None:
        return None


class _Prepared:
    """Stand in for the symbol, so that mxnet.onnx infers nothing a second time."""

    def __init__(self, graph: SymbolGraph) -> None:
        self._nodes = [
            {"op": node.op, "name": node.name, "attrs": node.attrs, "inputs": [[*entry, 0] for entry in node.inputs]}
            for node in graph.nodes
        ]

    def tojson(self) -> str:
        return json.dumps({"nodes": self._nodes})

    def get_internals(self) -> list[Any]:
        return [SimpleNamespace(name="")]

    def list_inputs(self) -> list[str]:
        return []

    list_outputs = list_inputs

    def infer_shape(self) -> tuple[None, list[Shape], None]:
        return None, [], None

    infer_type = infer_shape


class _Translator:
    """The one converter registered for every operator of the symbol: finds who translates it, collects refusals."""

    def __init__(self, graph: SymbolGraph, parameters: set[str], stock: dict[str, Converter]) -> None:
        self._graph = graph
        self._parameters = parameters
        self._stock = stock
        self._readers: dict[int, list[str]] = defaultdict(list)
        self._read = set(graph.heads)
        for node in graph.nodes:
            self._read.update(node.inputs)
            for source, _ in node.inputs:
                self._readers[source].append(node.op)
        self.result = Translation(onnx.GraphProto())
        self.refusals: list[str] = []

    def variable(self, node: dict[str, Any], **context: Any) -> Any:
        """Declare an input or a parameter without its values."""
        shape = self._graph.nodes[context["idx"]].shapes[0]
        return self._declared(node["name"], np.dtype(np.float32), shape), (np.dtype(np.float32),)

    def operator(self, node: dict[str, Any], **context: Any) -> Any:
        """Translate one operator; what has no exact translation is noted and stood in for."""
        source = self._graph.nodes[context["idx"]]
        try:
            if source.op in TRANSLATORS:
                return self._own(source, context["idx"])
            return self._trusted(source, node, context)
        except NotExactError as error:
            self.refusals.append(self._describe(source, error))
            stand_ins = [onnx.helper.make_node("Constant", [], [name], value_float=0.0) for name in source.tensors]
            return stand_ins, (np.dtype(np.float32),) * len(stand_ins)

    def _trusted(self, source: SymbolNode, node: dict[str, Any], context: dict[str, Any]) -> Any:
        """Let mxnet.onnx translate, which raises either of two exceptions for attributes it does not know."""
        if source.op not in TRUSTED:
            raise NotExactError("no translation")
        self._inputs(source)  # raises where one of them is not there
        self._remember(dict(zip(source.tensors, source.shapes, strict=True)))
        try:
            return self._stock[source.op](node, **context), (np.dtype(np.float32),) * len(source.tensors)
        except (NotImplementedError, AttributeError) as error:
            raise NotExactError(str(error)) from error

    def _own(self, node: SymbolNode, index: int) -> tuple[list[Any], tuple[np.dtype[Any], ...]]:
        operator = Operator(node, self._inputs(node), self._readers[index])
        TRANSLATORS[node.op](operator)
        made = self._check_outputs(node, index, operator)
        self.result.constants.update(operator.constants)
        self.result.views.update(operator.views)
        self.result.sources.update({name: node.name for each in operator.nodes for name in each.output})
        self._remember(operator.shapes, operator.dtypes)
        declared: list[Any] = []
        for name, values in operator.constants.items():
            declared += self._declared(name, values.dtype, values.shape)
        for name, (_, shape) in operator.views.items():
            declared += self._declared(name, np.dtype(np.float32), shape)
        return [*declared, *operator.nodes], (np.dtype(np.float32),) * made

    def _check_outputs(self, node: SymbolNode, index: int, operator: Operator) -> int:
        """Count the outputs made; one that is read and was not made exists only in training."""
        made = operator.constants.keys() | {name for onnx_node in operator.nodes for name in onnx_node.output}
        for number, name in enumerate(node.tensors):
            if name not in made and (index, number) in self._read:
                raise NotExactError(f"its output {number} is read, which matters only in training")
        return sum(name in made for name in node.tensors)

    def _inputs(self, node: SymbolNode) -> list[Input]:
        found = []
        for source, output in node.inputs:
            producer = self._graph.nodes[source]
            if output >= len(producer.tensors):
                raise NotExactError(f"reads output {output} of {producer.name}, which exists only in training")
            name = producer.tensors[output]
            found.append(Input(name, producer.shapes[output], name in self._parameters))
        return found

    def _remember(self, shapes: dict[str, Shape], dtypes: dict[str, np.dtype[Any]] | None = None) -> None:
        self.result.shapes.update(shapes)
        self.result.dtypes.update(dtypes or {})

    def _describe(self, node: SymbolNode, error: Exception) -> str:
        shapes = [self._graph.nodes[source].shapes[:1] for source, _ in node.inputs[:1]]
        shape = f" on {shapes[0][0]}" if shapes and shapes[0] else ""
        return f"{node.name} ({node.op}{shape}): {error}"

    @staticmethod
    def _declared(name: str, dtype: np.dtype[Any], shape: Shape) -> list[Any]:
        return [onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(dtype), shape)]


def translate(graph: SymbolGraph, parameters: set[str], name: str) -> Translation:
    """Translate a symbol with shapes to ONNX nodes, opset 13; no weight is touched.

    Raises:
        SourceError: some operators have no exact translation; the message lists all of them.

    """
    with patched_mx2onnx() as mxnet_graph:
        registry = mxnet_graph.registry_
        translator = _Translator(graph, parameters, {**registry[12], **registry[OPSET]})
        registry[OPSET].update(dict.fromkeys((node.op for node in graph.nodes), translator.operator))
        registry[OPSET][VARIABLE] = translator.variable
        proto = mxnet_graph().create_onnx_graph_proto(
            _Prepared(graph),
            {node.name: _Weightless() for node in graph.nodes if node.is_variable},
            in_shapes=[],
            in_types=[],
            opset_version=OPSET,
            dynamic=False,
        )
    if translator.refusals:
        listed = "\n  ".join(translator.refusals)
        raise SourceError(
            f"{name} has operators without an exact ONNX form; end the net before them (outputs=...):\n  {listed}"
        )
    translator.result.proto = proto
    return translator.result
