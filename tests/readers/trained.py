"""The two trained nets on every reader: `python -m tests.readers.trained [NAME ...]` writes docs/trained.json.

The classifier of digits and the detector of digits in scenes (examples/), on all held-out data, beside MXNet.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from examples.digits.classifier import INPUT_SHAPE, accuracy_of, load_classifier, scores_of
from examples.digits.comparison import compare as compare_scores
from examples.digits.data import load_digit_sets
from examples.scenes.data import held_out_scenes
from examples.scenes.demo import compare as compare_boxes
from examples.scenes.demo import detect_in_caffe as detect_in_reader
from examples.scenes.detector import detect, load_detector, mean_average_precision
from gluon2caffe import to_caffe
from gluon2caffe.bridge.verification.readers import KINDS, installed_readers
from gluon2caffe.bridge.verification.readers.reader import WorkerReader
from gluon2caffe.onnx2caffe.errors import ConversionError
from tests.readers import page
from tests.readers.measure import target_of


class TrainedNets:
    """The nets with their held-out data, and what MXNet computes of them."""

    def __init__(self) -> None:
        self.classifier, self.detector = load_classifier(), load_detector()
        _, self.digits = load_digit_sets()
        self.scenes = held_out_scenes()
        self.scores = scores_of(self.classifier, self.digits.pictures)
        self.boxes = detect(self.detector, self.scenes.inputs())

    def by_mxnet(self) -> dict[str, Any]:
        """MXNet's own accuracy and mean average precision."""
        return {
            "digits": {"accuracy": accuracy_of(self.scores, self.digits.labels), "pictures": len(self.digits)},
            "scenes": {
                "precision": mean_average_precision(self.boxes, self.scenes),
                "boxes": len(self.boxes.ids),
                "pictures": len(self.scenes),
            },
        }

    def on(self, reader: WorkerReader, target: str) -> dict[str, Any]:
        """The same of the files for a target on a reader; the words of the refusal where it has not the layers."""
        found: dict[str, Any] = {"version": reader.version, "target": target}
        with tempfile.TemporaryDirectory() as folder:
            for name, run in (("digits", self._digits), ("scenes", self._scenes)):
                try:
                    found[name] = run(reader, target, Path(folder))
                except ConversionError as error:
                    found[name] = {"refused": str(error).splitlines()[0][:200]}
        return found

    def _digits(self, reader: WorkerReader, target: str, folder: Path) -> dict[str, Any]:
        files = to_caffe(self.classifier, INPUT_SHAPE, target=target).save(folder / "digits")
        with reader.load(*files) as session:
            (blob,) = session.net.inputs
            (scores,) = session.run({blob: self.digits.pictures}).values()
        scores = np.reshape(scores, self.scores.shape)
        one = compare_scores(reader.name, scores, self.scores, self.digits.labels)
        return {
            "accuracy": one.accuracy,
            "labels_that_differ": one.labels_that_differ,
            "relative": float(f"{one.relative_difference:.1e}"),
        }

    def _scenes(self, reader: WorkerReader, target: str, folder: Path) -> dict[str, Any]:
        if "DetectionOutput" not in (reader.layer_types() or {"DetectionOutput"}):
            return {"refused": "it has no DetectionOutput"}
        files = to_caffe(self.detector, target=target).save(folder / "scenes")
        found = detect_in_reader(reader, *files, self.scenes.inputs())
        one = compare_boxes(reader.name, found, self.boxes, self.detector.post_nms, self.scenes)
        return {
            "precision": one.precision,
            "boxes": one.boxes,
            "matched": one.difference.matched,
            "score": float(f"{one.difference.score:.1e}"),
            "corner": float(f"{one.difference.corner:.1e}"),
        }


def main() -> int:
    """Measure and write; the exit status is 1 where accuracy or mean average precision is not MXNet's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*KINDS, []], help="readers; default: all that are ready")
    names = parser.parse_args().names
    nets = TrainedNets()
    measured = {**page.load_trained(), "MXNet": nets.by_mxnet()}
    for name in names or KINDS:
        ready = installed_readers([name])
        for reader, reason in ready.missing.items():
            print(f"{reader} SKIPPED: {reason}", file=sys.stderr)
        for reader in ready:
            assert isinstance(reader, WorkerReader)
            measured[reader.name] = nets.on(reader, target_of(name, reader))
            print(reader.name, measured[reader.name], flush=True)
    page.store_trained(measured)
    page.PAGE.write_text(page.render(page.load(), page.load_trained()), encoding="utf-8")
    return int(any(not page.is_as_good(row, measured["MXNet"]) for row in measured.values()))


if __name__ == "__main__":
    sys.exit(main())
