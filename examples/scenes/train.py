"""Train the detector of digits and store its weights and the mean average precision it reached.

Run it from the root of the repository; it takes about a quarter of an hour on one CPU core, and more of them do not
help with layers as small as these:

    OMP_NUM_THREADS=1 python -m examples.scenes.train

Every epoch sees new scenes. The held-out scenes are looked at once, after the last epoch: nothing is chosen by them.
The seed fixes the first weights and all scenes. What is left to chance is the order in which MXNet's threads add
numbers, which can move the last bits of the weights.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from examples.digits.data import DigitSet, load_digit_sets
from examples.scenes.data import HELD_OUT_SCENES, Scenes, held_out_scenes, make_scenes
from examples.scenes.detector import (
    BACKBONE,
    FACTS_FILE,
    INPUT_SHAPE,
    WEIGHTS_FILE,
    detect,
    load_detector,
    mean_average_precision,
    new_detector,
)
from gluon2caffe.bridge.export import load_gluoncv, load_mxnet

SEED = 30
EPOCHS = 50
SCENES_AN_EPOCH = 2048
BATCH_SIZE = 16
PEAK_LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-4

# A prior box takes part in a digit from this IoU on. GluonCV's 0.5 leaves the smallest digits hardly any: half a step
# of the finest map is a third of their width.
MATCHING_IOU = 0.4

PACKAGES = ("mxnet", "gluoncv", "numpy", "opencv-python-headless", "scikit-learn")


class Targets:
    """What each prior box should say, by GluonCV's `SSDTargetGenerator`."""

    def __init__(self, net: Any) -> None:
        mx = load_mxnet()
        load_gluoncv()
        # Looked up by its full name: in GluonCV `model_zoo.ssd` is another module.
        target = importlib.import_module("gluoncv.model_zoo.ssd.target")
        # Without mining of negatives here: `SSDMultiBoxLoss` does it.
        self._generator = target.SSDTargetGenerator(
            iou_thresh=MATCHING_IOU, neg_thresh=MATCHING_IOU, negative_mining_ratio=-1
        )
        with mx.autograd.train_mode():
            _, _, self._priors = net(mx.nd.zeros(INPUT_SHAPE))

    def __call__(self, labels: np.ndarray) -> tuple[Any, Any]:
        """Return, for labels (N, 6, 5), the classes (N, P) and the encoded boxes (N, P, 4) of the P prior boxes."""
        mx = load_mxnet()
        boxes, classes = mx.nd.array(labels[:, :, :4]), mx.nd.array(labels[:, :, 4:])
        class_targets, box_targets, _ = self._generator(self._priors, None, boxes, classes)
        return class_targets, box_targets


def batches_of(digits: DigitSet, epoch: int) -> Iterator[Scenes]:
    """Yield the batches of one epoch, scenes that no other epoch sees."""
    batches = SCENES_AN_EPOCH // BATCH_SIZE
    for batch in range(batches):
        yield make_scenes(digits, BATCH_SIZE, seed=SEED * 1_000_000 + epoch * batches + batch)


