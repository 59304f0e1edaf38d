"""Convert the trained detector to Caffe, and show that the Caffe files find the digits where MXNet finds them.

Run it from the root of the repository:

    python -m examples.scenes.demo [--output FOLDER] [--picture FILE]

It ends with status 1 when a box has no counterpart of the same class with a score within 1e-4 and corners within 0.05
pixels.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from examples.scenes.data import CANVAS, Scenes, held_out_scenes
from examples.scenes.detector import BACKBONE, detect, load_detector, mean_average_precision
from examples.scenes.picture import save_picture
from gluon2caffe import to_caffe
from gluon2caffe.bridge.verification.readers import NO_CAFFE, SSD_LAYERS, CaffeReader, caffe_readers
from gluon2caffe.onnx2caffe.errors import ConversionError, OutputError
from gluon2caffe.ssd_heads import DetectionDifference, Detections, compare_detections, detections
from gluon2caffe.ssd_heads.agreement import CORNER_TOLERANCE, SCORE_TOLERANCE

LEAST_SCORE = 0.01  # GluonCV's SSD gives no box a lower one


@dataclass(frozen=True)
class Comparison:
    """One reader's boxes against MXNet's, over all scenes."""

    reader: str
    precision: float  # mean average precision, 0..1
    boxes: int
    difference: DetectionDifference


def joined(by_scene: list[Detections]) -> Detections:
    """Return the detections in single pictures as those in a batch of pictures."""
    numbered = [one._replace(images=np.full_like(one.images, index)) for index, one in enumerate(by_scene)]
    return Detections(*(np.concatenate(arrays) for arrays in zip(*numbered, strict=True)))


def detect_in_opencv(prototxt: Path, caffemodel: Path, pictures: np.ndarray, console: Console) -> Detections:
    """Run pictures (N, 3, 128, 128) one by one through the Caffe files in OpenCV; return what it finds."""
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    found = []
    for picture in track(pictures, "OpenCV", console=console, transient=True, disable=not console.is_terminal):
        net.setInput(picture[np.newaxis])  # (3, 128, 128) -> (1, 3, 128, 128)
        found.append(detections(net.forward(), CANVAS, score_threshold=LEAST_SCORE))
    return joined(found)


def detect_in_caffe(reader: CaffeReader, prototxt: Path, caffemodel: Path, pictures: np.ndarray) -> Detections:
    """Run pictures (N, 3, 128, 128) one by one through the files in a real Caffe; return what it finds.

    Raises:
        ConversionError: Caffe cannot be started, or cannot load or run the files.

    """
    found = []
    with reader.load(prototxt, caffemodel) as session:
        (input_blob,) = session.net.inputs
        for picture in pictures:
            (output,) = session.run({input_blob: picture[np.newaxis]}).values()
            found.append(detections(output, CANVAS, score_threshold=LEAST_SCORE))
    return joined(found)


def compare(reader: str, found: Detections, reference: Detections, most_boxes: int, scenes: Scenes) -> Comparison:
    """Compare a reader's boxes with those of MXNet, which returns at most so many of each scene."""
    difference = compare_detections(reference, found, most_boxes)
    return Comparison(reader, mean_average_precision(found, scenes), len(found.ids), difference)


def results_table(precision_in_mxnet: float, boxes_in_mxnet: int, comparisons: list[Comparison], scenes: int) -> Table:
    """Return the table of all runs: mean average precision, boxes, and how those of the Caffe files fit MXNet's."""
    table = Table(title=f"{scenes} held-out scenes", title_justify="left")
    table.add_column("Run by")
    for heading in ("mAP", "Boxes", "Matched", "Largest score\ndifference", "Largest corner\ndifference"):
        table.add_column(heading, justify="right")
    table.add_row("MXNet (the source)", f"{precision_in_mxnet:.2%}", str(boxes_in_mxnet), "", "", "")
    for one in comparisons:
        table.add_row(
            one.reader,
            f"{one.precision:.2%}",
            str(one.boxes),
            str(one.difference.matched),
            f"{one.difference.score:.1e}",
            f"{one.difference.corner:.1e} px",
        )
    return table


def complaint(one: Comparison, boxes_in_mxnet: int) -> str:
    """Return the sentence that says how far a reader is from MXNet."""
    found = one.difference
    first = f"; {found.problem}" if found.problem else ""
    return (
        f"The Caffe files do not find what MXNet finds: of its {boxes_in_mxnet} boxes, {found.matched} are among the"
        f" {one.boxes} in {one.reader}, with scores up to {found.score:.1e} apart (allowed: {SCORE_TOLERANCE:.0e}) and"
        f" corners up to {found.corner:.1e} pixels (allowed: {CORNER_TOLERANCE:g}){first}."
    )


def run(output: Path, picture: Path, console: Console) -> list[str]:
    """Convert, run every held-out scene through all readers and print the table; return one complaint per bad reader.

    Raises:
        ConversionError: the net cannot be converted, or the files cannot be written or run.

    """
    for folder in (output, picture.parent):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"the folder {folder} cannot be made: {error.strerror}") from error
    scenes = held_out_scenes()
    inputs = scenes.inputs()
    net = load_detector()

    console.print(f"Converting an SSD on {BACKBONE}, trained to find scanned digits, to Caffe ...")
    saved = to_caffe(net).save(output / "scenes")

    console.print(f"Looking at {len(scenes)} scenes of digits that the training never saw ...")
    reference = detect(net, inputs)
    by_opencv = detect_in_opencv(saved.prototxt, saved.caffemodel, inputs, console)
    comparisons = [compare("OpenCV dnn", by_opencv, reference, net.post_nms, scenes)]
    readers, skipped = usable_caffes()
    for reader in readers:
        found = detect_in_caffe(reader, saved.prototxt, saved.caffemodel, inputs)
        comparisons.append(compare(reader.name, found, reference, net.post_nms, scenes))
    save_picture(picture, scenes, reference, by_opencv)

    boxes = len(reference.ids)
    console.print(results_table(mean_average_precision(reference, scenes), boxes, comparisons, len(scenes)))
    for sentence in skipped:
        console.print(sentence, soft_wrap=True)
    console.print(f"Files: {saved.prototxt}, {saved.caffemodel}; both sets of boxes: {picture}", soft_wrap=True)
    return [complaint(one, boxes) for one in comparisons if not one.difference.agrees]


def usable_caffes() -> tuple[list[CaffeReader], list[str]]:
    """Return the real Caffes that have the layers of an SSD, and a sentence for each one that is skipped."""
    usable, skipped = [], []
    for reader in caffe_readers():
        if not reader.available:
            skipped.append(f"{reader.name} skipped: {reader.reason}")
        elif not reader.has_ssd_layers:
            missing = ", ".join(sorted(SSD_LAYERS - reader.layer_types()))
            skipped.append(f"{reader.name} skipped: it has no {missing} layers")
        else:
            usable.append(reader)
    return usable, skipped if usable or skipped else [f"Real Caffe skipped: {NO_CAFFE}"]


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; return its exit status."""
    parser = argparse.ArgumentParser(description="Convert a trained detector of digits to Caffe and compare.")
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="FOLDER", help="where the files go (demo-output)"
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="the picture of both sets of boxes (scenes.png in the folder)"
    )
    options = parser.parse_args(arguments)
    try:
        complaints = run(options.output, options.picture or options.output / "scenes.png", Console())
    except ConversionError as error:
        complaints = [str(error)]
    for sentence in complaints:
        print(sentence, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
