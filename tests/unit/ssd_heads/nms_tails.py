"""Small detectors as ONNX graphs, with suppression written as exporters write it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

BOXES, CLASSES, SIDE = 32, 5, 32

# Boxes (1, 32, 4) as corners in pixels and as centre and size, and scores (1, 32, 5), of a picture of 32×32.
_BODY = """<ir_version: 8, opset_import: ["": 13]>
detector (float[1,3,32,32] x) => (%(outputs)s)
<int64[3] box_rows = {1,32,4}, int64[3] score_rows = {1,32,5}, int64[1] zero = {0}, int64[1] one = {1},
 int64[1] two = {2}, int64[1] three = {3}, int64[1] four = {4}, int64[1] last = {-1}, int64[1] all = {100000},
 int64 first = {0}, int64 second = {1}, int64 third = {2}, float reach = {24}, float span = {14}, float least = {3},
 float half = {0.5}, float[1] overlap = {0.4}, float[1] confidence = {0.2}, float sure = {0.2}%(constants)s>
{
  box_map = Conv<strides=[8,8]>(x, box_weight, box_bias)
  score_map = Conv<strides=[8,8]>(x, score_weight, score_bias)
  box_all = Reshape(box_map, box_rows)
  raw_boxes = Sigmoid(box_all)
  score_all = Reshape(score_map, score_rows)
  scores = Sigmoid(score_all)
  place_raw = Slice(raw_boxes, zero, two, two)
  size_raw = Slice(raw_boxes, two, four, two)
  place = Mul(place_raw, reach)
  size_part = Mul(size_raw, span)
  size = Add(size_part, least)
  half_size = Mul(size, half)
  begin = Sub(place, half_size)
  end = Add(place, half_size)
  boxes = Concat<axis=2>(begin, end)
  center_boxes = Concat<axis=2>(place, size)
  by_class = Transpose<perm=[0,2,1]>(scores)
%(tail)s
}"""


class Rows(NamedTuple):
    """Class, score and box of each detection, as the outputs of a case say."""

    label: np.ndarray
    score: np.ndarray
    box: np.ndarray


class Case(NamedTuple):
    """A tail: what it gives, the constants that it needs, its nodes, and how its outputs are read."""

    outputs: str
    constants: str
    nodes: str
    read: Callable[[dict[str, np.ndarray]], Rows]


def detector(case: Case) -> onnx.ModelProto:
    """The model; its numbers spread so that boxes overlap and scores lie on both sides of 0.2."""
    constants = f", {case.constants}" if case.constants else ""
    model = onnx.parser.parse_model(_BODY % {"outputs": case.outputs, "constants": constants, "tail": case.nodes})
    generator = np.random.default_rng(0)
    for name, channels, spread, shift in (
        ("box", BOXES * 4 // 16, 0.3, 0.0),
        ("score", BOXES * CLASSES // 16, 0.25, -1),
    ):
        weight = generator.normal(size=(channels, 3, 8, 8)) * spread
        bias = generator.normal(size=channels) + shift
        for part, values in (("weight", weight), ("bias", bias)):
            model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), f"{name}_{part}"))
    onnx.checker.check_model(model)
    return model


def picture() -> np.ndarray:
    """An input."""
    return np.random.default_rng(3).normal(size=(1, 3, SIDE, SIDE)).astype(np.float32) * 1.5


def _columns(label: int, score: int, box: slice, first: int = 0) -> Callable[[dict[str, np.ndarray]], Rows]:
    def read(outputs: dict[str, np.ndarray]) -> Rows:
        rows = outputs["out"].reshape(-1, outputs["out"].shape[-1])
        rows = rows[rows[:, score] > 0]
        return Rows(rows[:, label] - first, rows[:, score], rows[:, box])

    return read


def _chosen(outputs: dict[str, np.ndarray]) -> Rows:
    _, label, box = outputs["chosen"].T
    return Rows(label, outputs["by_class"][0, label, box], outputs["boxes"][0, box])


def _centers(outputs: dict[str, np.ndarray]) -> Rows:
    label, score, box = _columns(4, 5, slice(0, 4))(outputs)
    return Rows(label, score, np.concatenate([box[:, :2] - box[:, 2:] / 2, box[:, :2] + box[:, 2:] / 2], axis=1))


# keras2onnx's YOLOv3: all boxes, all scores and the indices of the chosen ones are outputs.
INDICES = Case(
    "float[1,32,4] boxes, float[1,5,32] by_class, int64[k,3] chosen",
    "int64[1] most = {100}",
    "chosen = NonMaxSuppression(boxes, by_class, most, overlap, confidence)",
    _chosen,
)
LIMITED = INDICES._replace(constants="int64[1] most = {8}")

# YOLOv7's --end2end for onnxruntime: classes are kept apart by moving their boxes.
MOVED_CLASSES = Case(
    "float[k,7] out",
    "int64[1] most = {20}, float apart = {640}",
    """
  best = ReduceMax<axes=[2], keepdims=1>(scores)
  label = ArgMax<axis=2, keepdims=1>(scores)
  label_float = Cast<to=1>(label)
  shift = Mul(label_float, apart)
  moved = Add(boxes, shift)
  best_by_class = Transpose<perm=[0,2,1]>(best)
  chosen = NonMaxSuppression(moved, best_by_class, most, overlap, confidence)
  image = Gather<axis=1>(chosen, first)
  box = Gather<axis=1>(chosen, third)
  image_column = Unsqueeze(image, one)
  box_column = Unsqueeze(box, one)
  at = Concat<axis=1>(image_column, box_column)
  out_boxes = GatherND(boxes, at)
  out_labels = GatherND(label_float, at)
  out_scores = GatherND(best, at)
  image_float = Cast<to=1>(image_column)
  out = Concat<axis=1>(image_float, out_boxes, out_labels, out_scores)""",
    _columns(5, 6, slice(1, 5)),
)
ACROSS_CLASSES = MOVED_CLASSES._replace(constants="int64[1] most = {20}, float apart = {0}")

# Ultralytics' nms=True: candidates by NonZero, boxes scaled and moved, rows padded to a fixed number.
PADDED = Case(
    "float[1,20,6] out",
    "int64[1] unlimited = {9223372036854775807}, int64[1] most = {20}, float apart = {0.2}, float side = {32}",
    """
  best = ReduceMax<axes=[2], keepdims=0>(scores)
  label = ArgMax<axis=2, keepdims=0>(scores)
  box_0 = Gather<axis=0>(boxes, first)
  label_0 = Gather<axis=0>(label, first)
  best_0 = Gather<axis=0>(best, first)
  is_sure = Greater(best_0, sure)
  sure_at = NonZero(is_sure)
  at = Squeeze(sure_at, zero)
  box_1 = Gather<axis=0>(box_0, at)
  best_1 = Gather<axis=0>(best_0, at)
  label_1 = Gather<axis=0>(label_0, at)
  smaller = Mul(box_1, apart)
  relative = Div(smaller, side)
  label_float = Cast<to=1>(label_1)
  label_column = Unsqueeze(label_float, one)
  shift = Mul(label_column, apart)
  moved = Add(relative, shift)
  moved_all = Unsqueeze(moved, zero)
  best_2 = Unsqueeze(best_1, zero)
  best_all = Unsqueeze(best_2, zero)
  chosen = NonMaxSuppression(moved_all, best_all, unlimited, overlap)
  kept_column = Slice(chosen, two, three, one)
  kept_all = Squeeze(kept_column, one)
  kept = Slice(kept_all, zero, most, zero)
  kept_boxes = Gather<axis=0>(box_1, kept)
  kept_scores = Gather<axis=0>(best_1, kept)
  kept_labels = Gather<axis=0>(label_column, kept)
  kept_scores_column = Unsqueeze(kept_scores, one)
  found = Concat<axis=1>(kept_boxes, kept_scores_column, kept_labels)
  found_shape = Shape(found)
  count = Slice(found_shape, zero, one, zero)
  missing = Sub(most, count)
  pads = Concat<axis=0>(zero, zero, missing, zero)
  padded = Pad(found, pads)
  out = Unsqueeze(padded, zero)""",
    _columns(5, 4, slice(0, 4)),
)

# Paddle2ONNX's multiclass_nms3: at most 1000 of a class, and the best 10 of all.
BEST_OF_ALL = Case(
    "float[k,6] out, int32[1] number",
    "int64[1] most = {1000}, int64[1] boxes_of_class = {32}, int64[1] keep = {10}, int64[3] row = {1,-1,1}",
    """
  chosen = NonMaxSuppression(boxes, by_class, most, overlap, confidence)
  label = Gather<axis=1>(chosen, one)
  box = Gather<axis=1>(chosen, two)
  flat_lying = Flatten(by_class)
  flat = Reshape(flat_lying, last)
  start = Mul(label, boxes_of_class)
  flat_place = Add(start, box)
  place_flat = Reshape(flat_place, last)
  found = Gather<axis=0>(flat, place_flat)
  found_shape = Shape(found)
  count = Slice(found_shape, zero, one, zero)
  both = Concat<axis=0>(count, keep)
  kept_count = ReduceMin<axes=[0], keepdims=1>(both)
  top, top_at = TopK(found, kept_count)
  label_flat = Squeeze(label, one)
  box_flat = Squeeze(box, one)
  top_label = Gather<axis=0>(label_flat, top_at)
  top_box = Gather<axis=0>(box_flat, top_at)
  top_boxes = Gather<axis=1>(boxes, top_box)
  label_float = Cast<to=1>(top_label)
  score_row = Reshape(top, row)
  label_row = Reshape(label_float, row)
  all_rows = Concat<axis=2>(label_row, score_row, top_boxes)
  out = Squeeze(all_rows, zero)
  out_shape = Shape(out)
  out_count = Slice(out_shape, zero, one, zero)
  number = Cast<to=6>(out_count)""",
    _columns(0, 1, slice(2, 6)),
)
BACKGROUND_FIRST = BEST_OF_ALL._replace(
    nodes=re.sub(
        r"  label = Gather.*\n  box = Gather.*\n",
        """  label_and = Gather<axis=1>(chosen, one)
  box_and = Gather<axis=1>(chosen, two)
  labels_only = Squeeze(label_and, one)
  real_at = NonZero(labels_only)
  real = Squeeze(real_at, zero)
  label = Gather<axis=0>(label_and, real)
  box = Gather<axis=0>(box_and, real)
