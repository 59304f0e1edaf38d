"""From a symbol file and a parameter file to a net with shapes, without MXNet."""

from collections.abc import Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path

from gluon2caffe.bridge.export.checkpoint_inputs import named_inputs
from gluon2caffe.bridge.export.cleanup import give_unique_names, refuse_foreign_kinds, replace_losses
from gluon2caffe.bridge.export.cut import cut_graph
from gluon2caffe.bridge.export.parameter_names import match_parameters
from gluon2caffe.bridge.export.shape_hints import working_shape
from gluon2caffe.bridge.export.shapes import add_shapes
from gluon2caffe.bridge.export.traced import InputShapes, TracedNet, output_names
from gluon2caffe.bridge.mxnet_files import read_params, read_symbol
from gluon2caffe.bridge.mxnet_files.graph import Shape, SymbolGraph
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads import cut_training


def load_checkpoint(
    symbol_file: str | PathLike[str],
    params_file: str | PathLike[str],
    input_shapes: InputShapes | None = None,
    outputs: Sequence[str] | None = None,
) -> TracedNet:
    """Read a net as ``net.export`` or a Module checkpoint writes it.

    Loss layers left in the symbol become what they compute in inference (SoftmaxOutput a softmax, logistic
    regression a sigmoid, the others nothing) and their label inputs vanish.

    Args:
        symbol_file: ``<prefix>-symbol.json``.
        params_file: ``<prefix>-0000.params``, names with or without ``arg:`` and ``aux:``.
        input_shapes: shape of the one data input, or shapes by input name. Without it, the shape that the symbol
            declares for its input, or (1, 3, 224, 224).
        outputs: tensors at which to end the net, before anything is asked of what lies behind them; if one is not
            there, the net is not ended.

    Raises:
        SourceError: a file is missing or damaged, parameters are missing, or the net cannot take these shapes.

    """
    symbol_path, params_path = Path(symbol_file), Path(params_file)
    name = symbol_path.name.removesuffix(".json").removesuffix("-symbol")
    graph = read_symbol(symbol_path)
    give_unique_names(graph)
    replace_losses(graph)
    training = [] if outputs else cut_training(graph)
    graph = _ended(graph, outputs, name)
    refuse_foreign_kinds(graph, name)
    stored = read_params(params_path)
    matched = match_parameters(graph, stored.arrays)
    inputs = named_inputs(graph, matched, input_shapes, name, params_path.name)
    _infer(graph, {key: tuple(array.shape) for key, array in matched.params.items()}, inputs)
    _check_heads(graph, name)
    notes = (*training, *stored.notes, *matched.notes)
    return TracedNet(graph, matched.params, inputs, output_names(graph), name, True, notes)


def _ended(graph: SymbolGraph, outputs: Sequence[str] | None, name: str) -> SymbolGraph:
    """Cut the graph at its own tensors; names that only the exported graph has are left to who asks for them."""
    if outputs:
        with suppress(SourceError):
            return cut_graph(graph, outputs, name)
    return graph.with_heads(graph.heads)


def _infer(graph: SymbolGraph, params: dict[str, Shape], inputs: dict[str, Shape]) -> None:
    """Fill in all shapes; where they do not fit, look for an input shape with which they do."""
    try:
        add_shapes(graph, {**params, **inputs})
    except SourceError as error:
        given = ", ".join(f"{key} {shape}" for key, shape in inputs.items())
        found = working_shape(graph, params, inputs)
        hint = f" Try: --input-shape {found}." if found else ""
        raise SourceError(f"The net does not take {given}: {error}.{hint}") from error


def _check_heads(graph: SymbolGraph, name: str) -> None:
    for source, index in graph.heads:
        node = graph.nodes[source]
        if node.tensors and index >= len(node.tensors):
            raise SourceError(f"{name}: {node.name} has {len(node.tensors)} outputs, and no number {index}.")
