"""MXNet's own SSD: MultiBoxPrior, and MultiBoxDetection with or without the symbol's training part."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.corner_heads import Suppression, add_node, best_class_only, end_at, graft_corners
from gluon2caffe.ssd_heads.decoding import DecoderDocument
from gluon2caffe.ssd_heads.description import Floats, Head, SSDDescription
from gluon2caffe.ssd_heads.detections import Detections, rows_of
from gluon2caffe.ssd_heads.graft import check_predictors, predictions
from gluon2caffe.ssd_heads.heads import Array, HeadKind
from gluon2caffe.ssd_heads.picture import picture_size
from gluon2caffe.ssd_heads.prior_heads import PriorHeads
from gluon2caffe.ssd_heads.provenance import Origins, numbers

DOMAIN = "mxnet"
DETECTION, TARGET = "_contrib_MultiBoxDetection", "_contrib_MultiBoxTarget"
# Of MultiBoxDetectionParam in MXNet's src/operator/contrib/multibox_detection-inl.h.
_VARIANCES = "(0.1, 0.1, 0.2, 0.2)"


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiBoxHeads(PriorHeads):
    """A MultiBoxDetection node: the best class of each anchor, and suppression within the classes.

    Attributes:
        clips: whether boxes are clipped to the picture before suppression, which DetectionOutput does not do.
        across_classes: whether a box suppresses those of other classes too.
    """

    clips: bool
    across_classes: bool

    def graft(self, graph: gs.Graph, *, priors: str = "box") -> None:
        """PriorBox and DetectionOutput; boxes that are clipped are decoded in front of it."""
        if self.across_classes:
            raise SourceError(
                "MultiBoxDetection lets boxes suppress those of other classes (force_suppress), which DetectionOutput "
                "does not do. Try: heads='raw', and gluon2caffe.decode for the rest."
            )
        if not self.clips:
            super().graft(graph, priors=priors)
            return
        self._end_at_predictions(graph)
        described = self.description
        class_output, box_output = graph.outputs
        scores = add_node(graph, "Softmax", "mbox_conf_softmax", [class_output], class_output.shape, axis=2)
        if len(described.classes) > 1:
            scores = best_class_only(graph, scores)
        suppression = Suppression(
            classes=len(described.classes),
            boxes=described.box_count,
            threshold=described.nms_threshold,
            score_threshold=described.score_threshold,
            topk=described.nms_topk,
            post_nms=-1,
        )
        boxes = _decoded(graph, box_output, described)
        graft_corners(graph, scores, boxes, (1.0, 1.0), suppression, "anchors that are parts of the picture")

    def _end_at_predictions(self, graph: gs.Graph) -> None:
        classes, boxes = self.ends
        shape = [int(classes.shape[0]), int(classes.shape[1]), 4]
        target = gs.Constant("box_rows/shape", np.array(shape, np.int64))
        end_at(graph, [classes, add_node(graph, "Reshape", "box_rows", [boxes, target], shape)])
        check_predictors(graph, self.description)

    def document(self) -> DecoderDocument:
        """An SSD's, with MultiBoxDetection's own rules."""
        return {**super().document(), "clips": self.clips, "across_classes": self.across_classes}

    def read(self, outputs: Sequence[Array]) -> Detections:
        """(N, anchors, 6): class or -1, score, corners as parts of the picture."""
        (rows,) = outputs
        height, width = self.image_size
        return rows_of(rows[..., 0], rows[..., 1], rows[..., 2:] * np.array([width, height] * 2, np.float32))


def _decoded(graph: gs.Graph, predictions_: gs.Tensor, described: SSDDescription) -> gs.Tensor:
    """Corners (N, boxes, 4) as parts of the picture, within it, as TransformLocations in multibox_detection.cc."""
    height, width = described.image_size
    anchors = np.concatenate([head.anchors.reshape(-1, 4) for head in described.heads])
    anchors = (anchors.astype(np.float64) / [width, height, width, height])[None]
    variances = np.array(described.variances)
    images, boxes = (int(length) for length in predictions_.shape[:2])
    half_shape = [images, boxes, 2]
    axis = gs.Constant("mbox_halves/axis", np.array([2], np.int64))

    def part(name: str, first: int) -> gs.Tensor:
        bounds = [
            gs.Constant(f"{name}/{word}", np.array([n], np.int64)) for word, n in (("a", first), ("b", first + 2))
        ]
        return add_node(graph, "Slice", name, [predictions_, *bounds, axis], half_shape)

    def by(op: str, name: str, x: gs.Tensor, values: Any) -> gs.Tensor:
        return add_node(graph, op, name, [x, gs.Constant(f"{name}/values", np.asarray(values, np.float32))], half_shape)

    moved = by("Mul", "mbox_moved", part("mbox_shift", 0), anchors[..., 2:] * variances[:2])
    centre = by("Add", "mbox_centre", moved, anchors[..., :2])
    grown = by("Mul", "mbox_grown", part("mbox_growth", 2), variances[2:])
    half = by("Mul", "mbox_half", add_node(graph, "Exp", "mbox_factor", [grown], half_shape), anchors[..., 2:] / 2)
    first = add_node(graph, "Sub", "mbox_first", [centre, half], half_shape)
    last = add_node(graph, "Add", "mbox_last", [centre, half], half_shape)
    corners = add_node(graph, "Concat", "mbox_corners", [first, last], [images, boxes, 4], axis=2)
    bounds = [gs.Constant(f"mbox_clipped/{name}", np.array(value, np.float32)) for name, value in (("a", 0), ("b", 1))]
    return add_node(graph, "Clip", "mbox_clipped", [corners, *bounds], [images, boxes, 4])


class MultiBox(HeadKind):
    """A `_contrib_MultiBoxDetection` node at the end of a graph."""

    name = "MXNet's SSD"

    def cut_training(self, symbol: Any) -> str:
        """End a symbol with MultiBoxTarget at its detections; put them in where it has none."""
        target = next((index for index, node in enumerate(symbol.nodes) if node.op == TARGET), None)
        if target is None:
            return ""
        detection = next((index for index, node in enumerate(symbol.nodes) if node.op == DETECTION), None)
        if detection is not None:
            symbol.heads = [(detection, 0)]
            return "The training part of the symbol was left out."
        anchors, _, classes = symbol.nodes[target].inputs[:3]
        scores = next(
            (i for i, node in enumerate(symbol.nodes) if node.op == "softmax" and node.inputs == [classes]), None
        )
        boxes = next((node.inputs[0] for node in symbol.nodes if node.inputs[1:] == [(target, 0)]), None)
        if scores is None or boxes is None:
            return ""
        like = symbol.nodes[scores]
        attrs = {"variances": symbol.nodes[target].attrs.get("variances", _VARIANCES)}
        node = type(like)(name="detection", op=DETECTION, attrs=attrs, inputs=[(scores, 0), boxes, anchors])
        symbol.nodes.append(node)
        symbol.heads = [(len(symbol.nodes) - 1, 0)]
        return (
            "The training part of the symbol was left out. It says nothing of suppression: that of MultiBoxDetection's "
            "defaults is used (scores from 0.01, overlap 0.5, all boxes)."
        )

    def in_graph(self, graph: gs.Graph) -> MultiBoxHeads | None:
        """The heads, from the node's attributes and the constant anchors."""
        nodes = [node for node in graph.nodes if node.domain == DOMAIN and node.op == DETECTION]
        ends = [_behind_identities(tensor) for tensor in graph.outputs]
        if len(nodes) != 1 or ends != [nodes[0].outputs[0]]:
            return None
        (node,) = nodes
        softmax = _maker(node, node.inputs[0], "Softmax")
        class_output = _maker(node, softmax.inputs[0], "Transpose").inputs[0]
        box_output = node.inputs[1]
        if softmax.attrs.get("axis", -1) % 3 != 1:
            raise _other_form(node, "its scores are no softmax over the classes")
        description = _describe(graph, node, class_output, box_output)
        force = len(description.classes) > 1 and node.attrs.get("force_suppress", "False") in ("True", "1")
        clips = node.attrs.get("clip", "True") in ("True", "1")
        heads = MultiBoxHeads.of(description, (class_output, box_output), clips=clips, across_classes=force)
        return heads


