"""GluonCV's SSD in a graph, as `net.export` leaves it: every form since GluonCV 0.3.

Scores are the softmax of the class predictions above a threshold, boxes are decoded from predictions and constant
anchors. How that is written has changed over the years, so the decoder is not read but tried: what it makes of chosen
predictions, in double precision, gives anchors and variances exactly, and whether it is the decoder of an SSD.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_graphsurgeon as gs

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.ssd_heads.description import Floats, Head, SSDDescription
from gluon2caffe.ssd_heads.graft import predictions
from gluon2caffe.ssd_heads.nms_rows import NMSRows
from gluon2caffe.ssd_heads.picture import picture_size
from gluon2caffe.ssd_heads.probing import Doubles, Probe, ancestors

# Relative difference of two ways to compute a box in double precision.
_TOLERANCE = 1e-6


def describe_rows(graph: gs.Graph, rows: NMSRows) -> tuple[SSDDescription, tuple[gs.Tensor, gs.Tensor]] | None:
    """The heads behind a suppression, and the class and box predictions; None where they are no SSD's."""
    if len(rows.scores) != 1 or len(rows.corners) != 1 or rows.across_classes or not 0 < rows.threshold < 1:
        return None
    found = _scores(rows)
    box_output = _box_predictions(rows)
    if found is None or box_output is None:
        return None
    class_output, threshold = found
    decoder = _decoder(rows, box_output)
    if decoder is None:
        return None
    anchors, variances = decoder
    try:
        heads = _heads(rows, class_output, box_output, anchors)
    except SourceError:
        return None
    description = SSDDescription(
        name=graph.name or "SSD",
        image_size=picture_size(graph),
        heads=heads,
        variances=variances,
        box_clip=None,
        classes=tuple(f"class{number}" for number in range(rows.classes)),
        score_threshold=max(threshold, rows.score_threshold),
        nms_threshold=rows.threshold,
        nms_topk=rows.topk,
        post_nms=rows.post_nms if rows.post_nms > 0 else -1,
    )
    return description, (class_output, box_output)


def _scores(rows: NMSRows) -> tuple[gs.Tensor, float] | None:
    """The class predictions (N, boxes, classes + 1), and the threshold of the scores made of them."""
    choice = _maker(rows.scores[0].tensor)
    if choice is None or choice.op != "Where":
        return None
    threshold = next((value for part in ancestors(choice.inputs[0]) if (value := _compared(part)) is not None), None)
    cut = _maker(choice.inputs[1])
    softmax = _maker(cut.inputs[0]) if cut is not None and cut.op == "Slice" else None
    if softmax is None or softmax.op != "Softmax" or threshold is None:
        return None
    predictions_ = softmax.inputs[0]
    axis = softmax.attrs.get("axis", -1)
    if axis not in (-1, 2) or list(predictions_.shape[1:]) != [rows.boxes, rows.classes + 1]:
        return None
    return predictions_, threshold


def _compared(tensor: gs.Tensor) -> float | None:
    """The number that a tensor is compared with, if it is the result of a comparison."""
    maker = _maker(tensor)
    if maker is None or maker.op != "Greater" or not isinstance(maker.inputs[1], gs.Constant):
        return None
    return float(_shortest(maker.inputs[1].values.reshape(())))


def _box_predictions(rows: NMSRows) -> gs.Tensor | None:
    boxes = rows.corners[0].tensor
    for tensor in ancestors(boxes):
        maker = _maker(tensor)
        if tensor is boxes or maker is None or maker.op != "Reshape":
            continue
        if list(tensor.shape[1:]) == [rows.boxes, 4] and _depends_on_input(tensor):
            return tensor
    return None


def _depends_on_input(tensor: gs.Tensor) -> bool:
    return any(not part.inputs and not isinstance(part, gs.Constant) for part in ancestors(tensor))


