"""Finds the layer where a Caffe model first departs from its source."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from google.protobuf import text_format

from gluon2caffe.bridge.origins import sources_behind
from gluon2caffe.bridge.verification.compare import Difference, difference
from gluon2caffe.bridge.verification.readers.reader import TOLERANCE, Reader
from gluon2caffe.bridge.verification.report import FirstDifference
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.bridge.verification.samples import FloatArray
from gluon2caffe.bridge.verification.unfolded import Unfolded, without_in_place
from gluon2caffe.onnx2caffe.caffe_pb2 import NetParameter
from gluon2caffe.onnx2caffe.model import CaffeModel

_Write = tuple[str, str]
"""A layer and one of the blobs it writes, both by their names in the model: a blob may be written more than once."""


Lookup = Callable[[str], FloatArray | None]


def first_difference(
    model: CaffeModel,
    caffemodel: Path,
    reader: Reader,
    inputs: Mapping[str, FloatArray],
    reference: Mapping[str, FloatArray] | Lookup,
    *,
    node_outputs: Mapping[str, Sequence[str]] | None = None,
    sources: Mapping[str, tuple[str, ...]] | None = None,
    tolerance: float = TOLERANCE,
) -> FirstDifference | None:
    """Run the model on a reader with every intermediate blob kept, and return the first that differs from its tensor.

    Args:
        model: the model; its ``tensors`` say which blob should hold which ONNX tensor.
        caffemodel: its saved weights.
        reader: where to run it; it is used in its layer-by-layer mode.
        inputs: input blob -> float32 array of the shape in the prototxt: one sample.
        reference: ONNX tensor -> its values for these inputs; tensors it does not have are passed over.
        node_outputs: ONNX node -> the tensors it makes. With it, blobs that the model itself overwrites (those of a
            convolution, by an in-place ReLU) help to tell which of several layers is at fault.
        sources: those of the `Conversion`.
        tolerance: largest relative difference that still agrees.

    Returns:
        None when no blob differs, which can happen although an output does: errors below the tolerance add up.

    Raises:
        ReaderError: the reader cannot run the variant of the net without in-place layers.
    """
    net = text_format.Parse(model.prototxt(), NetParameter())
    unfolded = without_in_place(net)
    sure = _sure_tensors(model, unfolded)
    likely = _likely_tensors(model, unfolded, node_outputs or {})
    fetch = [name for write, name in unfolded.versions.items() if write in sure or write in likely]
    blobs = _run_unfolded(unfolded, fetch, caffemodel, reader, inputs)
    look_up = reference if callable(reference) else reference.get

    def apart(write: _Write, tensor: str) -> Difference | None:
        expected = look_up(tensor)
        return None if expected is None else difference(blobs[unfolded.versions[write]], expected)

    agreed: set[_Write] = set()
    for write in unfolded.versions:
        for tensor in sure.get(write, ()):
            found = apart(write, tensor)
            if found is None:
                continue
            if found.within(tolerance):
                agreed.add(write)
                continue
            for earlier in _unchecked(net, write[0], agreed):
                for guess in [each for each in unfolded.versions if each[0] == earlier and each in likely]:
                    sharper = apart(guess, likely[guess])
                    if sharper is None or sharper.problem:
                        continue
                    if not sharper.within(tolerance):
                        return _describe(model, net, reader, guess, likely[guess], sharper, agreed, sources or {})
                    agreed.add(guess)
            return _describe(model, net, reader, write, tensor, found, agreed, sources or {})
    return None


def _sure_tensors(model: CaffeModel, unfolded: Unfolded) -> dict[_Write, list[str]]:
    """Return the tensors that the model says it holds: what is in a blob at the end is its last writer's work."""
    last = {blob: (layer, blob) for layer, blob in unfolded.versions}
    sure: dict[_Write, list[str]] = {}
    for tensor, blob in model.tensors.items():
        sure.setdefault(last[blob], []).append(tensor)
    return sure


def _likely_tensors(
    model: CaffeModel, unfolded: Unfolded, node_outputs: Mapping[str, Sequence[str]]
) -> dict[_Write, str]:
    """Return the tensor that each layer should give first, judged by the last node whose work it ends."""
    ends = {node: layer.message.name for layer in model.layers for node in layer.origin}
    likely = {}
    for layer in model.layers:
        node = layer.origin[-1] if layer.origin else ""
        if layer.message.top and ends.get(node) == layer.message.name and node_outputs.get(node):
            likely[layer.message.name, layer.message.top[0]] = node_outputs[node][0]
    return {write: tensor for write, tensor in likely.items() if write in unfolded.versions}


def _describe(
    model: CaffeModel,
    net: NetParameter,
    reader: Reader,
    write: _Write,
    tensor: str,
    found: Difference,
    agreed: AbstractSet[_Write],
    sources: Mapping[str, tuple[str, ...]],
) -> FirstDifference:
    layer, blob = write
    origin = next((each.origin for each in model.layers if each.message.name == layer), ())
    return FirstDifference(
        reader=reader.name,
        layer=layer,
        type=next(each.type for each in net.layer if each.name == layer),
        blob=blob,
        tensor=tensor,
        origin=origin,
        absolute=found.absolute,
        relative=found.relative,
        problem=found.problem,
        unchecked=_unchecked(net, layer, agreed),
        source=sources_behind(origin, sources),
    )


def _run_unfolded(
    unfolded: Unfolded, fetch: Sequence[str], caffemodel: Path, reader: Reader, inputs: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    with tempfile.TemporaryDirectory(prefix="gluon2caffe-") as folder:
        prototxt = Path(folder) / "net.prototxt"
        prototxt.write_text(unfolded.text, encoding="utf-8")
        inspected = reader.layer_by_layer()
        if inspected is None:
            raise ReaderError(f"{reader.name} shows the outputs of a net alone")
        return inspected.run(prototxt, caffemodel, inputs, fetch)


def _unchecked(net: NetParameter, layer: str, agreed: AbstractSet[_Write]) -> tuple[str, ...]:
    """Return the layers that lead to a layer without a blob that agrees in between, in net order; not the inputs."""
    writer: dict[str, str] = {}
    reads: dict[str, list[_Write]] = {}
    for each in net.layer:
        reads[each.name] = [(writer[bottom], bottom) for bottom in each.bottom if bottom in writer]
        writer.update((top, each.name) for top in each.top)
    found: set[str] = set()
    ahead = [layer]
    while ahead:
        sources = {source for source, blob in reads[ahead.pop()] if (source, blob) not in agreed} - found
        found |= sources
        ahead.extend(sources)
    return tuple(each.name for each in net.layer if each.name in found and each.type != "Input")
