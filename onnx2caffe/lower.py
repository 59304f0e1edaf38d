"""From a normal-form ONNX graph to a CaffeModel."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from onnx2caffe import layers
from onnx2caffe import lowering as _registered  # noqa: F401  (fills the registry)
from onnx2caffe.builder import Blob, LoweringOptions, NetBuilder
from onnx2caffe.errors import ConversionError, UnsupportedModelError
from onnx2caffe.fuse import fuse
from onnx2caffe.model import CaffeModel, Preprocessing
from onnx2caffe.node import Node, UnsupportedNodeError
from onnx2caffe.registry import find_lowering
from onnx2caffe.targets import profile_named
from onnx2caffe.tidy import tidy


@dataclass(frozen=True)
class Refusal:
    """One node that cannot be lowered: which, why, and what the user can do."""

    node: str
    operator: str
    shapes: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        text = f"{self.operator} {self.node!r} {self.shapes}: {self.reason}"
        return f"{text}. Remedy: {self.remedy}" if self.remedy else text


def lower(
    graph: gs.Graph,
    *,
    target: str = "ssd",
    options: LoweringOptions | None = None,
    preprocessing: Preprocessing | None = None,
) -> CaffeModel:
    """Turn `graph` into Caffe layers.

    Args:
        graph: nodes in topological order, each with a name of its own; every tensor with a static shape; weights as
            float32 constants. The weights are taken by reference.
        target: the name of a profile in `onnx2caffe.targets`.
        options: what the user chose about the layers.
        preprocessing: kept in the model, so that a verifier can feed its source alike.

    Raises:
        UnsupportedModelError: lists every node that the target cannot compute exactly.

    """
    net = NetBuilder(profile_named(target), options or LoweringOptions())
    fuse(graph, net.profile)
    blobs: dict[str, Blob] = {}
    for tensor in graph.inputs:
        blobs[tensor.name] = Blob(tensor.name, tuple(tensor.shape))
        net.reserve(tensor.name)
    for node in graph.nodes:
        for output in node.outputs:
            net.reserve(output.name)
    refusals: list[Refusal] = []
    for node in graph.nodes:
        net.begin(node.name)
        made = _lower_node(node, graph.opset, net, blobs, refusals)
        for output, blob in zip(node.outputs, made, strict=False):
            blobs[output.name] = net.finish(blob, output.name)
    if refusals:
        raise UnsupportedModelError(_refusal_text(refusals, net.profile.title), refusals)
    outputs = _end_outputs(graph, net, blobs)
    model = CaffeModel(
        name=graph.name or "net",
        inputs={tensor.name: tuple(tensor.shape) for tensor in graph.inputs},
        layers=net.layers,
        outputs=outputs,
        tensors={tensor: blob.name for tensor, blob in blobs.items()},
        notes=net.notes,
        preprocessing=preprocessing,
    )
    tidy(model)
    return model


def _lower_node(
    node: gs.Node, opset: int, net: NetBuilder, blobs: dict[str, Blob], refusals: list[Refusal]
) -> list[Blob]:
    """The blobs of the node's outputs; stand-ins of the right shape where it is refused."""
    try:
        function = find_lowering(node.op, node.domain or "", opset)
        if function is None:
            raise UnsupportedNodeError(
                f"no exact translation of this operator (opset {opset}) to Caffe layers is known",
                "cut the net before it with outputs=[...]",
            )
        made = function(Node(node, blobs), net)
        return made if isinstance(made, list) else [made]
    except UnsupportedNodeError as refused:
        shapes = f"{[_shape(t) for t in node.inputs]} -> {[_shape(t) for t in node.outputs]}"
        refusals.append(Refusal(node.name, node.op, shapes, refused.reason, refused.remedy))
        return [Blob(output.name, tuple(output.shape or ())) for output in node.outputs]


def _shape(tensor: gs.Tensor) -> str:
    return "×".join(map(str, tensor.shape)) if tensor.shape else "scalar"


def _refusal_text(refusals: list[Refusal], target: str) -> str:
    head = f"{len(refusals)} node{'s' if len(refusals) > 1 else ''} cannot be computed exactly by {target}:"
    return "\n".join([head, *(f"  - {refusal}" for refusal in refusals)])


def _end_outputs(graph: gs.Graph, net: NetBuilder, blobs: dict[str, Blob]) -> dict[str, str]:
    """Give every output a blob of its own that no layer reads, since only such a blob is an output in Caffe.

    It is called like the ONNX tensor, or `<tensor>/output/copy` where the tensor has readers too.
    """
    if not graph.outputs:
        raise ConversionError("The graph has no output.")
    read = {bottom for layer in net.layers for bottom in layer.message.bottom}
    inputs = {tensor.name for tensor in graph.inputs}
    for tensor in graph.outputs:
        if isinstance(tensor, gs.Constant):
            raise ConversionError(f"Output {tensor.name!r} is a constant, not computed from the input.")
        if tensor.name not in blobs:
            raise ConversionError(f"Output {tensor.name!r} is not computed at inference.")
    shares = Counter(blobs[tensor.name].name for tensor in graph.outputs)
    ends: dict[str, str] = {}
    for tensor in graph.outputs:
        blob = blobs[tensor.name]
        if blob.name in read or blob.name in inputs or shares[blob.name] > 1:
            net.begin(f"{tensor.name}/output")
            ends[tensor.name] = layers.power(net, blob, part="copy").name
        else:
            if blob.name != tensor.name:
                net.rename(blob.name, tensor.name)
                blobs |= {name: Blob(tensor.name, b.shape) for name, b in blobs.items() if b.name == blob.name}
            ends[tensor.name] = tensor.name
    return ends
