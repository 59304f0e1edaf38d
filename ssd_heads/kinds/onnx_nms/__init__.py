"""Detectors in ONNX files that end in `NonMaxSuppression`, whatever their exporter wrote around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.corner_heads import Suppression, add_node, best_class_only, end_named, graft_corners
from gluon2caffe.ssd_heads.decoding import DecoderDocument
from gluon2caffe.ssd_heads.detections import Detections, Floats
from gluon2caffe.ssd_heads.heads import Array, HeadKind, Heads
from gluon2caffe.ssd_heads.kinds.onnx_nms.columns import BOXES, SCORES, Columns, Indices
from gluon2caffe.ssd_heads.kinds.onnx_nms.recognise import recognise
from gluon2caffe.ssd_heads.kinds.onnx_nms.rules import Rules
from gluon2caffe.ssd_heads.kinds.onnx_nms.tail import Layout, Tail, find_tail, name_of
from gluon2caffe.ssd_heads.picture import picture_size

RAW_OUTPUTS = ("scores", "boxes")


@dataclass(frozen=True, eq=False, kw_only=True)
class ONNXNMSHeads(Heads):
    """Boxes and scores of an ONNX detector, and the rules by which its end suppresses them."""

    tail: Tail
    rules: Rules
    columns: Columns | Indices
    in_pixels: bool

    @property
    def classes(self) -> int:
        """Number of foreground classes."""
        return self.tail.scores.width - (self.rules.background is not None)

    def __str__(self) -> str:
        rules, (height, width) = self.rules, self.image_size
        best = ", best class of each box" if rules.best_class else ""
        each = f", {rules.class_topk} of each class" if rules.class_topk else ""
        return (
            f"ONNX NMS: input {height}×{width}, {self.tail.boxes.boxes} boxes, {self.classes} classes\n"
            f"scores above {rules.threshold:g}\n"
            f"suppression: overlap above {rules.overlap:g}{best}, of {rules.topk or 'all'} boxes{each}, "
            f"{rules.keep or 'all'} reported"
        )

    def graft(self, graph: gs.Graph, *, priors: str = "box") -> None:
        """DetectionOutput on the net's own boxes."""
        rules, name = self.rules, name_of(self.tail.node)
        if priors != "box":
            raise SourceError(f"priors={priors!r} needs an SSD; this detector has no priors.")
        if rules.across_classes:
            raise SourceError(
                f"The suppression {name!r} lets boxes suppress those of other classes, which DetectionOutput does not "
                "do. heads='raw' ends the net before it, and ssd_heads.decode does the rest."
            )
        if rules.class_limit:
            raise SourceError(
                f"The suppression {name!r} lets at most {rules.class_limit} boxes of each class through, which "
                "DetectionOutput does not do. heads='raw' ends the net before it, and ssd_heads.decode does the rest."
            )
        scores, boxes = self._tensors(graph)
        if rules.best_class and self.classes > 1:
            scores = best_class_only(graph, scores)
        height, width = self.image_size if self.in_pixels else (1, 1)
        suppression = Suppression(
            classes=self.classes,
            boxes=self.tail.boxes.boxes,
            threshold=rules.overlap if rules.overlap < 1 else None,
            score_threshold=rules.threshold,
            topk=rules.class_topk or rules.topk,
            post_nms=rules.keep,
        )
        graft_corners(graph, scores, boxes, (float(height), float(width)), suppression)

    def end_raw(self, graph: gs.Graph) -> dict[str, Floats]:
        """End at the scores (N, boxes, classes + 1), the background's first, and the corners (N, boxes, 4)."""
        scores, boxes = self._tensors(graph)
        if not self.in_pixels:
            height, width = self.image_size
            size = gs.Constant("mbox_pixels/size", np.array([width, height] * 2, np.float32))
            boxes = add_node(graph, "Mul", "mbox_pixels", [boxes, size], boxes.shape)
        end_named(graph, (scores, boxes), RAW_OUTPUTS)
        return {}

    def document(self) -> DecoderDocument:
        """Suppression of the boxes as they are."""
        rules = self.rules
        return {
            "kind": "corners",
            "outputs": list(RAW_OUTPUTS),
            "image_size": list(self.image_size),
            "score_threshold": rules.threshold,
            "nms_threshold": rules.overlap,
            "nms_topk": rules.topk,
            "class_topk": rules.class_topk,
            "class_limit": rules.class_limit,
            "post_nms": rules.keep,
            "best_class": rules.best_class,
            "across_classes": rules.across_classes,
            "clips": False,
            "largest_growth": None,
        }

    def read(self, outputs: Sequence[Array]) -> Detections:
        """The outputs of the net by their columns, or the boxes and scores that an output chooses."""
        places = dict(enumerate(outputs))
        if self.fetch:
            chosen, boxes, scores = outputs
            rows = {BOXES: self.tail.boxes.rows(boxes), SCORES: self.tail.scores.rows(scores)}
            places = {**rows, self.columns.output: chosen} if isinstance(self.columns, Indices) else places
        found = self.columns.read(places, self.tail.boxes.images)
        height, width = (1, 1) if self.in_pixels else self.image_size
        return found._replace(
            ids=found.ids - (self.rules.background == 0),
            boxes=found.boxes * np.array([width, height] * 2, np.float32),
        )

    def _tensors(self, graph: gs.Graph) -> tuple[gs.Tensor, gs.Tensor]:
        """Scores (N, boxes, classes + 1), the background's first, and corners (N, boxes, 4)."""
        scores, boxes = _rows(graph, self.tail.scores, "mbox_conf"), _rows(graph, self.tail.boxes, "mbox")
        images, count, width = scores.shape
        if self.rules.background not in (None, 0):
            scores, width = _part(graph, scores, "mbox_conf_foreground", 0, width - 1), width - 1
        if self.rules.background != 0:
            pads = gs.Constant("mbox_conf_padded/pads", np.array([0, 0, 1, 0, 0, 0], np.int64))
            scores = add_node(graph, "Pad", "mbox_conf_padded", [scores, pads], [images, count, width + 1])
        if self.rules.centers:
            boxes = _corners(graph, boxes)
        elif self.columns.coordinates != (0, 1, 2, 3):
            order = gs.Constant("mbox_ordered/order", np.array(self.columns.coordinates, np.int64))
            boxes = add_node(graph, "Gather", "mbox_ordered", [boxes, order], boxes.shape, axis=2)
        return scores, boxes


