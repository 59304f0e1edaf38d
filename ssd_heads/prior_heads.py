"""Heads that predict boxes relative to priors: SSDs of any make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx_graphsurgeon as gs

from gluon2caffe.ssd_heads.corner_heads import end_at
from gluon2caffe.ssd_heads.decoding import DecoderDocument
from gluon2caffe.ssd_heads.description import SSDDescription
from gluon2caffe.ssd_heads.detections import Detections, Floats, from_gluon
from gluon2caffe.ssd_heads.graft import check_predictors, graft
from gluon2caffe.ssd_heads.heads import Array, Heads
from gluon2caffe.ssd_heads.nms_rows import NMSRows
from gluon2caffe.ssd_heads.prior_boxes import constant_priors

if TYPE_CHECKING:
    from typing_extensions import Self

RAW_OUTPUTS = ("class_predictions", "box_predictions")


@dataclass(frozen=True, eq=False, kw_only=True)
class PriorHeads(Heads):
    """The heads of an SSD.

    Attributes:
        description: of all that is written.
        ends: the class and the box predictions, before softmax and decoder; empty where they are the graph's outputs.
        rows: what `read` knows the outputs by; None for outputs as of GluonCV's blocks.
    """

    description: SSDDescription
    ends: tuple[gs.Tensor, ...] = ()
    rows: NMSRows | None = None

    @classmethod
    def of(
        cls, description: SSDDescription, ends: tuple[gs.Tensor, ...] = (), rows: NMSRows | None = None, **more: Any
    ) -> Self:
        """The heads that a description describes."""
        return cls(
            ends=ends,
            rows=rows,
            **more,
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
        self._end_at_predictions(graph)
        graft(graph, self.description, priors=priors)

    def end_raw(self, graph: gs.Graph) -> dict[str, Floats]:
        """Name the two outputs, and give the priors as PriorBox layers would: (1, 2, 4·boxes)."""
        self._end_at_predictions(graph)
        for output, name in zip(graph.outputs, RAW_OUTPUTS, strict=True):
            output.name = name
        described = self.description
        return {"priors": constant_priors(described.heads, described.image_size, described.variances)}

    def document(self) -> DecoderDocument:
        """Softmax, priors and suppression."""
        described = self.description
        return {
            "kind": "priors",
            "outputs": list(RAW_OUTPUTS),
            "image_size": list(self.image_size),
            "score_threshold": self.score_threshold,
            "nms_threshold": described.nms_threshold,
            "nms_topk": self.nms_topk,
            "post_nms": self.post_nms,
            "best_class": described.best_class,
            "across_classes": False,
            "clips": False,
            "largest_growth": described.box_clip,
        }

    def _end_at_predictions(self, graph: gs.Graph) -> None:
        if self.ends:
            end_at(graph, self.ends)
        check_predictors(graph, self.description)

    def read(self, outputs: Sequence[Array]) -> Detections:
        """Ids, scores and boxes as GluonCV's detectors return them, or any part of `box_nms`'s rows."""
        if self.rows is not None:
            return self.rows.read(outputs)
        ids, scores, boxes = outputs
        return from_gluon(ids, scores, boxes)
