"""Making a symbol fit for export before any shape is known: unique names, no loss layers, nothing foreign."""

from collections.abc import Callable

from gluon2caffe.bridge.mxnet_files.graph import SymbolGraph, SymbolNode
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.names import Names

_FOREIGN = {
    "quantised (int8) nets cannot be converted; convert the float net of the same name": (
        "_contrib_quantize",
        "_contrib_dequantize",
        "_contrib_requantize",
        "_sg_mkldnn",
    ),
    "loops and conditions cannot be converted: Caffe has none": ("_foreach", "_while_loop", "_cond", "_CachedOp"),
}


def refuse_foreign_kinds(graph: SymbolGraph, name: str) -> None:
    """Raise a SourceError for kinds of nets that are out of reach as a whole."""
    for reason, prefixes in _FOREIGN.items():
        met = sorted({node.op for node in graph.nodes if node.op.startswith(prefixes)})
        if met:
            raise SourceError(f"{name}: {reason} (found {', '.join(met)}).")


def give_unique_names(graph: SymbolGraph) -> bool:
    """Rename operators whose name is taken to ``<name>2``, ``<name>3``, ...; returns whether anything changed.

    Inputs and parameters keep their names, since those are looked up.
    """
    names = Names(node.name for node in graph.nodes if node.is_variable)
    changed = False
    for node in graph.nodes:
        if not node.is_variable:
            name = names.new(node.name)
            changed = changed or name != node.name
            node.name = name
    return changed


def _softmax(node: SymbolNode) -> None:
    """SoftmaxOutput: along channels with ``multi_output``, the last axis with ``preserve_shape``, else all but N."""
    if node.attrs.get("multi_output") in ("True", "1"):
        node.op, node.attrs = "softmax", {"axis": "1"}
    elif node.attrs.get("preserve_shape") in ("True", "1"):
        node.op, node.attrs = "softmax", {"axis": "-1"}
    else:
        node.op, node.attrs = "SoftmaxActivation", {"mode": "instance"}


def _sigmoid(node: SymbolNode) -> None:
    node.op, node.attrs = "sigmoid", {}


def _identity(node: SymbolNode) -> None:
    node.op, node.attrs = "_copy", {}


# Loss layer -> what it computes in inference, in words, and how its node is changed.
LOSSES: dict[str, tuple[str, Callable[[SymbolNode], None]]] = {
    "SoftmaxOutput": ("a softmax", _softmax),
    "LogisticRegressionOutput": ("a sigmoid", _sigmoid),
    "LinearRegressionOutput": ("its input", _identity),
    "MAERegressionOutput": ("its input", _identity),
    "SVMOutput": ("its input", _identity),
}


def replace_losses(graph: SymbolGraph) -> bool:
    """Turn loss layers into what they compute in inference, so that nothing reads their labels any more.

    Returns whether there were any.
    """
    losses = [node for node in graph.nodes if node.op in LOSSES]
    for node in losses:
        node.inputs = node.inputs[:1]
        _, replace = LOSSES[node.op]
        replace(node)
    return bool(losses)
