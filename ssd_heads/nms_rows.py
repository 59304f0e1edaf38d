"""What MXNet's `box_nms` is given: rows of class, score and corners, taken apart into scores and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.detections import Detections, rows_of
from gluon2caffe.ssd_heads.provenance import Codes, Origins, numbers

DOMAIN = "mxnet"
OPERATOR = "_contrib_box_nms"


@dataclass(frozen=True)
class Piece:
    """A tensor that holds scores or boxes of boxes `first` to `first + count`.

    Attributes:
        tensor: its numbers lie image by image.
        first: number of its first box.
        count: number of its boxes.
        width: numbers per box: 4, or how many classes there are.
        offset: place of the first foreground class among them: 1 where the background stands in front of it.
        boxes_last: whether it holds class after class instead of box after box.
        places: where the numbers of an image lie in its part of the tensor, box after box, where that is irregular.
    """

    tensor: gs.Tensor
    first: int
    count: int
    width: int
    offset: int = 0
    boxes_last: bool = False
    places: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class NMSRows:
    """Suppression at the end of a graph, and what goes into it.

    Attributes:
        node: the `box_nms` node.
        boxes: number of boxes.
        classes: number of foreground classes.
        scores: tensors that hold the scores, together all of them.
        corners: tensors that hold the boxes.
        masks: conditions by which a row without enough score gets the class -1.
        threshold: overlap above which the weaker box goes.
        score_threshold: a box enters for a score above this.
        topk: number of rows that enter; 0 or less for all.
        post_nms: number of rows that are given; 0 for all.
        columns: for each output of the graph, the columns of the rows that it holds.
        across_classes: whether a box suppresses those of other classes too.
    """

    node: gs.Node
    boxes: int
    classes: int
    scores: tuple[Piece, ...]
    corners: tuple[Piece, ...]
    masks: tuple[gs.Tensor, ...]
    threshold: float
    score_threshold: float
    topk: int
    post_nms: int
    columns: tuple[tuple[int, ...], ...]
    across_classes: bool

    @property
    def row(self) -> tuple[int, int, int]:
        """Columns of class (-1 for none), score and first corner."""
        return _columns(self.node)

    def read(self, outputs: Sequence[npt.NDArray[Any]]) -> Detections:
        """Turn the outputs of the graph into detections, by the columns of the rows that they hold."""
        width = max(column for columns in self.columns for column in columns) + 1
        rows = np.full((*outputs[0].shape[:2], width), np.nan, np.float32)
        for columns, output in zip(self.columns, outputs, strict=True):
            rows[:, :, list(columns)] = output
        ids, score, corner = self.row
        classes = np.where(rows[..., score] < 0, -1, 0) if ids < 0 else rows[..., ids]
        return rows_of(classes, rows[..., score], rows[..., corner : corner + 4])


def take_rows_apart(graph: gs.Graph) -> NMSRows | None:
    """Find `box_nms` at the end of a graph and what it reads; None where there is none.

    Raises:
        SourceError: it is there, and what it reads or how it is used has another form than a detector's.
    """
    nodes = [node for node in graph.nodes if node.domain == DOMAIN and node.op == OPERATOR]
    if len(nodes) != 1:
        return None
    (node,) = nodes
    _require_corners(node)
    rows = Origins(is_leaf=_is_box)
    codes = rows.of(node.inputs[0])
    if codes.ndim != 3:
        raise _other_form(node, f"it reads a tensor of shape {codes.shape}, expected (N, boxes, 6)")
    post_nms, columns = _outputs(graph, node)
    ids, score, corner = _columns(node)
    count, corners = codes.shape[1], codes[:, :, corner : corner + 4]
    classes = np.zeros(count, np.int64) if ids < 0 else _classes(node, codes[0, :, ids], rows)
    class_count = int(classes.max()) + 1
    if count % class_count or (np.bincount(classes) != count // class_count).any():
        raise _other_form(node, "its classes have different numbers of boxes")
    boxes = count // class_count
    # By box, then by class: rows of one box share its corners.
    order = np.lexsort((classes, corners[0, :, 0]))
    if not (classes[order].reshape(boxes, class_count) == np.arange(class_count)).all():
        raise _other_form(node, "not every box has a score for every class")
    per_class = corners[:, order].reshape(len(codes), boxes, class_count, 4)
    if (per_class != per_class[:, :, :1]).any():
        raise _other_form(node, "its classes have boxes of their own")
    box_codes = per_class[:, :, 0]
    score_codes = codes[:, order, score].reshape(len(codes), boxes, class_count)
    attrs = node.attrs
    return NMSRows(
        node=node,
        boxes=boxes,
        classes=class_count,
        scores=_pieces(node, rows, score_codes, "scores"),
        corners=_pieces(node, rows, box_codes, "boxes"),
        masks=tuple(rows.chosen),
        threshold=float(attrs.get("overlap_thresh", 0.5)),
        score_threshold=float(attrs.get("valid_thresh", 0)),
        topk=int(attrs.get("topk", -1)),
        post_nms=post_nms if post_nms < count else 0,
        columns=columns,
        across_classes=class_count > 1 and attrs.get("force_suppress", "False") in ("True", "1"),
    )


def _is_box(tensor: gs.Tensor) -> bool:
    """Whether four numbers are put together here: the corners of a box."""
    maker = tensor.inputs[0] if tensor.inputs else None
    if maker is None or maker.op != "Concat" or tensor.shape[-1] != 4:
        return False
    rank = len(tensor.shape)
    return bool(maker.attrs["axis"] % rank == rank - 1)


def _columns(node: gs.Node) -> tuple[int, int, int]:
    attrs = node.attrs
    return int(attrs.get("id_index", -1)), int(attrs.get("score_index", 1)), int(attrs.get("coord_start", 2))


def _require_corners(node: gs.Node) -> None:
    for key in ("in_format", "out_format"):
        if node.attrs.get(key, "corner") != "corner":
            raise _other_form(node, f"{key} is {node.attrs[key]}, expected corner")
    if int(node.attrs.get("background_id", -1)) >= 0:
        raise _other_form(node, "it leaves out a background class of its own")


def _classes(node: gs.Node, codes: Codes, rows: Origins) -> npt.NDArray[np.int64]:
    if rows.leaf(codes).any():
        raise _other_form(node, "the classes of its rows are computed")
    values = numbers(codes)
    if (values != np.round(values)).any() or values.min() < 0:
        raise _other_form(node, "the classes of its rows are no numbers from 0 on")
    return values.astype(np.int64)


def _outputs(graph: gs.Graph, node: gs.Node) -> tuple[int, tuple[tuple[int, ...], ...]]:
    """How many rows the graph gives, and which columns each output holds."""
    result = node.outputs[0]
    after = Origins(is_leaf=lambda tensor: tensor is result)
    width = result.shape[2]
    counts, columns = set(), []
    for output in graph.outputs:
        codes = after.of(output)
        leaves = [after.leaves[number] for number in np.unique(after.leaf(codes))]
        if leaves != [result] or codes.ndim != 3:
            raise _other_form(node, f"what becomes of its rows in output {output.name!r} is more than cutting")
        places = after.place(codes)[0]
        counts.add(len(places))
        columns.append(tuple((places[0] % width).tolist()))
        if (places // width != np.arange(len(places))[:, None]).any():
            raise _other_form(node, f"output {output.name!r} does not hold the first rows")
    if len(counts) != 1:
        raise _other_form(node, "the outputs hold different numbers of rows")
    return counts.pop(), tuple(columns)


def _pieces(node: gs.Node, rows: Origins, codes: Codes, what: str) -> tuple[Piece, ...]:
    """Tensors that hold the elements (N, boxes, width) image by image."""
    leaf = rows.leaf(codes)
    starts = [0, *(np.flatnonzero(np.diff(leaf[0, :, 0])) + 1).tolist(), codes.shape[1]]
    pieces = []
    for first, end in pairwise(starts):
        part = codes[:, first:end]
        tensor = rows.leaves[int(leaf[0, first, 0])]
        if tensor is None or (rows.leaf(part) != leaf[0, first, 0]).any():
            raise _other_form(node, f"its {what} come from several tensors in turn")
        pieces.append(_piece(node, rows.place(part), tensor, first, what))
    return tuple(pieces)


def _piece(node: gs.Node, places: Codes, tensor: gs.Tensor, first: int, what: str) -> Piece:
    images, count, width = places.shape
    size = int(np.prod(tensor.shape)) // images
    image, box, column = np.ogrid[:images, :count, :width]
    for whole, offset in ((width, 0), (width + 1, 1)):
        if size != count * whole:
            continue
        for boxes_last in (False, True):
            step = (1, count) if boxes_last else (whole, 1)
            if (places == image * size + box * step[0] + (column + offset) * step[1]).all():
                return Piece(tensor, first, count, whole, offset, boxes_last)
    own = places - image * size
    if tensor.shape[0] != images or (own != own[0]).any() or own.min() < 0 or own.max() >= size:
        raise _other_form(node, f"the {what} of an image in {tensor.name!r} do not lie in its own part")
    return Piece(tensor, first, count, width, places=own[0].reshape(-1))


def _other_form(node: gs.Node, reason: str) -> SourceError:
    return SourceError(f"The suppression {node.name!r} cannot become a DetectionOutput layer: {reason}.")
