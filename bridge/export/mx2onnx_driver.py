"""Running mxnet.onnx over the symbol of a live net, with our translators in the places of its own."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnx.helper

from gluon2caffe.bridge.export.mx2onnx import OPSET, mxnet_graph
from gluon2caffe.bridge.export.translation import NodeTranslator, Translation
from gluon2caffe.bridge.mxnet_files.graph import VARIABLE, Shape, SymbolGraph

_FLOAT = np.dtype(np.float32)


class _Weightless:
    """Stand in for every array: mxnet.onnx asks for its values, and our converters never look at them."""

    def asnumpy(self) -> None:
        return None


class _Prepared:
    """Stand in for the symbol, so that mxnet.onnx infers nothing a second time."""

    def __init__(self, graph: SymbolGraph) -> None:
        self._nodes = graph.to_json()["nodes"]

    def tojson(self) -> str:
        return json.dumps({"nodes": self._nodes})

    def get_internals(self) -> list[Any]:
        return [SimpleNamespace(name="")]


class _Converters:
    """The two converters that mxnet.onnx gets: one for inputs and parameters, one for all operators."""

    def __init__(self, translator: NodeTranslator) -> None:
        self._translator = translator

    def variable(self, node: dict[str, Any], **context: Any) -> Any:
        """Declare an input or a parameter without its values."""
        shape = self._translator.graph.nodes[context["idx"]].shapes[0]
        return _declared(node["name"], _FLOAT, shape), (_FLOAT,)

    def operator(self, node: dict[str, Any], **context: Any) -> Any:
        """Translate one operator; what has no exact translation is stood in for."""
        operator = self._translator.translate(context["idx"])
        if operator is None:
            tensors = self._translator.graph.nodes[context["idx"]].tensors
            stand_ins = [onnx.helper.make_node("Constant", [], [name], value_float=0.0) for name in tensors]
            return stand_ins, (_FLOAT,) * len(stand_ins)
        declared: list[Any] = []
        for name, values in operator.constants.items():
            declared += _declared(name, values.dtype, values.shape)
        for name, (_, shape) in operator.views.items():
            declared += _declared(name, _FLOAT, shape)
        made = operator.constants.keys() | {name for each in operator.nodes for name in each.output}
        tensors = self._translator.graph.nodes[context["idx"]].tensors
        return [*declared, *operator.nodes], (_FLOAT,) * sum(name in made for name in tensors)


def _declared(name: str, dtype: np.dtype[Any], shape: Shape) -> list[Any]:
    return [onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(dtype), shape)]


def translate_through_mxnet(graph: SymbolGraph, parameters: set[str], name: str) -> Translation:
    """Translate a symbol with shapes to ONNX nodes, opset 13; no weight is touched.

    Raises:
        SourceError: some operators have no exact translation; the message lists all of them.

    """
    translator = NodeTranslator(graph, parameters)
    converters = _Converters(translator)
    operators = dict.fromkeys((node.op for node in graph.nodes), converters.operator)
    proto = mxnet_graph({**operators, VARIABLE: converters.variable})().create_onnx_graph_proto(
        _Prepared(graph),
        dict.fromkeys(graph.variables, _Weightless()),
        in_shapes=[],
        in_types=[],
        opset_version=OPSET,
        dynamic=False,
    )
    return translator.finish(name, proto)
