"""The library call `inspect_source`: what a source becomes, without writing anything."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.bridge.conversion import Intermediate
from gluon2caffe.bridge.convert import cut_before_refusals, lowering_options, to_intermediate
from gluon2caffe.bridge.inspection.blocks import Block, block_of, blocks_by_prefix
from gluon2caffe.bridge.inspection.cost import layer_macs, macs
from gluon2caffe.bridge.inspection.description import Inspection, LayerRow, NodeRow, Shape
from gluon2caffe.bridge.load import Source, is_gluon_block
from gluon2caffe.bridge.options import ConversionKeywords, InputShape, conversion_options, takes_options
from gluon2caffe.bridge.origins import all_sources, sources_of
from gluon2caffe.bridge.progress import announce
from gluon2caffe.onnx2caffe.lower import assemble, lower_nodes
from gluon2caffe.onnx2caffe.model import Layer
from gluon2caffe.onnx2caffe.shapes import net_shapes

if TYPE_CHECKING:
    from gluon2caffe.bridge.options import Unpack


@takes_options
def inspect_source(
    source: Source, input_shape: InputShape | None = None, **options: Unpack[ConversionKeywords]
) -> Inspection:
    """Look at what a source becomes: each node of the intermediate, its Caffe layers, and all that is refused.

    Nothing is written, and nodes that the target cannot compute are not an error: they are in `refusals`.

    Args:
        source: as for `to_caffe`.
        input_shape: as for `to_caffe`.
        options: those of `to_caffe`.

    Raises:
        ConversionError: an option is not valid, or the source cannot be read.
    """
    return inspect_intermediate(
        to_intermediate(source, conversion_options({"input_shape": input_shape, **options})), source
    )


def inspect_intermediate(made: Intermediate, source: Source) -> Inspection:
    """Look at an intermediate that was made of `source`.

    Its graph is changed as by a conversion: whoever wants to save it does so before.
    """
    announce("Lowering to Caffe layers")
    target = made.options.target
    graph, sources = made.graph, all_sources(made.graph)
    gluon = is_gluon_block(source)
    nodes = _node_rows(graph, blocks_by_prefix(source) if gluon else {})
    parameters = _parameter_count(graph.tensors().values())
    inputs = {tensor.name: tuple(tensor.shape) for tensor in graph.inputs}
    outputs: dict[str, Any] = {tensor.name: tuple(tensor.shape or ()) for tensor in graph.outputs}
    net, blobs, refusals = lower_nodes(graph, target=target, options=lowering_options(made.options))
    model = None if refusals else assemble(graph, net, blobs)
    layers = net.layers if model is None else model.layers
    sizes = None if model is None else model.sizes
    rows = layer_rows(layers, sources, inputs)
    refused = {refusal.node: refusal for refusal in refusals}
    return Inspection(
        source=made.source,
        target=target,
        inputs=inputs,
        outputs=outputs,
        nodes=tuple(
            replace(
                node,
                layers=tuple(row for row in rows if node.name in row.nodes),
                refusal=refused.get(node.name),
            )
            for node in nodes
        ),
        layers=rows,
        refusals=tuple(refusals),
        parameters=parameters,
        notes=(*made.notes, *net.notes),
        sizes=None if sizes is None else sizes.as_data(),
        heads="" if made.heads is None else str(made.heads),
        cut=cut_before_refusals(made, refusals) if refusals else None,
    )


def layer_rows(
    layers: Iterable[Layer], sources: Mapping[str, tuple[str, ...]], inputs: Mapping[str, Shape]
) -> tuple[LayerRow, ...]:
    """Describe Caffe layers.

    Args:
        layers: of a whole net, in order, without its Input layers.
        sources: the layers of the source behind an ONNX node, where it is not itself.
        inputs: name -> shape.
    """
    layers = list(layers)
    shapes = net_shapes(inputs, (layer.message for layer in layers))
    return tuple(
        LayerRow(
            name=layer.message.name,
            type=layer.message.type,
            bottoms=tuple(layer.message.bottom),
            tops=tuple(layer.message.top),
            shapes=shape.tops,
            macs=layer_macs(layer.message, shape),
            weights=tuple(tuple(blob.shape) for blob in layer.blobs),
            nodes=layer.origin,
            source=tuple(dict.fromkeys(name for node in layer.origin for name in sources.get(node, (node,)))),
        )
        for layer, shape in zip(layers, shapes, strict=True)
    )


def _node_rows(graph: gs.Graph, blocks: dict[str, Block]) -> list[NodeRow]:
    rows = []
    for node in graph.nodes:
        source = sources_of(node)
        found = [block for name in source if (block := block_of(name, blocks)) is not None]
        rows.append(
            NodeRow(
                name=node.name,
                operator=f"{node.domain}:{node.op}" if node.domain else node.op,
                outputs={tensor.name: tuple(tensor.shape or ()) for tensor in node.outputs if tensor.name},
                parameters=_parameter_count(node.inputs),
                macs=macs(node),
                source=source,
                blocks=tuple(dict.fromkeys(found)),
            )
        )
    return rows


def _parameter_count(tensors: Iterable[gs.Tensor]) -> int:
    # Shape and type are known without reading the numbers of a file.
    constants = {id(tensor): tensor for tensor in tensors if isinstance(tensor, gs.Constant)}
    return sum(math.prod(each.shape) for each in constants.values() if np.dtype(each.dtype).kind == "f")
