"""Ending a graph in DetectionOutput on boxes and scores that are computed already, whatever made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.sizes.marks import bind
from gluon2caffe.ssd_heads.functions import ALL, DOMAIN, add_functions
from gluon2caffe.ssd_heads.nms_rows import Piece


@dataclass(frozen=True)
class Suppression:
    """Non-maximum suppression within each class.

    Attributes:
        classes: number of foreground classes.
        boxes: number of boxes.
        threshold: overlap above which the weaker box goes; None where suppression is switched off.
        score_threshold: a box enters for scores above this.
        topk: number of boxes that enter; 0 or less for all.
        post_nms: number of boxes that are reported; 0 or less for all.
    """

    classes: int
    boxes: int
    threshold: float | None
    score_threshold: float
    topk: int
    post_nms: int

    def attributes(self, code_type: str) -> dict[str, object]:
        """The attributes of the ONNX node, every field of the Caffe layer written out.

        Suppression that is switched off is an overlap of 1, which no two boxes exceed.
        """
        return {
            "num_classes": self.classes + 1,
            "share_location": 1,
            "background_label_id": 0,
            "code_type": code_type,
            "nms_threshold": 1.0 if self.threshold is None else self.threshold,
            "top_k": self.topk if self.topk > 0 else ALL,
            "keep_top_k": self.post_nms if self.post_nms > 0 else ALL,
            "confidence_threshold": self.score_threshold,
        }


def joined_scores(graph: gs.Graph, pieces: Sequence[Piece], images: int) -> gs.Tensor:
    """The scores of all boxes, (N, boxes, classes + 1), the background's in front; zeros where there is none."""
    parts = []
    for number, piece in enumerate(pieces):
        rows = _as_rows(graph, piece, images, f"mbox_conf_{number}")
        if piece.offset == 0:
            pads = gs.Constant(f"mbox_conf_{number}/pads", np.array([0, 0, 1, 0, 0, 0], np.int64))
            rows = add_node(graph, "Pad", f"mbox_conf_{number}", [rows, pads], [images, piece.count, piece.width + 1])
        parts.append(rows)
    return _concatenated(graph, parts, "mbox_conf")


def joined_boxes(graph: gs.Graph, pieces: Sequence[Piece], images: int) -> gs.Tensor:
    """The corners of all boxes, (N, boxes, 4), as the source has them."""
    parts = [_as_rows(graph, piece, images, f"mbox_{number}") for number, piece in enumerate(pieces)]
    return _concatenated(graph, parts, "mbox")


def best_class_only(graph: gs.Graph, scores: gs.Tensor) -> gs.Tensor:
    """Scores (N, boxes, classes + 1) of which each box keeps its best foreground one; the others, and the first, are 0.

    A score is the best where it is not less than the largest, which is exact.
    """
    images, boxes, width = (int(length) for length in scores.shape)
    classes = [images, boxes, width - 1]
    bounds = [
        gs.Constant(f"mbox_classes/{name}", np.array([n], np.int64)) for name, n in (("first", 1), ("end", width))
    ]
    axis = gs.Constant("mbox_classes/axis", np.array([2], np.int64))
    foreground = add_node(graph, "Slice", "mbox_classes", [scores, *bounds, axis], classes)
    best = add_node(graph, "ReduceMax", "mbox_best", [foreground], [images, boxes, 1], axes=[2], keepdims=1)
    is_best = gs.Variable("mbox_is_best", np.bool_, classes)
    graph.layer(op="GreaterOrEqual", name=is_best.name, inputs=[foreground, best], outputs=[is_best])
    mask = add_node(graph, "Cast", "mbox_best_mask", [is_best], classes, to=1)
    kept = add_node(graph, "Mul", "mbox_best_scores", [foreground, mask], classes)
    pads = gs.Constant("mbox_best_padded/pads", np.array([0, 0, 1, 0, 0, 0], np.int64))
    return add_node(graph, "Pad", "mbox_best_padded", [kept, pads], [images, boxes, width])


