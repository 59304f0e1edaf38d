"""Pad of zeros before Conv, and of minus infinity before MaxPool: the pads add up, since both pad so too.

Not folded: other values and other modes; channels; a reader with auto_pad, or that rounds its size up and may begin a
window in the padding; a Pad that other nodes read as well.
"""

from __future__ import annotations

import onnx_graphsurgeon as gs

from gluon2caffe.bridge.normalize.surgery import Ends, bypass, ends_of, only_reader

# What an operator pads with itself.
_OWN_VALUE = {"Conv": 0.0, "MaxPool": float("-inf")}


def fold_padding(graph: gs.Graph) -> bool:
    """Fold every such Pad."""
    ends = ends_of(graph)
    return bool(sum(_fold(node, ends) for node in graph.nodes if node.op == "Pad"))


def _fold(pad: gs.Node, ends: Ends) -> bool:
    reader = only_reader(pad.outputs[0], ends)
    padding = _constant_padding(pad)
    if reader is None or padding is None or reader.inputs[0] is not pad.outputs[0]:
        return False
    widths, value = padding
    if _OWN_VALUE.get(reader.op) != value or reader.attrs.get("ceil_mode", 0):
        return False
    if reader.attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "") or min(widths) < 0:
        return False
    rank = len(widths) // 2
    if any(widths[:2]) or any(widths[rank : rank + 2]):
        return False
    spatial = widths[2:rank] + widths[rank + 2 :]
    own = list(reader.attrs.get("pads", [0] * len(spatial)))
    reader.attrs["pads"] = [a + b for a, b in zip(own, spatial, strict=True)]
    return bypass(pad, ends, into=reader)


def _constant_padding(pad: gs.Node) -> tuple[list[int], float] | None:
    """The pads and their value, where both are constant."""
    if pad.attrs.get("mode", "constant") != "constant":
        return None
    if "pads" in pad.attrs:
        return list(pad.attrs["pads"]), float(pad.attrs.get("value", 0.0))
    if len(pad.inputs) > 3 and pad.inputs[3].name:
        return None
    if len(pad.inputs) < 2 or not isinstance(pad.inputs[1], gs.Constant):
        return None
    value = 0.0
    if len(pad.inputs) > 2 and pad.inputs[2].name:
        if not isinstance(pad.inputs[2], gs.Constant):
            return None
        value = float(pad.inputs[2].values.item())
    return [int(width) for width in pad.inputs[1].values], value