def _decoder(rows: NMSRows, start: gs.Tensor) -> tuple[Floats, tuple[float, float, float, float]] | None:
    """Anchors (boxes, 4) as centre and size, and variances; None where the decoder is another."""
    try:
        decode = Probe(start, rows.corners[0].tensor)
    except ValueError:
        return None
    shape = (int(start.shape[0]), rows.boxes, 4)

    def tried(prediction: Doubles) -> Doubles:
        found: Doubles = decode(np.broadcast_to(prediction, shape)).reshape(shape)[0]
        return found

    corners = tried(np.zeros(4))
    centre, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
    if not (size > 0).all():
        return None
    moved, grown = tried(np.array([1.0, 1, 0, 0])), tried(np.array([0.0, 0, 1, 1]))
    shifts = ((moved[:, :2] + moved[:, 2:]) / 2 - centre) / size
    growths = np.log((grown[:, 2:] - grown[:, :2]) / size)
    variances = np.median(np.concatenate([shifts, growths], axis=1), axis=0)
    # Up to sizes that a decoder that clips would clip.
    random = np.random.default_rng(0)
    tries = random.normal(0, 3, (rows.boxes, 4)) * [1, 1, 2 / variances[2], 2 / variances[3]]
    found = tried(tries)
    wanted_centre = tries[:, :2] * variances[:2] * size + centre
    wanted_half = np.exp(tries[:, 2:] * variances[2:]) * size / 2
    wanted = np.concatenate([wanted_centre - wanted_half, wanted_centre + wanted_half], axis=1)
    if not np.allclose(found, wanted, rtol=_TOLERANCE, atol=_TOLERANCE):
        return None
    anchors = np.concatenate([centre, size], axis=1).astype(np.float32)
    a, b, c, d = (_shortest(value) for value in variances)
    return anchors, (a, b, c, d)


def _heads(rows: NMSRows, class_output: gs.Tensor, box_output: gs.Tensor, anchors: Floats) -> tuple[Head, ...]:
    maps = zip(predictions(class_output), predictions(box_output), strict=True)
    heads, first = [], 0
    grids = [part.values for part in ancestors(rows.corners[0].tensor) if isinstance(part, gs.Constant)]
    for index, (classes, boxes) in enumerate(maps):
        height, width = (int(length) for length in boxes.shape[2:])
        count = height * width * (int(boxes.shape[1]) // 4)
        own = anchors[first : first + count].reshape(height, width, -1, 4)
        heads.append(
            Head(
                index=index,
                feature_shape=(height, width),
                anchors=own,
                generator="constant anchors",
                sizes=(),
                ratios=(),
                clip=False,
                predictors=(classes.inputs[0].name, boxes.inputs[0].name),
                beyond=_beyond(grids, own),
            )
        )
        first += count
    if first != rows.boxes:
        raise SourceError(f"The feature maps predict {first} boxes, the anchors are {rows.boxes}.")
    return tuple(heads)


def _beyond(grids: Sequence[Floats], anchors: Floats) -> Floats | None:
    """The anchors of a map of one more row and column, from the grid that the map's own are cut from.

    GluonCV keeps grids of shape (1, 1, rows, columns, 4·boxes), larger than any map that is expected.
    """
    rows, columns, boxes, _ = anchors.shape
    for grid in grids:
        if grid.ndim == 5 and grid.shape[:2] == (1, 1) and grid.shape[4] == 4 * boxes:
            cut = grid[0, 0, : rows + 1, : columns + 1].reshape(*grid[0, 0, : rows + 1, : columns + 1].shape[:2], -1, 4)
            if cut.shape[:2] == (rows + 1, columns + 1) and np.allclose(cut[:rows, :columns], anchors, rtol=1e-5):
                return np.asarray(cut, np.float32)
    return None


def _maker(tensor: gs.Tensor) -> gs.Node | None:
    """The node that makes a tensor, behind those that change nothing."""
    maker = tensor.inputs[0] if tensor.inputs else None
    while maker is not None and maker.op == "Identity":
        tensor = maker.inputs[0]
        maker = tensor.inputs[0] if tensor.inputs else None
    return maker


def _shortest(value: float) -> float:
    """The shortest number that float32 cannot tell from `value`: the one that was written in the program."""
    return float(np.format_float_positional(np.float32(value), unique=True))
