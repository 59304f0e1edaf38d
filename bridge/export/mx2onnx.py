"""Running ``mxnet.onnx`` on current onnx, with our converters, and without a change to anything that others use.

Its code asks onnx for what is no longer there (``onnx.mapping``), for the newest opset, and for a check by that opset.
Rather than patching onnx, which every thread of the process sees, its functions run with globals of their own, in which
an import of onnx gives a stand-in.
"""

import builtins
from collections.abc import Callable, Mapping
from types import FunctionType, SimpleNamespace
from typing import Any

import onnx
import onnx.checker
import onnx.helper

from gluon2caffe.bridge.export.mxnet_loader import load_mxnet
from gluon2caffe.bridge.export.operators.detection import DOMAIN

OPSET = 13  # the newest operator set whose forms mxnet.onnx writes
IR_VERSION = 8  # the ONNX file version that belongs to opset 13 .. 15

Converter = Callable[..., Any]


def mxnet_graph(converters: Mapping[str, Converter]) -> Any:
    """A class like MXNet's ``MXNetGraph`` that has these converters, and works with the installed onnx.

    Its graphs declare no outputs: they are named by whoever knows the net.

    Raises:
        SourceError: MXNet cannot be imported.

    """
    load_mxnet()
    from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

    class Graph(MXNetGraph):  # type: ignore[misc]
        @staticmethod
        def get_outputs(*_: Any) -> tuple[list[Any], dict[str, Any]]:
            return [], {}

    Graph.registry_ = {OPSET: dict(converters)}
    # Its functions look up each other in the class by its name.
    seen = {"MXNetGraph": Graph, "__builtins__": {**vars(builtins), "__import__": _import}}
    Graph.convert_layer = staticmethod(_with_globals(MXNetGraph.convert_layer, seen))
    Graph.create_onnx_graph_proto = _with_globals(MXNetGraph.create_onnx_graph_proto, seen)
    return Graph


def _with_globals(function: Any, changed: Mapping[str, Any]) -> Any:
    return FunctionType(
        function.__code__,
        {**function.__globals__, **changed},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )


def _check_graph(graph: onnx.GraphProto) -> None:
    """Check by opset 13, whatever the installed onnx has as its newest."""
    context = onnx.checker.C.CheckerContext()
    context.ir_version = onnx.IR_VERSION
    context.opset_imports = {"": OPSET, DOMAIN: 1}
    onnx.checker.check_graph(graph, context)


_STAND_INS = {
    "onnx": SimpleNamespace(
        checker=SimpleNamespace(check_graph=_check_graph),
        helper=onnx.helper,
        NodeProto=onnx.NodeProto,
        ValueInfoProto=onnx.ValueInfoProto,
        TensorProto=onnx.TensorProto,
    ),
    "onnx.defs": SimpleNamespace(onnx_opset_version=lambda: OPSET),
}


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Any = (),
    level: int = 0,
) -> Any:
    return _STAND_INS.get(name) or builtins.__import__(name, globals, locals, fromlist, level)
