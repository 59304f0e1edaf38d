"""From a normal-form ONNX graph to a CaffeModel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe import layers
from gluon2caffe.onnx2caffe import lowering as _registered  # noqa: F401  (fills the registry)
from gluon2caffe.onnx2caffe.builder import Blob, LoweringOptions, NetBuilder
from gluon2caffe.onnx2caffe.decomposed import DECOMPOSED
from gluon2caffe.onnx2caffe.errors import ConversionError, InternalError, Refusal, UnsupportedModelError
from gluon2caffe.onnx2caffe.fuse import DOMAIN, fused, origin_of
from gluon2caffe.onnx2caffe.invariants import find_other_float, require_blob_shape, require_recorded_shapes
from gluon2caffe.onnx2caffe.left_out import LEFT_OUT
from gluon2caffe.onnx2caffe.model import CaffeModel
from gluon2caffe.onnx2caffe.node import Node, UnsupportedNodeError, is_static
from gluon2caffe.onnx2caffe.registry import Lowering, find_lowering, says_its_sizes
from gluon2caffe.onnx2caffe.sizes import ShapeProgram
from gluon2caffe.onnx2caffe.sizes.loud import fail_at_other_sizes
from gluon2caffe.onnx2caffe.sizes.marks import bound_axes_of, bound_by, like_of
from gluon2caffe.onnx2caffe.targets import Fault, profile_named
from gluon2caffe.onnx2caffe.targets.check import require_fields
from gluon2caffe.onnx2caffe.tidy import tidy

# Of one operator, in the text of an error; the error holds all of them.
MOST_SHOWN = 5


def lower(
    graph: gs.Graph,
    *,
    target: str = "ssd",
    options: LoweringOptions | None = None,
) -> CaffeModel:
    """Turn `graph` into Caffe layers.

    Args:
        graph: nodes in topological order, each with a name of its own; every tensor with a static shape; weights as
            float32 constants. The weights are taken by reference, the graph stays as it is.
        target: the name of a profile in `onnx2caffe.targets`.
        options: what the user chose about the layers.

    Raises:
        UnsupportedModelError: lists every node that the target cannot compute exactly.

    """
    net, blobs, refusals = lower_nodes(graph, target=target, options=options)
    if refusals:
        raise UnsupportedModelError(_refusal_text(refusals, net.profile.title), refusals)
    model = assemble(graph, net, blobs)
    if net.options.sizes == "any":
        _refuse_bound_sizes(model, graph)
    return model


def _refuse_bound_sizes(model: CaffeModel, graph: gs.Graph) -> None:
    """Refuse a net that does not follow its input's size, with the nodes that bind it."""
    if model.sizes is None or model.sizes.follows_input:
        return
    operators = {node.name: node.op for node in graph.nodes}
    refusals = []
    for reason in (*model.sizes.fixed, *model.sizes.reasons):
        name, _, why = reason.partition(": ")
        node = next((each for each in (name, name.rpartition("/")[0]) if each in operators), name)
        remedy = "convert at each size without --any-size"
        refusals.append(Refusal(node, operators.get(node, "layer"), "", why, remedy))
    lines = [f"  - {refusal}" for refusal in refusals[: 4 * MOST_SHOWN]]
    text = "\n".join([f"The net itself binds its input size ({model.sizes.words}):", *lines])
    raise UnsupportedModelError(text, refusals)


def lower_nodes(
    graph: gs.Graph, *, target: str = "ssd", options: LoweringOptions | None = None
) -> tuple[NetBuilder, dict[str, Blob], list[Refusal]]:
    """The layers of every node that can be lowered, the blob of every tensor, and a refusal of every other node."""
    net = NetBuilder(profile_named(target), options or LoweringOptions())
    fault = find_other_float(graph)
    if fault is not None:
        raise InternalError("before lowering", fault)
    likes = {}
    for node in graph.nodes:
        net.sizes.scope = node.name
        for reason in bound_by(node):
            net.sizes.fix(reason)
        like = like_of(node)
        if like is not None:
            likes[node.name] = like.name
    graph = fused(graph, net.profile)
    blobs: dict[str, Blob] = {}
    for tensor in graph.inputs:
        blobs[tensor.name] = Blob(tensor.name, tuple(tensor.shape))
        net.inputs.append(blobs[tensor.name])
        net.reserve(tensor.name)
    if net.options.sizes == "fixed":
        blobs |= {name: _fixed_size(net, blob) for name, blob in blobs.items()}
    for node in graph.nodes:
        for output in node.outputs:
            net.reserve(output.name)
    refusals: list[Refusal] = []
    ends = frozenset(tensor.name for tensor in graph.outputs)
    for node in _with_references_first(graph, likes):
        net.begin(node.name, origin_of(node))
        made = _lower_node(Node(node, blobs, ends, likes.get(node.name, "")), graph.opset, net, refusals)
        for output, blob in zip(node.outputs, made, strict=False):
            # A blob of no axes stands for a node that was refused. What a custom node makes may depend on the numbers.
            if is_static(output) and output.name and not (refusals and refusals[-1].node == node.name):
                require_blob_shape(node, output, blob.shape)
            blobs[output.name] = net.finish(blob, output.name)
    return net, blobs, refusals