def _rows(graph: gs.Graph, layout: Layout, name: str) -> gs.Tensor:
    """The numbers of a layout as (N, boxes, width)."""
    shape = [layout.images, layout.boxes, layout.width]
    lying = [layout.images, layout.width, layout.boxes] if layout.boxes_last else shape
    x = layout.tensor
    if list(x.shape) != lying:
        target = gs.Constant(f"{name}_lying/shape", np.array(lying, np.int64))
        x = add_node(graph, "Reshape", f"{name}_lying", [x, target], lying)
    return add_node(graph, "Transpose", f"{name}_rows", [x], shape, perm=[0, 2, 1]) if layout.boxes_last else x


def _part(graph: gs.Graph, x: gs.Tensor, name: str, first: int, end: int) -> gs.Tensor:
    """Columns of (N, boxes, width)."""
    bounds = [
        gs.Constant(f"{name}/{word}", np.array([n], np.int64)) for word, n in (("a", first), ("b", end), ("axis", 2))
    ]
    return add_node(graph, "Slice", name, [x, *bounds], [*x.shape[:2], end - first])


def _corners(graph: gs.Graph, boxes: gs.Tensor) -> gs.Tensor:
    """Corners of boxes that are centre and size."""
    centre, size = _part(graph, boxes, "mbox_centre", 0, 2), _part(graph, boxes, "mbox_size", 2, 4)
    by = gs.Constant("mbox_half/by", np.array(0.5, np.float32))
    half = add_node(graph, "Mul", "mbox_half", [size, by], size.shape)
    first = add_node(graph, "Sub", "mbox_first", [centre, half], centre.shape)
    last = add_node(graph, "Add", "mbox_last", [centre, half], centre.shape)
    return add_node(graph, "Concat", "mbox_corners", [first, last], boxes.shape, axis=2)


class ONNXNMS(HeadKind):
    """A `NonMaxSuppression` node by which the outputs of a graph are made."""

    name = "ONNX NMS"
    rank = 20

    def in_graph(self, graph: gs.Graph) -> ONNXNMSHeads | None:
        """What suppression is given, and by which rules it works."""
        # A node on its own, or behind other heads, is no detector.
        has_picture = any(len(tensor.shape or ()) == 4 for tensor in graph.inputs)
        tail = find_tail(graph) if has_picture else None
        if tail is None:
            return None
        size = picture_size(graph)
        in_pixels = True
        try:
            found = recognise(tail, size)
        except SourceError:
            # Where classes are kept apart by moving their boxes, the unit of the boxes matters.
            in_pixels = False
            found = recognise(tail, (1.0, 1.0))
        read = found.columns
        return ONNXNMSHeads(
            in_pixels=in_pixels,
            fetch=(graph.outputs[read.output].name, tail.boxes.tensor.name, tail.scores.tensor.name)
            if isinstance(read, Indices)
            else (),
            tail=tail,
            rules=found.rules,
            columns=found.columns,
            image_size=size,
            score_threshold=found.rules.threshold,
            nms_topk=found.rules.topk,
            post_nms=found.rules.keep,
        )


KIND = ONNXNMS()
