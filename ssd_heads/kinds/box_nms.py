"""Any detector that ends in MXNet's `box_nms`: GluonCV's YOLOv3, and nets of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.corner_heads import Suppression, end_named, graft_corners, joined_boxes, joined_scores
from gluon2caffe.ssd_heads.decoding import DecoderDocument
from gluon2caffe.ssd_heads.detections import Detections, Floats
from gluon2caffe.ssd_heads.heads import Array, HeadKind, Heads
from gluon2caffe.ssd_heads.nms_rows import NMSRows, take_rows_apart
from gluon2caffe.ssd_heads.picture import picture_size

RAW_OUTPUTS = ("scores", "boxes")


@dataclass(frozen=True, eq=False, kw_only=True)
class BoxNMSHeads(Heads):
    """Scores and boxes that the net computes, and suppression within each class."""

    rows: NMSRows
    suppression: Suppression

    def __str__(self) -> str:
        rows, (height, width) = self.rows, self.image_size
        entering = "all" if rows.topk <= 0 else rows.topk
        return (
            f"box NMS: input {height}×{width}, {rows.boxes} boxes, {rows.classes} classes\n"
            f"scores above {rows.score_threshold:g}\n"
            f"suppression: overlap above {rows.threshold:g}, of {entering} boxes, {rows.post_nms or 'all'} reported"
        )

    def graft(self, graph: gs.Graph, *, priors: str = "box") -> None:
        """DetectionOutput on the net's own boxes."""
        if priors != "box":
            raise SourceError(f"priors={priors!r} needs an SSD; this detector has no priors.")
        if self.rows.across_classes:
            node = self.rows.node
            raise SourceError(
                f"The suppression {node.name!r} lets boxes suppress those of other classes (force_suppress), which "
                "DetectionOutput does not do. Try: heads='raw', and gluon2caffe.decode for the rest."
            )
        scores, boxes = self._tensors(graph)
        height, width = self.image_size
        graft_corners(graph, scores, boxes, (float(height), float(width)), self.suppression)

    def end_raw(self, graph: gs.Graph) -> dict[str, Floats]:
        """End at the scores (N, boxes, classes + 1), the background's 0, and the corners (N, boxes, 4) in pixels."""
        end_named(graph, self._tensors(graph), RAW_OUTPUTS)
        return {}

    def document(self) -> DecoderDocument:
        """Suppression of the boxes as they are."""
        return {
            "kind": "corners",
            "outputs": list(RAW_OUTPUTS),
            "image_size": list(self.image_size),
            "score_threshold": self.score_threshold,
            "nms_threshold": self.suppression.threshold,
            "nms_topk": self.nms_topk,
            "post_nms": self.post_nms,
            "best_class": False,
            "across_classes": self.rows.across_classes,
            "clips": False,
            "largest_growth": None,
        }

    def _tensors(self, graph: gs.Graph) -> tuple[gs.Tensor, gs.Tensor]:
        images = int(graph.inputs[0].shape[0])
        return joined_scores(graph, self.rows.scores, images), joined_boxes(graph, self.rows.corners, images)

    def read(self, outputs: Sequence[Array]) -> Detections:
        """The outputs of the net, by the columns of the rows that they hold."""
        return self.rows.read(outputs)


class BoxNMS(HeadKind):
    """A `box_nms` node at the end of a graph."""

    name = "box NMS"
    rank = 10

    def in_graph(self, graph: gs.Graph) -> BoxNMSHeads | None:
        """Scores, boxes and suppression, from what is put into the node's rows."""
        rows = take_rows_apart(graph)
        if rows is None:
            return None
        if {column for columns in rows.columns for column in columns} < {*rows.row[1:]}:
            raise SourceError(f"The outputs after {rows.node.name!r} leave out scores or corners.")
        switched_off = not 0 < rows.threshold < 1
        return BoxNMSHeads(
            rows=rows,
            suppression=Suppression(
                classes=rows.classes,
                boxes=rows.boxes,
                threshold=None if switched_off else rows.threshold,
                score_threshold=rows.score_threshold,
                topk=rows.topk,
                post_nms=rows.post_nms,
            ),
            image_size=picture_size(graph),
            score_threshold=rows.score_threshold,
            nms_topk=rows.topk,
            post_nms=rows.post_nms,
        )


KIND = BoxNMS()