""",
        BEST_OF_ALL.nodes,
    ),
    # The first class is no class.
    read=_columns(0, 1, slice(2, 6), first=1),
)

# Boxes as centre and size, by an attribute of the node.
CENTERS = Case(
    "float[k,6] out",
    "int64[1] most = {100}",
    """
  chosen = NonMaxSuppression<center_point_box=1>(center_boxes, by_class, most, overlap, confidence)
  box = Gather<axis=1>(chosen, third)
  boxes_0 = Squeeze(center_boxes, zero)
  out_boxes = Gather<axis=0>(boxes_0, box)
  found = GatherND(by_class, chosen)
  score = Unsqueeze(found, one)
  label = Gather<axis=1>(chosen, second)
  label_float = Cast<to=1>(label)
  label_column = Unsqueeze(label_float, one)
  out = Concat<axis=1>(out_boxes, label_column, score)""",
    _centers,
)

# tf2onnx's tf.image.non_max_suppression of one class: y comes before x, here as in the outputs.
ONE_CLASS = Case(
    "float[k,4] found_boxes, float[k] found_scores",
    "int64[1] most = {12}, int64[4] turned = {1,0,3,2}",
    """
  yx = Gather<axis=2>(boxes, turned)
  one_class = Slice(by_class, zero, one, one)
  chosen = NonMaxSuppression(yx, one_class, most, overlap, confidence)
  at_column = Slice(chosen, two, three, one)
  at = Squeeze(at_column, one)
  yx_0 = Squeeze(yx, zero)
  found_boxes = Gather<axis=0>(yx_0, at)
  lying = Squeeze(one_class, zero)
  flat = Squeeze(lying, zero)
  found_scores = Gather<axis=0>(flat, at)""",
    lambda outputs: Rows(np.zeros(len(outputs["found_scores"])), outputs["found_scores"], outputs["found_boxes"]),
)


def _torchvision(entering: int, reported: int) -> Case:
    """torchvision's SSD: each class on its own, the best of it, then all together, moved by more than any corner."""
    nodes = """
  boxes_0 = Squeeze(boxes, zero)
  scores_0 = Squeeze(scores, zero)"""
    for label in range(1, CLASSES):
        nodes += f"""
  label_{label} = Constant<value_ints=[{label}]>()
  column_{label} = Gather<axis=1>(scores_0, label_{label})
  flat_{label} = Reshape(column_{label}, last)
  is_{label} = Greater(flat_{label}, sure)
  where_{label} = NonZero(is_{label})
  at_{label} = Squeeze(where_{label}, zero)
  sure_{label} = Gather<axis=0>(flat_{label}, at_{label})
  boxes_{label}_all = Gather<axis=0>(boxes_0, at_{label})
  shape_{label} = Shape(sure_{label})
  both_{label} = Concat<axis=0>(shape_{label}, entering)
  count_{label} = ReduceMin<axes=[0], keepdims=1>(both_{label})
  top_{label}, top_at_{label} = TopK(sure_{label}, count_{label})
  boxes_{label} = Gather<axis=0>(boxes_{label}_all, top_at_{label})
  labels_{label} = Expand(label_{label}, count_{label})"""
    listed = {name: ", ".join(f"{name}_{label}" for label in range(1, CLASSES)) for name in ("top", "boxes", "labels")}
    nodes += f"""
  all_scores = Concat<axis=0>({listed["top"]})
  all_boxes = Concat<axis=0>({listed["boxes"]})
  all_labels = Concat<axis=0>({listed["labels"]})
  largest = ReduceMax<keepdims=0>(all_boxes)
  unit = Constant<value_float=1.0>()
  apart = Add(largest, unit)
  labels_float = Cast<to=1>(all_labels)
  shifts = Mul(labels_float, apart)
  shift = Unsqueeze(shifts, one)
  moved = Add(all_boxes, shift)
  moved_all = Unsqueeze(moved, zero)
  scores_lying = Unsqueeze(all_scores, zero)
  scores_all = Unsqueeze(scores_lying, zero)
  chosen = NonMaxSuppression(moved_all, scores_all, unlimited, overlap)
  kept_column = Gather<axis=1>(chosen, two)
  kept_all = Squeeze(kept_column, one)
  kept = Slice(kept_all, zero, reported, zero)
  found_boxes = Gather<axis=0>(all_boxes, kept)
  found_scores = Gather<axis=0>(all_scores, kept)
  found_labels = Gather<axis=0>(all_labels, kept)"""
    return Case(
        "float[k,4] found_boxes, float[k] found_scores, int64[k] found_labels",
        f"int64[1] unlimited = {{9223372036854775807}}, int64[1] entering = {{{entering}}}, "
        f"int64[1] reported = {{{reported}}}",
        nodes,
        # Class 0 is the background.
        lambda outputs: Rows(outputs["found_labels"] - 1, outputs["found_scores"], outputs["found_boxes"]),
    )


