"""The detector as a Gluon user has it: GluonCV's SSD with sizes and classes of his own, and the weights he trained."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from examples.scenes.data import CANVAS, CLASSES, Scenes
from gluon2caffe.bridge.export import load_gluoncv, load_mxnet
from gluon2caffe.ssd_heads import Detections, from_gluon

BACKBONE = "mobilenet0.25"
FEATURES = ("relu10_fwd", "relu16_fwd", "relu22_fwd")  # 16x16, 8x8 and 8x8 cells on a canvas of 128
ADDED_FILTERS = (64,)  # one feature map more, of 4x4 cells
STEPS = (8, 16, 16, 32)  # pixels between the cells of a feature map
SIZES = (0.09, 0.14, 0.21, 0.32, 0.48)  # of the canvas; times 128 they are not whole pixels
RATIOS = (1, 0.7, 0.5, 0.35)  # width over height: digits stand upright

INPUT_SHAPE = (1, 3, CANVAS, CANVAS)

WEIGHTS_FILE = Path(__file__).with_name("scenes.params")
FACTS_FILE = Path(__file__).with_name("scenes.json")


def new_detector() -> Any:
    """Return the untrained net, its parameters not yet initialised.

    It takes (N, 3, 128, 128) from 0 to 1, and gives ids (N, 100, 1), scores (N, 100, 1) and boxes (N, 100, 4) in
    pixels; rows with the id -1 are empty.
    """
    ssd = load_gluoncv().model_zoo.SSD
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Cannot decide type")  # MXNet's, of every net that is built from symbols
        return ssd(
            network=BACKBONE,
            base_size=CANVAS,
            features=list(FEATURES),
            num_filters=list(ADDED_FILTERS),
            min_depth=ADDED_FILTERS[0],
            sizes=[CANVAS * size for size in SIZES],
            ratios=[list(RATIOS)] * len(STEPS),
            steps=list(STEPS),
            classes=list(CLASSES),
            anchor_alloc_size=CANVAS // STEPS[0],  # the anchors are stored with the weights: no more than needed
            pretrained=False,
        )


def load_detector(weights_file: Path = WEIGHTS_FILE) -> Any:
    """Return the trained net, its weights read from a file that `save_parameters` wrote."""
    net = new_detector()
    net.load_parameters(str(weights_file))
    return net


def read_facts(facts_file: Path = FACTS_FILE) -> dict[str, Any]:
    """Return what the training wrote down: network, seed, epochs, mean average precision, versions."""
    facts: dict[str, Any] = json.loads(facts_file.read_text(encoding="utf-8"))
    return facts


def detect(net: Any, pictures: np.ndarray, batch_size: int = 20) -> Detections:
    """Run pictures, float32 (N, 3, 128, 128), through the Gluon net; return what it finds, picture by picture."""
    mx = load_mxnet()
    batches = [pictures[start : start + batch_size] for start in range(0, len(pictures), batch_size)]
    outputs = [[output.asnumpy() for output in net(mx.nd.array(batch))] for batch in batches]
    return from_gluon(*(np.concatenate(parts) for parts in zip(*outputs, strict=True)))


def mean_average_precision(found: Detections, scenes: Scenes) -> float:
    """Return the mean over the classes of the average precision at an IoU of 0.5, by GluonCV's `VOCMApMetric`."""
    metric = load_gluoncv().utils.metrics.voc_detection.VOCMApMetric(iou_thresh=0.5, class_names=list(CLASSES))
    for index, labels in enumerate(scenes.labels):
        one = in_picture(found, index)
        boxes, classes = labels[:, :4], labels[:, 4]
        metric.update(*(array[np.newaxis] for array in (one.boxes, one.ids, one.scores, boxes, classes)))
    _, values = metric.get()
    return float(values[-1])


def in_picture(found: Detections, index: int) -> Detections:
    """Return what was found in one of the pictures."""
    chosen = found.images == index
    return Detections(*(array[chosen] for array in found))
