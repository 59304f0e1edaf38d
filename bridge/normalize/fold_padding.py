"""Pad of zeros before Conv: the pads add up, since a convolution pads with zeros too.

Not folded: other values than 0 and other modes; channels; a Conv with auto_pad; a Pad that other nodes read as well.
A pooling does not take the Pad: MaxPool pads with minus infinity, and AveragePool may count.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from bridge.normalize.surgery import bypass, only_reader


def fold_padding(graph: gs.Graph) -> bool:
    """Fold every such Pad."""
    return bool(sum(_fold(node, graph) for node in graph.nodes if node.op == "Pad"))


def _fold(pad: gs.Node, graph: gs.Graph) -> bool:
    conv = only_reader(pad.outputs[0], graph)
    widths = _zero_pads(pad)
    if conv is None or conv.op != "Conv" or widths is None or conv.inputs[0] is not pad.outputs[0]:
        return False
    if conv.attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "") or min(widths) < 0:
        return False
    rank = len(widths) // 2
    if any(widths[:2]) or any(widths[rank : rank + 2]):
        return False
    spatial = widths[2:rank] + widths[rank + 2 :]
    own = list(conv.attrs.get("pads", [0] * len(spatial)))
    conv.attrs["pads"] = [a + b for a, b in zip(own, spatial, strict=True)]
    return bypass(pad, graph, into=conv)


def _zero_pads(pad: gs.Node) -> list[int] | None:
    """The pads where they are constant and of value 0."""
    if pad.attrs.get("mode", "constant") != "constant":
        return None
    if "pads" in pad.attrs:
        return list(pad.attrs["pads"]) if not pad.attrs.get("value", 0.0) else None
    if len(pad.inputs) > 3 and pad.inputs[3].name:
        return None
    if len(pad.inputs) < 2 or not isinstance(pad.inputs[1], gs.Constant):
        return None
    if len(pad.inputs) > 2 and pad.inputs[2].name:
        value = pad.inputs[2]
        if not isinstance(value, gs.Constant) or value.values.any():
            return None
    return [int(width) for width in pad.inputs[1].values]
