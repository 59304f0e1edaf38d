"""The classifier as a Gluon user has it: a network from GluonCV's zoo, and the weights he trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from examples.digits.data import CHANNELS, CLASSES, PICTURE_SIZE
from gluon2caffe.bridge.export import load_gluoncv, load_mxnet

NETWORK = "cifar_resnet20_v1"
INPUT_SHAPE = (1, CHANNELS, PICTURE_SIZE, PICTURE_SIZE)

WEIGHTS_FILE = Path(__file__).with_name("digits.params")
FACTS_FILE = Path(__file__).with_name("digits.json")


def new_classifier() -> Any:
    """Return the untrained network, its parameters not yet initialised: (N, 3, 32, 32) -> (N, 10) scores."""
    return load_gluoncv().model_zoo.get_model(NETWORK, classes=CLASSES)


def load_classifier(weights_file: Path = WEIGHTS_FILE) -> Any:
    """Return the trained network, its weights read from a file that `save_parameters` wrote."""
    net = new_classifier()
    net.load_parameters(str(weights_file))
    return net


def read_facts(facts_file: Path = FACTS_FILE) -> dict[str, Any]:
    """Return what the training wrote down: network, seed, epochs, number of held-out digits, accuracy, versions."""
    facts: dict[str, Any] = json.loads(facts_file.read_text(encoding="utf-8"))
    return facts


def scores_of(net: Any, pictures: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """Run pictures (N, 3, 32, 32) through the Gluon net; return its scores, float32 (N, 10)."""
    mx = load_mxnet()
    batches = [pictures[start : start + batch_size] for start in range(0, len(pictures), batch_size)]
    return np.concatenate([net(mx.nd.array(batch)).asnumpy() for batch in batches])


def accuracy_of(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of digits, 0..1, whose largest score (N, 10) stands at their label (N,)."""
    return float(np.mean(scores.argmax(axis=1) == labels))
