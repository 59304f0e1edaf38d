"""What a user may hand in, and which door it goes through."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.cut import cut_at
from gluon2caffe.bridge.frontier import cut_of_graph, has_no_lowering
from gluon2caffe.bridge.grown_weights import constant_bytes
from gluon2caffe.bridge.heads import end_heads
from gluon2caffe.bridge.onnx_source import open_model, reading
from gluon2caffe.bridge.options import USUAL_INPUT_SHAPE, ConversionOptions
from gluon2caffe.bridge.passes import reading_passes
from gluon2caffe.bridge.progress import announce
from gluon2caffe.onnx2caffe.errors import ConversionError, SourceError
from gluon2caffe.onnx2caffe.graph_pass import PassRunner
from gluon2caffe.onnx2caffe.write import check_size
from gluon2caffe.ssd_heads import HeadKind, Heads, find_heads, kind_of_block

# A Gluon HybridBlock cannot be named here, since MXNet need not be installed.
Source = Any
FixedShape = tuple[int, ...] | dict[str, tuple[int, ...]] | None


@dataclass(frozen=True)
class Loaded:
    """A source as an ONNX graph with weights by reference, its title, and what goes with it.

    `arrays` are saved beside the model, `heads` are the detection heads that the graph ends in, `tensors` the names
    that the source itself has for what its nodes make, `weight_bytes` what its weights take.
    """

    graph: gs.Graph
    title: str
    arrays: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    heads: Heads | None = None
    tensors: frozenset[str] = frozenset()
    weight_bytes: int = 0


def load_graph(source: Source, options: ConversionOptions) -> Loaded:
    """The source as a graph.

    Raises:
        SourceError: the source is of an unknown kind, cannot be read, or does not take the shape; or `heads` or
            `priors` ask for something that only a detector has.
    """
    kind = kind_of_block(source)
    if kind is not None and (kind.whole or not options.outputs):
        loaded = _load_detector(source, kind, options)
    else:
        loaded = _load_any(source, options)
        if options.outputs:
            cut_at(loaded.graph, options.outputs)
        with _cut_before_what_is_unknown(loaded.graph):
            loaded = replace(loaded, heads=find_heads(loaded.graph))
    with _cut_before_what_is_unknown(loaded.graph):
        arrays = end_heads(loaded.graph, loaded.heads, options, loaded.title)
    if is_checkpoint(source) or is_gluon_block(source):
        from gluon2caffe.bridge import export

        export.refuse_mxnet_nodes(loaded.graph, loaded.title)
    return replace(loaded, arrays=arrays)


def _load_any(source: Source, options: ConversionOptions) -> Loaded:
    if isinstance(source, onnx.ModelProto):
        return _opened(source, source.graph.name or "ONNX model", options)
    if isinstance(source, (str, PathLike)):
        path = Path(fspath(source)).expanduser()
        return _opened(path, path.name, options)
    traced = trace(source, options.input_shapes, options.outputs)
    return _exported(traced, options.outputs, options.allow_non_finite)


def _opened(model: onnx.ModelProto | Path, title: str, options: ConversionOptions) -> Loaded:
    notes: list[str] = []
    with reading(title):
        graph = open_model(model)
        tensors, weight_bytes = _tensor_names(graph), constant_bytes(graph)
        with _cut_before_what_is_unknown(graph, tensors):
            PassRunner(graph).run(reading_passes(options, notes))
    return Loaded(graph, title, notes=notes, tensors=tensors, weight_bytes=weight_bytes)


def _tensor_names(graph: gs.Graph) -> frozenset[str]:
    return frozenset(tensor.name for node in graph.nodes for tensor in node.outputs)


@contextmanager
def _cut_before_what_is_unknown(graph: gs.Graph, tensors: frozenset[str] | None = None) -> Iterator[None]:
    """Where the graph is refused, say where it could be cut before operators that nothing can be made of."""
    try:
        yield
    except ConversionError as error:
        if error.cut is None:
            error.cut = cut_of_graph(graph, lambda node: has_no_lowering(node, graph.opset), tensors)
        raise


def _exported(traced: Any, outputs: Sequence[str] | None, allow_non_finite: bool) -> Loaded:
    from gluon2caffe.bridge import export

    announce("Exporting to ONNX")
    if outputs:
        # What the user cuts away may have no ONNX form. Names that only the graph has are left to `cut_at`.
        with suppress(SourceError):
            traced = export.cut_net(traced, outputs)
    check_size((name, 4 * math.prod(array.shape)) for name, array in traced.params.items())
    graph = export.export_graph(traced, allow_non_finite=allow_non_finite)
    names, taken = _tensor_names(graph), constant_bytes(graph)
    return Loaded(graph, traced.name, notes=list(traced.notes), tensors=names, weight_bytes=taken)


def _load_detector(net: Any, kind: HeadKind, options: ConversionOptions) -> Loaded:
    """A block that is traced in its kind's own way, and its heads."""
    given = options.input_shapes
    if isinstance(given, dict):
        if len(given) != 1:
            raise SourceError(f"{net.name} has one input; shapes are given for {', '.join(given)}.")
        given = next(iter(given.values()))
    shape = kind.input_shape(net) if given is None else given
    # Described first: what does not fit together is named there, and would only be a wrong shape to the export.
    heads = kind.of_block(net, shape)
    traced = trace(kind.raw_block(net), shape)
    return replace(_exported(traced, None, options.allow_non_finite), heads=heads)


def trace(source: Source, input_shape: FixedShape, outputs: Sequence[str] | None = None) -> Any:
    """A Gluon net, or a pair of checkpoint files, as a `bridge.export.TracedNet`.

    Files are cut at `outputs` before anything is asked of what lies behind them; names that only the exported graph
    has are left to `cut_at`.
    """
    from gluon2caffe.bridge import export

    if is_checkpoint(source):
        announce("Reading the files")
        symbol_file, params_file = (Path(fspath(part)).expanduser() for part in source)
        return export.load_checkpoint(symbol_file, params_file, input_shape, outputs)
    announce("Tracing the net")
    if is_gluon_block(source):
        return export.trace_block(source, USUAL_INPUT_SHAPE if input_shape is None else input_shape)
    raise SourceError(
        f"A source must be a Gluon HybridBlock, a pair (symbol file, params file), the path of an .onnx file or an "
        f"onnx.ModelProto, not {type(source).__name__}."
    )


def is_checkpoint(source: Source) -> bool:
    """Whether `source` is a pair of paths."""
    return (
        isinstance(source, (tuple, list)) and len(source) == 2 and all(isinstance(p, (str, PathLike)) for p in source)
    )


def is_gluon_block(source: Source) -> bool:
    """Whether `source` is a Gluon block, found out without importing MXNet."""
    return any(f"{base.__module__}.{base.__name__}" == "mxnet.gluon.block.Block" for base in type(source).__mro__)