def _describe(graph: gs.Graph, node: gs.Node, class_output: gs.Tensor, box_output: gs.Tensor) -> SSDDescription:
    attrs = node.attrs
    if int(attrs.get("background_id", 0)) != 0:
        raise _other_form(node, f"its background is class {attrs['background_id']}, expected 0")
    height, width = picture_size(graph)
    origins = Origins()
    codes = origins.of(node.inputs[2])
    if origins.leaf(codes).any():
        raise _other_form(node, "its anchors are computed from the picture")
    corners = numbers(codes).reshape(-1, 4).astype(np.float64)
    centre, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    anchors = (np.concatenate([centre, size], axis=1) * [width, height, width, height]).astype(np.float32)
    classes = int(class_output.shape[2]) - 1
    threshold = float(attrs.get("nms_threshold", 0.5))
    a, b, c, d = (float(value) for value in ast.literal_eval(attrs.get("variances", _VARIANCES)))
    return SSDDescription(
        name=graph.name or "SSD",
        image_size=(height, width),
        heads=tuple(_heads(node, predictions(class_output), predictions(box_output), anchors)),
        variances=(a, b, c, d),
        box_clip=None,
        classes=tuple(f"class{number}" for number in range(classes)),
        score_threshold=float(attrs.get("threshold", 0.01)),
        nms_threshold=threshold if 0 < threshold <= 1 else None,
        nms_topk=int(attrs.get("nms_topk", -1)),
        post_nms=-1,
        best_class=True,
        in_pixels=False,
    )


def _heads(node: gs.Node, classes: list[gs.Tensor], boxes: list[gs.Tensor], anchors: Floats) -> list[Head]:
    heads, first = [], 0
    for index, (scores, box) in enumerate(zip(classes, boxes, strict=True)):
        rows, columns = (int(length) for length in box.shape[2:])
        count = rows * columns * (int(box.shape[1]) // 4)
        heads.append(
            Head(
                index=index,
                feature_shape=(rows, columns),
                anchors=anchors[first : first + count].reshape(rows, columns, -1, 4),
                generator="MultiBoxPrior",
                sizes=(),
                ratios=(),
                clip=False,
                predictors=(scores.inputs[0].name, box.inputs[0].name),
            )
        )
        first += count
    if first != len(anchors):
        raise _other_form(node, f"its feature maps predict {first} boxes for {len(anchors)} anchors")
    return heads


def _behind_identities(tensor: gs.Tensor) -> gs.Tensor:
    while tensor.inputs and tensor.inputs[0].op == "Identity":
        tensor = tensor.inputs[0].inputs[0]
    return tensor


def _maker(node: gs.Node, tensor: gs.Tensor, op: str) -> gs.Node:
    tensor = _behind_identities(tensor)
    maker = tensor.inputs[0] if tensor.inputs else None
    if maker is None or maker.op != op:
        raise _other_form(node, f"{tensor.name!r} is no result of {op}")
    return maker


def _other_form(node: gs.Node, reason: str) -> SourceError:
    return SourceError(f"{node.name!r} cannot become a DetectionOutput layer: {reason}.")


KIND = MultiBox()