def graft_corners(
    graph: gs.Graph,
    scores: gs.Tensor,
    boxes: gs.Tensor,
    extent: tuple[float, float],
    suppression: Suppression,
    bound: str = "",
) -> None:
    """End `graph` in rows of detections.

    Args:
        graph: the outputs are replaced.
        scores: (N, boxes, classes + 1), the background's first.
        boxes: (N, boxes, 4) corners x1, y1, x2, y2.
        extent: (height, width) of the picture in the unit of the boxes.
        suppression: what the layer does.
        bound: why the boxes hold for a picture of this size alone, if they do.
    """
    images, count = boxes.shape[:2]
    conf = add_node(graph, "Flatten", "mbox_conf_flatten", [scores], [images, count * scores.shape[2]], axis=1)
    if extent != (1.0, 1.0):
        bound = bound or "corners divided by the size of the picture"
        height, width = extent
        factors = np.array([1 / width, 1 / height] * 2 if width != height else 1 / width, np.float32)
        boxes = add_node(graph, "Mul", "mbox_parts", [boxes, gs.Constant("mbox_parts/factors", factors)], boxes.shape)
    loc = add_node(graph, "Flatten", "mbox_loc", [boxes], [images, count * 4], axis=1)
    result = gs.Variable("detection_out", np.float32, [1, 1, "detections", 7])
    graph.layer(
        op="CornerDetectionOutput",
        domain=DOMAIN,
        name=result.name,
        inputs=[loc, conf],
        outputs=[result],
        attrs=suppression.attributes("CORNER"),
    )
    if bound:
        bind(graph.nodes[-1], bound)
    end_at(graph, [result])
    add_functions(graph)


def end_at(graph: gs.Graph, outputs: Sequence[gs.Tensor]) -> None:
    """Make these the outputs, and take out what nothing reads any more."""
    graph.outputs = list(outputs)
    graph.cleanup(remove_unused_graph_inputs=False).toposort()


def end_named(graph: gs.Graph, outputs: Sequence[gs.Tensor], names: Sequence[str]) -> None:
    """End a graph at these tensors under these names; a tensor of such a name inside it gets another."""
    end_at(graph, outputs)
    for output, name in zip(outputs, names, strict=True):
        for node in graph.nodes:
            for tensor in node.outputs:
                if tensor.name == name and tensor is not output:
                    tensor.name = f"{name}/source"
        output.name = name


def _as_rows(graph: gs.Graph, piece: Piece, images: int, name: str) -> gs.Tensor:
    """The numbers of a piece as (N, boxes, width)."""
    shape = [images, piece.count, piece.width]
    if piece.places is not None:
        flat = _reshaped(graph, piece.tensor, f"{name}_flat", [images, int(np.prod(piece.tensor.shape)) // images])
        places = gs.Constant(f"{name}_picked/places", piece.places)
        picked = add_node(graph, "Gather", f"{name}_picked", [flat, places], [images, len(piece.places)], axis=1)
        return _reshaped(graph, picked, f"{name}_rows", shape)
    if piece.boxes_last:
        lying = [images, piece.width, piece.count]
        x = _reshaped(graph, piece.tensor, f"{name}_lying", lying)
        return add_node(graph, "Transpose", f"{name}_rows", [x], shape, perm=[0, 2, 1])
    return _reshaped(graph, piece.tensor, f"{name}_rows", shape)


def _reshaped(graph: gs.Graph, x: gs.Tensor, name: str, shape: list[int]) -> gs.Tensor:
    if list(x.shape) == shape:
        return x
    return add_node(graph, "Reshape", name, [x, gs.Constant(f"{name}/shape", np.array(shape, np.int64))], shape)


def _concatenated(graph: gs.Graph, parts: list[gs.Tensor], name: str) -> gs.Tensor:
    if len(parts) == 1:
        return parts[0]
    shape = [parts[0].shape[0], sum(part.shape[1] for part in parts), parts[0].shape[2]]
    return add_node(graph, "Concat", name, parts, shape, axis=1)


def add_node(
    graph: gs.Graph, op: str, name: str, inputs: list[gs.Tensor], shape: Sequence[int], **attrs: object
) -> gs.Tensor:
    """Append a node with one float32 output, and return that."""
    made = gs.Variable(name, np.float32, list(shape))
    graph.layer(op=op, name=name, inputs=inputs, outputs=[made], attrs=attrs)
    return made
