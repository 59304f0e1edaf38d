"""From a Gluon block to its symbol and parameters."""

from collections.abc import Mapping
from typing import Any

from gluon2caffe.bridge.export.cleanup import give_unique_names, refuse_foreign_kinds
from gluon2caffe.bridge.export.group_norm import symbolic_group_norm
from gluon2caffe.bridge.export.messages import reason_of, shortened
from gluon2caffe.bridge.export.mxnet_loader import load_mxnet, mxnet_lock
from gluon2caffe.bridge.export.symbol_graph import graph_with_shapes, infer_shapes, mxnet_symbol, parse_mxnet_symbol
from gluon2caffe.bridge.export.traced import InputShapes, TracedNet, checked_shape, output_names
from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolGraph
from gluon2caffe.onnx2caffe.errors import SourceError


def trace_block(net: Any, input_shapes: InputShapes) -> TracedNet:
    """Trace a Gluon ``HybridBlock``, hybridised or not, without running it.

    Args:
        net: an initialised ``mxnet.gluon.HybridBlock``. It is left as it was, but for parameters whose
            initialisation waited for the first input: these are initialised now, as ``net(x)`` would.
        input_shapes: the shape of the one input, which will be called ``data``, or a mapping from input names to
            shapes in the order of the block's arguments.

    One thread at a time traces: a block keeps what it is traced by, and GluonCV's GroupNorm is replaced meanwhile.

    Raises:
        SourceError: not a HybridBlock, not initialised, cannot be traced, or cannot take this shape.

    """
    mxnet = load_mxnet()
    if not isinstance(net, mxnet.gluon.HybridBlock):
        raise SourceError(
            f"{type(net).__name__} is not a HybridBlock: a net must be made of HybridBlocks to be traced "
            "(HybridSequential instead of Sequential, hybrid_forward instead of forward)."
        )
    name = net.name or type(net).__name__.lower()  # some nets of the zoo are built with an empty prefix
    given: Mapping[str, Any] = input_shapes if isinstance(input_shapes, Mapping) else {"data": input_shapes}
    shapes = {key: checked_shape(key, shape) for key, shape in given.items()}
    with mxnet_lock:
        return _traced(mxnet, net, shapes, name)


def _traced(mxnet: Any, net: Any, shapes: dict[str, Shape], name: str) -> TracedNet:
    symbol = _trace(mxnet, net, list(shapes), name)
    graph = parse_mxnet_symbol(symbol)
    refuse_foreign_kinds(graph, name)
    if give_unique_names(graph) or _has_nodes_left_out(symbol, graph):
        symbol = mxnet_symbol(graph, mxnet)
    used = set(graph.variables)
    shapes = {key: shape for key, shape in shapes.items() if key in used}
    params = _parameters(net, symbol, shapes, used, name)
    graph = graph_with_shapes(symbol, shapes, {key: tuple(array.shape) for key, array in params.items()})
    return TracedNet(graph, params, shapes, output_names(graph), name)


def _has_nodes_left_out(symbol: Any, graph: SymbolGraph) -> bool:
    """Whether the symbol has nodes that MXNet does not write: casts between precisions (amp_multicast, MXNet 1.9)."""
    return any("amp_multicast" in name for name in symbol.get_internals().list_outputs()) and not any(
        "amp_multicast" in node.name for node in graph.nodes
    )


def _trace(mxnet: Any, net: Any, inputs: list[str], name: str) -> Any:
    try:
        with symbolic_group_norm():
            outputs = _flat(net(*(mxnet.sym.var(key) for key in inputs)))
    except Exception as error:  # whatever the block's own code raises
        raise SourceError(f"{name} cannot be traced: {reason_of(error)}") from error
    if not outputs or not all(isinstance(output, mxnet.sym.Symbol) for output in outputs):
        raise SourceError(f"{name} cannot be traced: it does not return symbols when it is given symbols.")
    return outputs[0] if len(outputs) == 1 else mxnet.sym.Group(outputs)


def _flat(outputs: Any) -> list[Any]:
    if isinstance(outputs, (list, tuple)):
        return [leaf for output in outputs for leaf in _flat(output)]
    return [outputs]


def _parameters(net: Any, symbol: Any, input_shapes: dict[str, Shape], used: set[str], name: str) -> dict[str, Any]:
    """Collect the parameters the symbol uses, finishing deferred initialisation from inferred shapes."""
    owned = {param.name: param for param in net.collect_params().values()}
    unknown = sorted(used - owned.keys() - input_shapes.keys())
    if unknown:
        raise SourceError(f"{name} reads {', '.join(unknown)}, which are neither inputs given nor its parameters.")
    params = {key: param for key, param in owned.items() if key in used}
    bare = [key for key, param in params.items() if param._data is None and not param._deferred_init]
    if bare:
        raise SourceError(
            f"{name} has parameters that are not initialised: {shortened(bare)}. "
            "Call net.initialize() or net.load_parameters(file) first."
        )
    known = {key: param.shape for key, param in params.items() if _is_known(param.shape)}
    inferred = infer_shapes(symbol, input_shapes, known).inputs
    for key, param in params.items():
        if param._deferred_init:
            param.shape = inferred[key]
            param._finish_deferred_init()
    # Copies on several devices are equal; the first will do.
    return {key: param.list_data()[0] for key, param in params.items()}


def _is_known(shape: Any) -> bool:
    return shape is not None and all(size > 0 for size in shape)
