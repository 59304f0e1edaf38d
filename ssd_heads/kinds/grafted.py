"""Heads that an intermediate of this converter ends in already: rows of a DetectionOutput node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.decoding import DecoderDocument
from gluon2caffe.ssd_heads.detections import Detections, Floats, detections
from gluon2caffe.ssd_heads.functions import DETECTION_OUTPUTS, DOMAIN
from gluon2caffe.ssd_heads.heads import Array, HeadKind, Heads


@dataclass(frozen=True, eq=False, kw_only=True)
class GraftedHeads(Heads):
    """A DetectionOutput node at the end of a graph."""

    attributes: dict[str, Any]

    def __str__(self) -> str:
        fields = self.attributes
        return (
            f"DetectionOutput: {fields['num_classes'] - 1} classes, scores above {self.score_threshold:g}, overlap "
            f"above {fields['nms_threshold']:g}, {fields['keep_top_k']} reported"
        )

    def graft(self, graph: gs.Graph, *, priors: str = "box") -> None:
        """Nothing: it is done. The choice of priors was made then."""
        if priors != "box":
            raise SourceError(f"priors={priors!r}: this graph ends in DetectionOutput already; convert its source.")

    def end_raw(self, graph: gs.Graph) -> dict[str, Floats]:
        """Refused: what was put into the predictors cannot be taken out again."""
        raise SourceError("heads='raw': this graph ends in DetectionOutput already; convert its source.")

    def document(self) -> DecoderDocument:
        """Refused, like its raw end."""
        raise SourceError("heads='raw': this graph ends in DetectionOutput already; convert its source.")

    def read(self, outputs: Sequence[Array]) -> Detections:
        """Rows of seven."""
        return detections(outputs[0], self.image_size, score_threshold=self.score_threshold)


class Grafted(HeadKind):
    """A graph whose one output is made by DetectionOutput."""

    name = "DetectionOutput"

    def in_graph(self, graph: gs.Graph) -> GraftedHeads | None:
        """The node at the end of the graph, if it is one."""
        makers = [node for tensor in graph.outputs for node in tensor.inputs]
        if len(makers) != 1 or makers[0].domain != DOMAIN or makers[0].op not in DETECTION_OUTPUTS:
            return None
        fields = dict(makers[0].attrs)
        height, width = graph.inputs[0].shape[2:]
        return GraftedHeads(
            attributes=fields,
            image_size=(int(height), int(width)),
            score_threshold=float(fields["confidence_threshold"]),
            # Suppression by Caffe's rules is the reference here: nothing may follow its list.
            nms_topk=0,
            post_nms=int(fields["keep_top_k"]),
        )


KIND = Grafted()
