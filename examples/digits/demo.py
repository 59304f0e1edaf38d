"""Convert the trained digits classifier to Caffe, and show that the Caffe files read digits as MXNet does.

Run it from the root of the repository:

    python -m examples.digits.demo [--output FOLDER]

It ends with status 1 when a label differs or the scores differ by more than 1e-4 of the largest one.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from examples.digits.classifier import INPUT_SHAPE, NETWORK, accuracy_of, load_classifier, scores_of
from examples.digits.comparison import LARGEST_RELATIVE_ERROR, Comparison, compare
from examples.digits.data import load_digit_sets
from examples.digits.sheet import save_sheet
from gluon2caffe import to_caffe
from gluon2caffe.bridge.verification.readers import CaffeReader, caffe_readers
from gluon2caffe.onnx2caffe.errors import ConversionError, OutputError

NO_CAFFE = "Real Caffe skipped: none is set up (gluon2caffe readers setup caffe makes one, CAFFE_PYTHON names your own)"


def scores_in_opencv(prototxt: Path, caffemodel: Path, pictures: np.ndarray, console: Console) -> np.ndarray:
    """Run pictures (N, 3, 32, 32) one by one through the Caffe files in OpenCV; return the scores, float32 (N, 10)."""
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    scores = []
    for picture in track(pictures, "OpenCV", console=console, transient=True, disable=not console.is_terminal):
        net.setInput(picture[np.newaxis])  # (3, 32, 32) -> (1, 3, 32, 32)
        scores.append(net.forward())
    return np.concatenate(scores)


def scores_in_caffe(reader: CaffeReader, prototxt: Path, caffemodel: Path, pictures: np.ndarray) -> np.ndarray:
    """Run pictures (N, 3, 32, 32) through the files in a real Caffe; return the scores, float32 (N, 10).

    Raises:
        ConversionError: Caffe cannot be started, or cannot load or run the files.

    """
    with reader.load(prototxt, caffemodel) as session:
        (input_blob,) = session.net.inputs
        (scores,) = session.run({input_blob: pictures}).values()
    return scores


def results_table(accuracy_in_mxnet: float, comparisons: list[Comparison], digits: int) -> Table:
    """Return the table of all runs: accuracy, labels that differ from MXNet's, differences of the scores."""
    table = Table(title=f"{digits} held-out digits", title_justify="left")
    table.add_column("Run by")
    for heading in ("Accuracy", "Labels that\ndiffer", "Largest\ndifference", "Relative to\nlargest score"):
        table.add_column(heading, justify="right")
    table.add_row("MXNet (the source)", f"{accuracy_in_mxnet:.2%}", "", "", "")
    for one in comparisons:
        table.add_row(
            one.reader,
            f"{one.accuracy:.2%}",
            str(one.labels_that_differ),
            f"{one.largest_difference:.1e}",
            f"{one.relative_difference:.1e}",
        )
    return table


def complaint(one: Comparison, digits: int) -> str:
    """Return the sentence that says how far a reader is from MXNet."""
    return (
        f"The Caffe files do not compute what MXNet computes: in {one.reader}, {one.labels_that_differ} of {digits}"
        f" labels differ and the largest difference is {one.relative_difference:.1e} of the largest score"
        f" (allowed: none, and {LARGEST_RELATIVE_ERROR:.0e})."
    )


def run(output: Path, console: Console) -> list[str]:
    """Convert, run every held-out digit through all readers and print the table; return one complaint per bad reader.

    Raises:
        ConversionError: the net cannot be converted, or the files cannot be written or run.

    """
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {output} cannot be made: {error.strerror}") from error
    _, held_out = load_digit_sets()
    net = load_classifier()

    console.print(f"Converting {NETWORK}, trained on scanned digits, to Caffe ...")
    saved = to_caffe(net, INPUT_SHAPE).save(output / "digits")

    console.print(f"Reading {len(held_out)} digits that the training never saw ...")
    reference = scores_of(net, held_out.pictures)
    by_opencv = scores_in_opencv(saved.prototxt, saved.caffemodel, held_out.pictures, console)
    comparisons = [compare("OpenCV dnn", by_opencv, reference, held_out.labels)]
    skipped = []
    for reader in caffe_readers():
        if not reader.available:
            skipped.append(f"{reader.name} skipped: {reader.reason}")
            continue
        scores = scores_in_caffe(reader, saved.prototxt, saved.caffemodel, held_out.pictures)
        comparisons.append(compare(reader.name, scores, reference, held_out.labels))
    if len(comparisons) == 1 and not skipped:
        skipped.append(NO_CAFFE)
    sheet = output / "digits.png"
    save_sheet(sheet, held_out, reference.argmax(axis=1), by_opencv.argmax(axis=1))

    console.print(results_table(accuracy_of(reference, held_out.labels), comparisons, len(held_out)))
    for sentence in skipped:
        console.print(sentence, soft_wrap=True)
    console.print(f"Files: {saved.prototxt}, {saved.caffemodel}; some digits with both labels: {sheet}", soft_wrap=True)
    return [complaint(one, len(held_out)) for one in comparisons if not one.agrees]


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; return its exit status."""
    parser = argparse.ArgumentParser(description="Convert a trained digits classifier to Caffe and compare.")
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="FOLDER", help="where the files go (demo-output)"
    )
    output = parser.parse_args(arguments).output
    try:
        complaints = run(output, Console(markup=False, highlight=False))
    except ConversionError as error:
        complaints = [str(error)]
    for sentence in complaints:
        print(sentence, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
