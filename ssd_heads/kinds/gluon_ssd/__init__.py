"""GluonCV's SSD, `gluoncv.model_zoo.SSD`: anchors in pixels, box predictions relative to them, softmax over classes."""

from __future__ import annotations

from typing import Any

import onnx_graphsurgeon as gs

from gluon2caffe.ssd_heads.heads import HeadKind
from gluon2caffe.ssd_heads.kinds.gluon_ssd.block import built_for, describe, is_ssd, raw_heads
from gluon2caffe.ssd_heads.kinds.gluon_ssd.graph import describe_rows
from gluon2caffe.ssd_heads.nms_rows import take_rows_apart
from gluon2caffe.ssd_heads.prior_heads import PriorHeads


class GluonSSD(HeadKind):
    """The block, known by its class, or what `net.export` made of it."""

    name = "GluonCV's SSD"

    def in_block(self, net: Any) -> bool:
        """Whether `net` is a `gluoncv.model_zoo.SSD`."""
        return is_ssd(net)

    def input_shape(self, net: Any) -> tuple[int, ...]:
        """(1, 3, base size, base size)."""
        return built_for(net)

    def raw_block(self, net: Any) -> Any:
        """A block that returns the class and the box predictions."""
        return raw_heads(net)

    def of_block(self, net: Any, input_shape: tuple[int, ...]) -> PriorHeads:
        """The heads, read from the attributes of the block and its children."""
        return PriorHeads.of(describe(net, input_shape))

    def in_graph(self, graph: gs.Graph) -> PriorHeads | None:
        """The heads of an exported block, read from constants and nodes."""
        rows = take_rows_apart(graph)
        found = None if rows is None else describe_rows(graph, rows)
        return None if found is None else PriorHeads.of(*found, rows)


KIND = GluonSSD()