def learning_rate_at(step: int, steps: int) -> float:
    """Return the rate at a step: up in a straight line for a tenth of the training, then down along a half cosine."""
    warm_up = max(1, steps // 10)
    if step < warm_up:
        return PEAK_LEARNING_RATE * (step + 1) / warm_up
    return PEAK_LEARNING_RATE * 0.5 * (1 + float(np.cos(np.pi * (step - warm_up) / (steps - warm_up))))


def initialised_detector() -> Any:
    """Return the detector with random weights; its batch normalisations do nothing yet."""
    mx = load_mxnet()
    net = new_detector()
    # GluonCV adds batch normalisations as symbols, which know no first values: Xavier's would be meant for them too.
    net.collect_params(".*_(gamma|moving_var)").setattr("init", mx.init.One())
    net.collect_params(".*_(beta|moving_mean)").setattr("init", mx.init.Zero())
    net.initialize(mx.init.Xavier(), ctx=mx.cpu())
    return net


def train(digits: DigitSet, epochs: int, console: Console) -> Any:
    """Return the detector trained on scenes of these digits from the fixed seed, printing one line for each epoch.

    The net is left in its training form; its weights are what counts.
    """
    mx = load_mxnet()
    mx.random.seed(SEED)

    net = initialised_detector()
    net.hybridize(static_alloc=True, static_shape=True)
    targets = Targets(net)
    trainer = mx.gluon.Trainer(net.collect_params(), "adam", {"wd": WEIGHT_DECAY})

    batches = SCENES_AN_EPOCH // BATCH_SIZE
    steps = epochs * batches
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("Training", total=steps)
        for epoch in range(epochs):
            losses = []
            for batch, scenes in enumerate(batches_of(digits, epoch)):
                trainer.set_learning_rate(learning_rate_at(epoch * batches + batch, steps))
                losses.append(train_batch(net, trainer, targets, scenes))
                progress.advance(task)
            of_classes, of_boxes = np.mean(losses, axis=0)
            console.print(f"Epoch {epoch + 1:2d}/{epochs}: loss of classes {of_classes:.3f}, of boxes {of_boxes:.3f}")
    return net


def train_batch(net: Any, trainer: Any, targets: Targets, scenes: Scenes) -> tuple[float, float]:
    """Take one step on these scenes; return the loss of the classes and of the boxes before it, per positive prior."""
    mx = load_mxnet()
    loss_of = load_gluoncv().loss.SSDMultiBoxLoss()
    class_targets, box_targets = targets(scenes.labels)
    with mx.autograd.record():
        class_scores, boxes, _ = net(mx.nd.array(scenes.inputs()))
        (loss,), (class_loss,), (box_loss,) = loss_of(class_scores, boxes, class_targets, box_targets)
    loss.backward()
    trainer.step(1)  # the loss is already a mean
    return float(class_loss.sum().asscalar()), float(box_loss.sum().asscalar())


def store(net: Any, folder: Path) -> Path:
    """Write `scenes.params` into the folder; return its path."""
    weights_file = folder / WEIGHTS_FILE.name
    net.save_parameters(str(weights_file))
    return weights_file


def measure(weights_file: Path, console: Console) -> float:
    """Return the mean average precision that these weights reach on the held-out scenes, 0..1."""
    scenes = held_out_scenes()
    console.print(f"Looking at {len(scenes)} held-out scenes ...")
    return mean_average_precision(detect(load_detector(weights_file), scenes.inputs()), scenes)


def main() -> None:
    """Train, store, measure on the held-out scenes and write down the facts."""
    parser = argparse.ArgumentParser(description="Train the detector of digits.")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help=f"times {SCENES_AN_EPOCH} new scenes ({EPOCHS})")
    parser.add_argument("--output", type=Path, default=WEIGHTS_FILE.parent, help="folder of the two files")
    arguments = parser.parse_args()

    console = Console()
    training_digits, held_out_digits = load_digit_sets()
    console.print(f"SSD on {BACKBONE}: training on scenes of {len(training_digits)} digits, seed {SEED}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    weights_file = store(train(training_digits, arguments.epochs, console), arguments.output)
    precision = measure(weights_file, console)
    facts = {
        "network": f"SSD on {BACKBONE}",
        "input_shape": INPUT_SHAPE,
        "seed": SEED,
        "epochs": arguments.epochs,
        "training_scenes": arguments.epochs * SCENES_AN_EPOCH,
        "training_digits": len(training_digits),
        "held_out_scenes": HELD_OUT_SCENES,
        "held_out_digits": len(held_out_digits),
        "held_out_mean_average_precision": precision,
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
        "weights_sha256": hashlib.sha256(weights_file.read_bytes()).hexdigest(),
    }
    (arguments.output / FACTS_FILE.name).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    console.print(f"Mean average precision {precision:.2%} at an IoU of 0.5; weights in {weights_file}")


if __name__ == "__main__":
    main()