def _fixed_size(net: NetBuilder, blob: Blob) -> Blob:
    """The input behind a Reshape for each spatial axis that names its length, and fails where it has another."""
    net.begin(f"{blob.name}/fixed")
    for axis in range(2, blob.rank):
        dims = [length if place == axis else 0 for place, length in enumerate(blob.shape)]
        blob = net.one("Reshape", [blob], blob.shape, part=f"axis{axis}", reshape_param={"shape": {"dim": dims}})
    return blob


def _with_references_first(graph: gs.Graph, likes: Mapping[str, str]) -> list[gs.Node]:
    """The nodes in an order in which the tensor that a node cuts to is made before it.

    Args:
        graph: its nodes are in topological order.
        likes: name of a node -> the tensor, which it does not read.
    """
    if not likes:
        return list(graph.nodes)
    waiting, ordered = list(graph.nodes), []
    known = {tensor.name for tensor in graph.inputs}
    made = known | {output.name for node in waiting for output in node.outputs}
    while waiting:
        later = []
        for node in waiting:
            needed = {tensor.name for tensor in node.inputs if tensor.name in made}
            needed |= {likes[node.name]} & made if node.name in likes else set()
            if needed <= known:
                ordered.append(node)
                known.update(output.name for output in node.outputs)
            else:
                later.append(node)
        if len(later) == len(waiting):
            # A tensor that is made from what is cut.
            return [*ordered, *later]
        waiting = later
    return ordered


def assemble(graph: gs.Graph, net: NetBuilder, blobs: dict[str, Blob]) -> CaffeModel:
    """The model of the layers that `lower_nodes` made of `graph`, none of whose nodes was refused."""
    try:
        outputs = _end_outputs(graph, net, blobs)
    except UnsupportedNodeError as refused:
        raise ConversionError(f"An output cannot be given a blob of its own: {refused.reason}.") from None
    inputs = {tensor.name: tuple(tensor.shape) for tensor in graph.inputs}
    model = CaffeModel(
        name=graph.name or "net",
        inputs=inputs,
        layers=net.layers,
        outputs=outputs,
        tensors={tensor: blob.name for tensor, blob in blobs.items()},
        notes=net.notes,
        shape_program=ShapeProgram(inputs, net.layers, outputs.values(), net.sizes),
    )
    try:
        tidy(model, net.profile)
    except UnsupportedNodeError as refused:
        raise ConversionError(f"A piece of a tensor cannot be cut out: {refused.reason}.") from None
    fail_at_other_sizes(model, net.profile)
    for layer in model.layers:
        require_fields(net.profile, layer.message)
    made = [*graph.inputs, *(tensor for node in graph.nodes for tensor in node.outputs)]
    require_recorded_shapes(model, {tensor.name: tensor.shape for tensor in made if is_static(tensor)})
    return model


def _lower_node(read: Node, opset: int, net: NetBuilder, refusals: list[Refusal]) -> list[Blob]:
    """The blobs of the node's outputs; stand-ins of the right shape where it is refused."""
    node = read.raw
    try:
        _refuse_subgraphs(node)
        function = find_lowering(node.op, node.domain or "", opset)
        if function is None:
            raise UnsupportedNodeError(
                f"no exact translation of this operator (opset {opset}) to Caffe layers is known{_why(node)}"
            )
        _require_shapes(node)
        made = _cut_like(read, net, function)
        _rely_on_inputs(read, net)
        return made if isinstance(made, list) else [made]
    except UnsupportedNodeError as refused:
        shapes = f"{[_shape(t) for t in node.inputs]} -> {[_shape(t) for t in node.outputs]}"
        refusals.append(Refusal(node.name, node.op, shapes, refused.reason, refused.remedy))
        return [Blob(output.name, tuple(output.shape) if is_static(output) else ()) for output in node.outputs]


def _cut_like(read: Node, net: NetBuilder, function: Lowering) -> Blob | list[Blob]:
    """What the lowering makes, or a Crop to the size of another tensor where any size is asked for."""
    like = read.blobs.get(read.cut_like)
    if not read.cut_like or read.raw.op == "Resize":
        return function(read, net)
    if like is None or like.rank != 4:
        net.sizes.fix("cut to the size of another tensor")
        return function(read, net)
    x = read.blob()
    if net.options.sizes == "any" and net.profile.has("Crop"):
        return layers.crop_like(net, x, like)
    for axis in (2, 3):
        net.sizes.difference(x, like, axis, "cut to the size of another tensor")
    return function(read, net)


