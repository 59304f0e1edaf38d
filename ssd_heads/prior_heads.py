"""Heads that predict boxes relative to priors: SSDs of any make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from gluon2caffe.ssd_heads.description import SSDDescription
from gluon2caffe.ssd_heads.detections import Detections, Floats, from_gluon
from gluon2caffe.ssd_heads.graft import check_predictors, graft
from gluon2caffe.ssd_heads.heads import Array, Heads
from gluon2caffe.ssd_heads.prior_boxes import constant_priors

RAW_OUTPUTS = ("class_predictions", "box_predictions")


@dataclass(frozen=True, eq=False, kw_only=True)
class PriorHeads(Heads):
    """The heads of an SSD; the graph they are grafted onto ends in the class and the box predictions."""

    description: SSDDescription

    @classmethod
    def of(cls, description: SSDDescription) -> PriorHeads:
        """The heads that a description describes."""
        return cls(
            description=description,
            image_size=description.image_size,
            score_threshold=description.score_threshold,
            nms_topk=description.nms_topk,
            post_nms=description.post_nms,
        )

    def __str__(self) -> str:
        return str(self.description)

    def graft(self, graph: gs.Graph, *, priors: str = "box") -> None:
        """PriorBox and DetectionOutput nodes on the predictions."""
        check_predictors(graph, self.description)
        graft(graph, self.description, priors=priors)

    def end_raw(self, graph: gs.Graph) -> dict[str, Floats]:
        """Name the two outputs, and give the priors as PriorBox layers would: (1, 2, 4·boxes)."""
        check_predictors(graph, self.description)
        for output, name in zip(graph.outputs, RAW_OUTPUTS, strict=True):
            output.name = name
        described = self.description
        return {"priors": constant_priors(described.heads, described.image_size, described.variances)}

    def read(self, outputs: Sequence[Array]) -> Detections:
        """Ids, scores and boxes as GluonCV's detectors return them."""
        ids, scores, boxes = outputs
        return from_gluon(ids, scores, boxes)