TORCHVISION = _torchvision(400, 20)
TORCHVISION_FEW = _torchvision(6, 100)

# Candidates by TopK over all boxes before suppression.
BEST_ENTER = Case(
    "float[k,6] out",
    "int64[1] entering = {60}, int64[1] unlimited = {1000}",
    """
  flat = Reshape(scores, last)
  top, top_at = TopK(flat, entering)
  width = Constant<value_ints=[5]>()
  box = Div(top_at, width)
  whole = Mul(box, width)
  label = Sub(top_at, whole)
  boxes_0 = Squeeze(boxes, zero)
  own = Gather<axis=0>(boxes_0, box)
  label_float = Cast<to=1>(label)
  label_column = Unsqueeze(label_float, one)
  apart = Constant<value_float=100.0>()
  shift = Mul(label_column, apart)
  moved = Add(own, shift)
  moved_all = Unsqueeze(moved, zero)
  top_lying = Unsqueeze(top, zero)
  top_all = Unsqueeze(top_lying, zero)
  chosen = NonMaxSuppression(moved_all, top_all, unlimited, overlap, confidence)
  kept_column = Gather<axis=1>(chosen, two)
  kept = Squeeze(kept_column, one)
  out_boxes = Gather<axis=0>(own, kept)
  out_labels = Gather<axis=0>(label_column, kept)
  out_scores_flat = Gather<axis=0>(top, kept)
  out_scores = Unsqueeze(out_scores_flat, one)
  out = Concat<axis=1>(out_boxes, out_scores, out_labels)""",
    _columns(5, 4, slice(0, 4)),
)