def _rely_on_inputs(read: Node, net: NetBuilder) -> None:
    """Rely on the whole shapes of what a node reads, where its lowering does not say what it relies on."""
    node = read.raw
    for axes, why in bound_axes_of(node):
        net.sizes.exact(read.blob(), axes, why)
    if not says_its_sizes(node.op, "" if node.domain in (None, DOMAIN) else node.domain):
        for index in range(read.input_count):
            if node.inputs[index].name and not read.is_constant(index):
                net.sizes.exact(read.blob(index), why=f"{node.op} of a fixed shape")


def _why(node: gs.Node) -> str:
    if node.domain:
        return ""
    if node.op in DECOMPOSED:
        return f"; it is only supported as {DECOMPOSED[node.op]}"
    return f": {LEFT_OUT[node.op]}" if node.op in LEFT_OUT else ""


def _refuse_subgraphs(node: gs.Node) -> None:
    if any(isinstance(value, gs.Graph) for value in node.attrs.values()):
        raise UnsupportedNodeError(
            "it runs a subgraph, by a condition or a count that is not constant; Caffe has no control flow",
            "export the net with that value fixed, or fold it first with onnxsim",
        )


def _require_shapes(node: gs.Node) -> None:
    # What a custom node makes may have as many rows as it finds objects.
    for tensor in (*node.inputs, *(() if node.domain else node.outputs)):
        if tensor.name and not is_static(tensor):
            raise UnsupportedNodeError(f"the shape of {tensor.name!r} is not known before the net runs")


def _shape(tensor: gs.Tensor) -> str:
    if tensor.shape is None:
        return "?"
    return "×".join("?" if length is None else str(length) for length in tensor.shape) or "scalar"


def _refusal_text(refusals: list[Refusal], target: str) -> str:
    """Every refusal; of an operator with very many, the first ones and how many there are more."""
    lines = [f"{len(refusals)} node{'s' if len(refusals) > 1 else ''} cannot be computed exactly by {target}:"]
    counts = Counter(refusal.operator for refusal in refusals)
    shown: Counter[str] = Counter()
    for refusal in refusals:
        operator = refusal.operator
        shown[operator] += 1
        few = counts[operator] <= MOST_SHOWN + 1
        if few or shown[operator] <= MOST_SHOWN:
            lines.append(f"  - {refusal}")
        elif shown[operator] == counts[operator]:
            lines.append(f"  - {operator}: {counts[operator] - MOST_SHOWN} nodes more")
    return "\n".join(lines)


def _end_outputs(graph: gs.Graph, net: NetBuilder, blobs: dict[str, Blob]) -> dict[str, str]:
    """Give every output a layer of its own with one top that no layer reads, both called like the ONNX tensor.

    Caffe gives such blobs as the outputs of a net; OpenCV and others know outputs by the name of the layer.
    """
    if not graph.outputs:
        raise ConversionError("The graph has no output.")
    read = {bottom for layer in net.layers for bottom in layer.message.bottom}
    shared = {top for layer in net.layers if len(layer.message.top) > 1 for top in layer.message.top}
    misnamed = "Normalize" if net.profile.has_quirk(Fault.NORMALIZE_AS_OUTPUT) else None
    shared |= {layer.message.top[0] for layer in net.layers if layer.message.type == misnamed}
    inputs = {tensor.name for tensor in graph.inputs}
    for tensor in graph.outputs:
        if isinstance(tensor, gs.Constant):
            raise ConversionError(
                f"Output {tensor.name!r} is a constant, not computed from the input: leave it out by naming the others "
                "with outputs=[...]."
            )
        if tensor.name not in blobs:
            raise ConversionError(f"Output {tensor.name!r} is not computed at inference.")
    shares = Counter(blobs[tensor.name].name for tensor in graph.outputs)
    taken = read | inputs | shared | {name for name, count in shares.items() if count > 1}
    copied = {tensor.name for tensor in graph.outputs if blobs[tensor.name].name in taken}
    ends: dict[str, str] = {}
    for tensor in graph.outputs:
        blob = blobs[tensor.name]
        if tensor.name in copied:
            if blob.name == tensor.name and blob.name not in inputs:
                _call(net, blobs, blob, net.fresh(f"{tensor.name}/inside"))
            net.begin(f"{tensor.name}/output", tuple(node.name for node in tensor.inputs))
            copy = layers.copy(net, blobs[tensor.name])
            ends[tensor.name] = copy.name if tensor.name in inputs else net.finish(copy, tensor.name).name
        else:
            _call(net, blobs, blob, tensor.name)
            ends[tensor.name] = tensor.name
    return ends


def _call(net: NetBuilder, blobs: dict[str, Blob], blob: Blob, name: str) -> None:
    """Give a blob another name, in the layers and in `blobs`."""
    if blob.name != name:
        net.rename(blob.name, name)
        blobs |= {tensor: Blob(name, held.shape) for tensor, held in blobs.items() if held.name == blob.name}
