"""Train the digits classifier and store its weights and the accuracy it reached.

Run it from the root of the repository; it takes a few minutes on two CPU cores:

    python -m examples.digits.train

The held-out digits are looked at once, after the last epoch: nothing is chosen by them.
The seed fixes the first weights, the order of the digits and their distortions. What is left to chance is the
order in which MXNet's threads add numbers, which can move the last bits of the weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress

from examples.digits.classifier import INPUT_SHAPE, NETWORK, accuracy_of, new_classifier, scores_of
from examples.digits.data import PICTURE_SIZE, DigitSet, load_digit_sets
from gluon2caffe.bridge.export import load_mxnet

SEED = 20
EPOCHS = 20
BATCH_SIZE = 64
PEAK_LEARNING_RATE = 0.1
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4

LARGEST_SHIFT = 3.0  # pixels of 32: under one pixel of the scan
LARGEST_TURN = 10.0  # degrees
LARGEST_ZOOM = 0.1  # 0.9 to 1.1

PACKAGES = ("mxnet", "gluoncv", "numpy", "opencv-python-headless", "scikit-learn")


def distort(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shift, turn and zoom each of the pictures (N, 3, 32, 32) a little; paper (0) comes in at the edges."""
    return np.stack([_distort_one(picture, rng) for picture in pictures])


def _distort_one(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    middle = ((PICTURE_SIZE - 1) / 2, (PICTURE_SIZE - 1) / 2)
    turn = rng.uniform(-LARGEST_TURN, LARGEST_TURN)
    zoom = 1 + rng.uniform(-LARGEST_ZOOM, LARGEST_ZOOM)
    matrix = cv2.getRotationMatrix2D(middle, turn, zoom)
    matrix[:, 2] += rng.uniform(-LARGEST_SHIFT, LARGEST_SHIFT, size=2)
    warped = cv2.warpAffine(picture[0], matrix, (PICTURE_SIZE, PICTURE_SIZE), flags=cv2.INTER_LINEAR)
    return np.repeat(warped[np.newaxis], len(picture), axis=0)  # the channels are equal: (32, 32) -> (3, 32, 32)


def batches_of(digits: DigitSet, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield one epoch of shuffled, distorted batches; the few digits that fill no batch wait for another epoch."""
    order = rng.permutation(len(digits))
    for start in range(0, len(digits) - BATCH_SIZE + 1, BATCH_SIZE):
        chosen = order[start : start + BATCH_SIZE]
        yield distort(digits.pictures[chosen], rng), digits.labels[chosen]


def learning_rate_at(step: int, steps: int) -> float:
    """Return the rate at a step: up in a straight line for a tenth of the training, then down along a half cosine."""
    warm_up = max(1, steps // 10)
    if step < warm_up:
        return PEAK_LEARNING_RATE * (step + 1) / warm_up
    return PEAK_LEARNING_RATE * 0.5 * (1 + float(np.cos(np.pi * (step - warm_up) / (steps - warm_up))))


def train(digits: DigitSet, epochs: int, console: Console) -> Any:
    """Return the classifier trained on these digits from the fixed seed, printing one line for each epoch."""
    mx = load_mxnet()
    mx.random.seed(SEED)
    rng = np.random.default_rng(SEED)

    net = new_classifier()
    net.initialize(mx.init.Xavier(), ctx=mx.cpu())
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"momentum": MOMENTUM, "wd": WEIGHT_DECAY})

    batches = len(digits) // BATCH_SIZE
    steps = epochs * batches
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Training", total=steps)
        for epoch in range(epochs):
            losses, correct = [], 0
            for batch, (pictures, labels) in enumerate(batches_of(digits, rng)):
                trainer.set_learning_rate(learning_rate_at(epoch * batches + batch, steps))
                loss, scores = train_batch(net, trainer, pictures, labels)
                losses.append(loss)
                correct += int((scores.argmax(axis=1) == labels).sum())
                progress.advance(task)
            right = correct / (batches * BATCH_SIZE)
            console.print(f"Epoch {epoch + 1:2d}/{epochs}: loss {np.mean(losses):.4f}, {right:.2%} of the digits right")
    return net


def train_batch(net: Any, trainer: Any, pictures: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Take one step on pictures (N, 3, 32, 32), labels (N,); return the mean loss and the scores (N, 10) before it."""
    mx = load_mxnet()
    loss_of = mx.gluon.loss.SoftmaxCrossEntropyLoss()
    with mx.autograd.record():
        scores = net(mx.nd.array(pictures))
        loss = loss_of(scores, mx.nd.array(labels))
    loss.backward()
    trainer.step(len(labels))
    return float(loss.mean().asscalar()), scores.asnumpy()


def store(net: Any, folder: Path, facts: dict[str, Any]) -> Path:
    """Write `digits.params` and, beside it, the facts about it as `digits.json`; return the path of the weights."""
    weights_file = folder / "digits.params"
    net.save_parameters(str(weights_file))
    weights_hash = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    text = json.dumps({**facts, "weights_sha256": weights_hash}, indent=2)
    (folder / "digits.json").write_text(text + "\n", encoding="utf-8")
    return weights_file


def main() -> None:
    """Train, measure on the held-out digits, and store."""
    parser = argparse.ArgumentParser(description="Train the digits classifier.")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"passes over the training digits ({EPOCHS})")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the two files")
    arguments = parser.parse_args()

    console = Console(markup=False, highlight=False)
    training, held_out = load_digit_sets()
    console.print(f"{NETWORK}: training on {len(training)} digits, {len(held_out)} held out, seed {SEED}")
    net = train(training, arguments.epochs, console)

    accuracy = accuracy_of(scores_of(net, held_out.pictures), held_out.labels)
    facts = {
        "network": NETWORK,
        "input_shape": INPUT_SHAPE,
        "seed": SEED,
        "epochs": arguments.epochs,
        "training_digits": len(training),
        "held_out_digits": len(held_out),
        "held_out_correct": round(accuracy * len(held_out)),
        "held_out_accuracy": accuracy,
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
    }
    arguments.output.mkdir(parents=True, exist_ok=True)
    weights_file = store(net, arguments.output, facts)
    console.print(f"{accuracy:.2%} of the held-out digits right; weights in {weights_file}")


if __name__ == "__main__":
    main()
