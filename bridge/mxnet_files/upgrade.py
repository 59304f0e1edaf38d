"""What MXNet 1.9.1 changes in a symbol of an older version when it loads one.

Its passes stand in MXNet's ``src/nnvm/legacy_json_util.cc``; tests compare the result with MXNet's own.
"""

from typing import Final

from gluon2caffe.bridge.mxnet_files.graph import VARIABLE, SymbolGraph, SymbolNode
from gluon2caffe.bridge.mxnet_files.registered import canonical_name

OLDEST_VERSION: Final = 800  # of files that do not say their version
_NEWEST_VERSION: Final = 10901
_WITH_AUXILIARY_NODES: Final = 900
_OPTIONAL_AXIS: Final = 905

# Attributes for MXNet itself, which it writes with underscores around them since 1.0.
_HIDDEN_KEYS: Final = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage", "profiler_scope")
# Inputs that an operator reads, in order; the last of them are auxiliary states, no nodes of their own before 0.9.
_BATCH_NORM: Final = ("data", "gamma", "beta", "moving_mean", "moving_var")
_INPUT_NAMES: Final = {
    "BatchNorm": _BATCH_NORM,
    "BatchNorm_v1": _BATCH_NORM,
    "CuDNNBatchNorm": _BATCH_NORM,
    "IdentityAttachKLSparseReg": ("data", "moving_avg"),
}
_PARAMETER_NAMES: Final = ("data", "weight", "bias", "gamma", "beta")


def upgrade(graph: SymbolGraph, version: int) -> SymbolGraph:
    """Bring a graph that MXNet `version` (such as 10901) saved to the form of MXNet 1.9.1.

    Names of operators become those under which 1.9.1 registers them, whatever the version.
    """
    for node in graph.nodes:
        node.op = canonical_name(node.op)
    if version < _NEWEST_VERSION:
        _rename_hidden_keys(graph)
    if version < _WITH_AUXILIARY_NODES:
        _add_auxiliary_nodes(graph)
    if version < _OPTIONAL_AXIS:
        _drop_default_axis(graph)
    return graph.with_heads(graph.heads)


def _rename_hidden_keys(graph: SymbolGraph) -> None:
    """``lr_mult`` becomes ``__lr_mult__``; ``weight_lr_mult`` goes to the node's weight."""
    for node in graph.nodes:
        for key in list(node.attrs):
            hidden = next((word for word in _HIDDEN_KEYS if key == word or key.endswith(f"_{word}")), None)
            if hidden is None:
                continue
            if key == hidden:
                node.attrs[f"__{hidden}__"] = node.attrs.pop(key)
                continue
            owner = _named_input(graph, node, key.removesuffix(f"_{hidden}"))
            if owner is not None:
                owner.attrs[f"__{hidden}__"] = node.attrs.pop(key)


def _named_input(graph: SymbolGraph, node: SymbolNode, argument: str) -> SymbolNode | None:
    """Return the variable that `node` reads as `argument`."""
    names = _INPUT_NAMES.get(node.op, _PARAMETER_NAMES[:3])
    if node.is_variable or argument not in names or names.index(argument) >= len(node.inputs):
        return None
    owner = graph.nodes[node.inputs[names.index(argument)][0]]
    return owner if owner.is_variable else None


def _add_auxiliary_nodes(graph: SymbolGraph) -> None:
    for node in list(graph.nodes):
        names = _INPUT_NAMES.get(node.op, ())
        for name in names[len(node.inputs) :]:
            variable = f"{node.name}_{name}" if node.name else name
            node.inputs.append((len(graph.nodes), 0))
            graph.nodes.append(SymbolNode(variable, VARIABLE, dict(node.attrs), []))


def _drop_default_axis(graph: SymbolGraph) -> None:
    """Axis -1 meant all axes."""
    for node in graph.nodes:
        if node.op in ("argmax", "argmin") and node.attrs.get("axis") == "-1":
            del node.attrs["axis"]
