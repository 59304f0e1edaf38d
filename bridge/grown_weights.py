"""How much larger the weights of a model are than those of its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.origins import sources_behind
from gluon2caffe.onnx2caffe import growth
from gluon2caffe.onnx2caffe.model import CaffeModel


def constant_bytes(graph: gs.Graph) -> int:
    """What the constants of a graph take, each counted once, as they are in the source."""
    read = [tensor for node in graph.nodes for tensor in node.inputs]
    written = [node.attrs.get("value") for node in graph.nodes if node.op == "Constant"]
    constants = {id(tensor): tensor for tensor in (*read, *written) if isinstance(tensor, gs.Constant)}
    # Not `values`, which would be read from the file.
    return sum(int(tensor._values.nbytes) for tensor in constants.values())


def growth_notes(model: CaffeModel, sources: Mapping[str, tuple[str, ...]], given: int) -> list[str]:
    """A note where the weights have grown by much: from what, to what, and for which layer of the source the most.

    Args:
        model: its layers know the ONNX nodes that they come from.
        sources: as in a `Conversion`.
        given: bytes of the source's weights.
    """
    made = sum(blob.nbytes for layer in model.layers for blob in layer.blobs)
    if made < growth.NOTED_BYTES or made <= growth.NOTED_TIMES * given:
        return []
    shares: Counter[str] = Counter()
    for layer in model.layers:
        behind = sources_behind(layer.origin, sources)
        shares[behind[0] if behind else layer.message.name] += sum(blob.nbytes for blob in layer.blobs)
    ((largest, share),) = shares.most_common(1)
    before, after, most = (f"{count / 1e6:.1f} MB" for count in (given, made, share))
    return [f"The weights grow from {before} in the source to {after}, {most} of them for {largest!r}"]
