"""GluonCV's CenterNet, `gluoncv.model_zoo.CenterNet`: objects as peaks of a heat map, with their sizes and offsets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.corner_heads import add_node, end_at
from gluon2caffe.ssd_heads.decoding import DecoderDocument
from gluon2caffe.ssd_heads.detections import Detections, Floats, rows_of
from gluon2caffe.ssd_heads.functions import DOMAIN, add_functions
from gluon2caffe.ssd_heads.heads import Array, HeadKind, Heads
from gluon2caffe.ssd_heads.kinds.center_net.peaks import OPERATOR

RAW_OUTPUTS = ("heatmap", "sizes", "offsets")


@dataclass(frozen=True, eq=False, kw_only=True)
class CenterNetHeads(Heads):
    """The three maps of a CenterNet: (N, classes, H, W), (N, 2, H, W) and (N, 2, H, W).

    Attributes:
        classes: number of classes.
        scale: pixels of the picture per cell of the maps.
    """

    classes: int
    scale: float

    def __str__(self) -> str:
        height, width = self.image_size
        return (
            f"CenterNet: input {height}×{width}, {self.classes} classes, the best {self.post_nms} peaks, "
            f"{self.scale:g} pixels per cell"
        )

    def graft(self, graph: gs.Graph, *, priors: str = "box") -> None:
        """PeakOutput on the cells of the heat map that no neighbour exceeds."""
        if priors != "box":
            raise SourceError(f"priors={priors!r} needs an SSD; CenterNet has no priors.")
        heat, sizes, offsets = graph.outputs
        height, width = self.image_size
        window = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]}
        largest = add_node(graph, "MaxPool", "peak_largest", [heat], heat.shape, **window)
        is_peak = gs.Variable("peak_is", np.bool_, heat.shape)
        graph.layer(op="Equal", name=is_peak.name, inputs=[largest, heat], outputs=[is_peak])
        mask = add_node(graph, "Cast", "peak_mask", [is_peak], heat.shape, to=1)
        peaks = add_node(graph, "Mul", "peaks", [heat, mask], heat.shape)
        result = gs.Variable("detection_out", np.float32, [1, 1, int(heat.shape[0]) * self.post_nms, 7])
        graph.layer(
            op=OPERATOR,
            domain=DOMAIN,
            name=result.name,
            inputs=[peaks, sizes, offsets],
            outputs=[result],
            attrs={"top_k": self.post_nms, "factor_x": self.scale / width, "factor_y": self.scale / height},
        )
        end_at(graph, [result])
        add_functions(graph)

    def end_raw(self, graph: gs.Graph) -> dict[str, Floats]:
        """Name the three maps."""
        for output, name in zip(graph.outputs, RAW_OUTPUTS, strict=True):
            output.name = name
        return {}

    def document(self) -> DecoderDocument:
        """Peaks and boxes."""
        return {
            "kind": "centers",
            "outputs": list(RAW_OUTPUTS),
            "image_size": list(self.image_size),
            "post_nms": self.post_nms,
            "scale": self.scale,
        }

    def read(self, outputs: Sequence[Array]) -> Detections:
        """Classes (N, K), scores (N, K) and corners (N, K, 4) in pixels."""
        ids, scores, boxes = outputs
        return rows_of(ids, scores, boxes)


class CenterNet(HeadKind):
    """The block, known by its class."""

    name = "CenterNet"
    whole = False

    def in_block(self, net: Any) -> bool:
        """Whether `net` is a `gluoncv.model_zoo.CenterNet`, found out without importing GluonCV."""
        return any(
            base.__name__ == "CenterNet" and base.__module__.startswith("gluoncv.model_zoo.center_net")
            for base in type(net).__mro__
        )

    def input_shape(self, net: Any) -> tuple[int, ...]:
        """(1, 3, 512, 512): the block does not say what it was trained on, and GluonCV's all were on this."""
        return (1, 3, 512, 512)

    def raw_block(self, net: Any) -> Any:
        """A block that returns the heat map after the sigmoid, the sizes and the offsets."""
        import mxnet

        class RawMaps(mxnet.gluon.HybridBlock):  # type: ignore[misc]
            """(N, classes, H, W), (N, 2, H, W) and (N, 2, H, W)."""

            def __init__(self) -> None:
                super().__init__(prefix=net.prefix, params=net.collect_params())
                self.base_network, self.heads = net.base_network, net.heads

            def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803  (MXNet's own name)
                features = self.base_network(x)
                heat, sizes, offsets = (head(features) for head in self.heads)
                return [F.sigmoid(heat), sizes, offsets]

        return RawMaps()

    def of_block(self, net: Any, input_shape: tuple[int, ...]) -> CenterNetHeads:
        """The heads, read from the attributes of the block."""
        if len(input_shape) != 4:
            raise SourceError(f"A CenterNet takes an input (N, C, H, W), not {input_shape}.")
        if getattr(net, "flip_test", False):
            raise SourceError(f"{net.name} averages over a flipped picture. Try: net.flip_test = False")
        return CenterNetHeads(
            image_size=(input_shape[2], input_shape[3]),
            score_threshold=0.0,
            nms_topk=-1,
            post_nms=int(net.topk),
            classes=len(net.classes),
            scale=float(net.scale),
        )


KIND = CenterNet()
