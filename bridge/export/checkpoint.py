"""From a symbol file and a parameter file to a traced net."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from gluon2caffe.bridge.export.cleanup import give_unique_names, rebuilt, refuse_foreign_kinds, replace_losses
from gluon2caffe.bridge.export.messages import reason_of, shortened
from gluon2caffe.bridge.export.mxnet_loader import load_mxnet
from gluon2caffe.bridge.export.symbol_graph import Shape, SymbolGraph, infer_shapes
from gluon2caffe.bridge.export.traced import InputShapes, TracedNet, checked_shape, output_names
from gluon2caffe.onnx2caffe.errors import SourceError


def load_checkpoint(
    symbol_file: str | PathLike[str], params_file: str | PathLike[str], input_shapes: InputShapes
) -> TracedNet:
    """Read a net as ``net.export`` or a Module checkpoint writes it.

    Loss layers left in the symbol become what they compute in inference (SoftmaxOutput a softmax, logistic
    regression a sigmoid, the others nothing) and their label inputs vanish.

    Args:
        symbol_file: ``<prefix>-symbol.json``.
        params_file: ``<prefix>-0000.params``, names with or without ``arg:`` and ``aux:``.
        input_shapes: shape of the one data input, or shapes by input name.

    Raises:
        SourceError: a file is missing, truncated or corrupt, the two do not belong together (missing or extra
            parameters are named), or the net cannot take these shapes.

    """
    mxnet = load_mxnet()
    symbol_path, params_path = Path(symbol_file), Path(params_file)
    name = symbol_path.name.removesuffix(".json").removesuffix("-symbol")
    symbol = _load_symbol(mxnet, symbol_path)
    params = _load_params(mxnet, params_path)
    graph = SymbolGraph.parse(symbol)
    refuse_foreign_kinds(graph, name)
    extra = sorted(params.keys() - {node.name for node in graph.nodes if node.is_variable})
    if extra:
        raise SourceError(
            f"{params_path.name} holds parameters that {symbol_path.name} does not use: {shortened(extra)}. "
            "The two files must come from one net.export or one checkpoint."
        )
    # Both change the graph, so both must run.
    if any([replace_losses(graph), give_unique_names(graph)]):
        graph, symbol = rebuilt(graph, mxnet)
    used = {node.name for node in graph.nodes if node.is_variable}
    params = {key: array for key, array in params.items() if key in used}
    inputs = [node.name for node in graph.nodes if node.is_variable and node.name not in params]
    shapes = _input_shapes(inputs, input_shapes, name)
    infer_shapes(symbol, shapes, {key: tuple(array.shape) for key, array in params.items()})
    return TracedNet(symbol, params, shapes, output_names(graph, symbol), name)


def _input_shapes(inputs: list[str], given: InputShapes, name: str) -> dict[str, Shape]:
    """Tell the data inputs from the parameters that are missing, and give them their shapes."""
    if not inputs:
        raise SourceError(f"{name}: the symbol has no data input.")
    if not isinstance(given, Mapping):
        given = {"data" if "data" in inputs else inputs[0]: given}
    unknown = sorted(given.keys() - set(inputs))
    if unknown:
        raise SourceError(f"{name} has no data input {', '.join(unknown)}; it has: {', '.join(inputs)}.")
    missing = [key for key in inputs if key not in given]
    if missing:
        raise SourceError(
            f"{name}: the parameter file lacks {shortened(missing)}. If that is a data input, pass its shape by name; "
            "if it is a parameter, the file is not the one that belongs to this symbol."
        )
    return {key: checked_shape(key, given[key]) for key in inputs}


def _load_symbol(mxnet: Any, path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: the symbol file cannot be read ({_plain(error)}).") from error
    try:
        _check_references(json.loads(text))
        return mxnet.sym.load_json(text)
    except (ValueError, KeyError, TypeError, IndexError, mxnet.MXNetError) as error:
        raise SourceError(
            f"{path} is not a complete MXNet symbol file ({reason_of(error)}); save it again with net.export."
        ) from error


def _check_references(graph: Any) -> None:
    """Raise unless every node refers to earlier ones: MXNet itself would read outside its arrays."""
    if not isinstance(graph, dict) or not {"nodes", "arg_nodes", "heads"} <= graph.keys():
        raise ValueError("no nodes, arg_nodes and heads in it")
    nodes = graph["nodes"]
    for index, node in enumerate(nodes):
        for entry in node["inputs"]:
            if not 0 <= entry[0] < index:
                raise ValueError(f"node {node['name']} refers to a node that does not come before it")
    for entry in graph["heads"]:
        if not 0 <= entry[0] < len(nodes):
            raise ValueError("an output refers to a node that is not there")
    for entry in graph["arg_nodes"]:
        if not 0 <= entry < len(nodes):
            raise ValueError("an argument refers to a node that is not there")


def _load_params(mxnet: Any, path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SourceError(f"{path}: the parameter file cannot be read (no such file).")
    try:
        loaded = mxnet.nd.load(str(path))
    except (mxnet.MXNetError, ValueError, OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path} is not a complete MXNet parameter file ({reason_of(error)}); save or download it again."
        ) from error
    if not isinstance(loaded, dict):
        raise SourceError(f"{path} holds {len(loaded)} arrays without names; parameters need names.")
    return {key.removeprefix("arg:").removeprefix("aux:"): array for key, array in loaded.items()}


def _plain(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or "not a text file")
