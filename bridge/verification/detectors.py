"""Verifying a detector: its detections on each reader against those of the net, box by box."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.convert import as_model, to_intermediate
from gluon2caffe.bridge.load import Source
from gluon2caffe.bridge.verification.readers.reader import Reader
from gluon2caffe.bridge.verification.reference import source_outputs
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.bridge.verification.report import Report, Row
from gluon2caffe.bridge.verification.run import run_readers
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.bridge.verification.samples import split_samples
from gluon2caffe.onnx2caffe.model import SavedModel
from gluon2caffe.ssd_heads import Detections, Heads, compare_detections, decode, detections
from gluon2caffe.ssd_heads.agreement import CORNER_TOLERANCE, SCORE_TOLERANCE, DetectionDifference
from gluon2caffe.ssd_heads.functions import detection_scores

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Run:
    """A model, its files, the raw inputs to run them on, the readers, and those that are missing with reasons."""

    model: Conversion
    files: SavedModel
    raw: Mapping[str, FloatArray]
    readers: Sequence[Reader]
    missing: Mapping[str, str]


def compare_detectors(run: Run, source: Source, heads: Heads) -> Report:
    """Run sample by sample, since images have different numbers of detections, and keep the largest differences."""
    (shape,) = run.model.inputs.values()
    output = ", ".join(run.model.outputs)
    blob = ", ".join(run.model.outputs.values())
    worst: dict[str, DetectionDifference] = {}
    failed: dict[str, str] = {}
    skipped = dict(run.missing)
    for sample in split_samples(run.raw, run.model.inputs):
        reference = source_detections(source, sample, run.model, heads)
        ran = run_readers(run.readers, *run.files, sample)
        skipped |= ran.skipped
        for reader, result in ran.results.items():
            if isinstance(result, ReaderError):
                failed[reader] = str(result)
                continue
            found = _found(result, run.model, heads)
            difference = _compare(reference, found, heads, partial(_is_cut, source, sample, run.model, heads))
            worst[reader] = _worse(worst[reader], difference) if reader in worst else difference
    rows = tuple(row for reader, found in worst.items() for row in _rows(reader, output, blob, found, shape))
    return Report(tolerance=SCORE_TOLERANCE, rows=rows, failed=failed, skipped=skipped)


def rows_at(
    run: Run,
    source: Source,
    heads: Heads,
    raw: Mapping[str, FloatArray],
    results: Mapping[str, Mapping[str, FloatArray] | ReaderError],
    expected: Sequence[FloatArray],
    words: str,
) -> list[Row]:
    """The rows of a detector that was fed inputs of another shape; outputs are called `name @ 225×231: scores`.

    `expected` is what the source gives, as `source_arrays` does.
    """
    ((name, array),) = raw.items()
    shape = array.shape
    (output,), (blob,) = run.model.outputs, run.model.outputs.values()
    model = replace(run.model, options=replace(run.model.options, input_shape={name: shape}))
    heads = replace(heads, image_size=(shape[2], shape[3]))
    reference = heads.read(expected)
    rows: list[Row] = []
    for reader, result in results.items():
        if isinstance(result, ReaderError):
            found = DetectionDifference(0, 0, math.inf, math.inf, str(result))
        else:
            is_cut = partial(_is_cut, source, raw, model, heads)
            found = _compare(reference, _found(result, model, heads), heads, is_cut)
        rows += _rows(reader, f"{output} @ {words}", blob, found, shape)
    return rows


def _found(blobs: Mapping[str, FloatArray], model: Conversion, heads: Heads) -> Detections:
    """What a reader found: rows of detections, or raw predictions that are decoded here."""
    outputs = {output: blobs[blob] for output, blob in model.outputs.items()}
    if model.options.heads == "raw":
        return decode(outputs, heads.document(), model.arrays.get("priors"))
    (rows,) = outputs.values()
    return detections(rows, heads.image_size, score_threshold=heads.score_threshold)


def _compare(reference: Detections, found: Detections, heads: Heads, is_cut: Callable[[], bool]) -> DetectionDifference:
    """The difference; a list that is longer than the source's is right only where the source cut its candidates."""
    difference = compare_detections(reference, found, heads.post_nms)
    if not difference.tail or is_cut():
        return difference
    return compare_detections(reference, found, heads.post_nms, may_continue=False)


def source_detections(source: Source, sample: Mapping[str, FloatArray], model: Conversion, heads: Heads) -> Detections:
    """What the source finds in one sample of the model's raw input."""
    return heads.read(source_arrays(source, sample, model, heads))


def source_arrays(
    source: Source,
    sample: Mapping[str, FloatArray],
    model: Conversion,
    heads: Heads,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
) -> list[FloatArray]:
    """What the source gives: its outputs, or the tensors that its heads name."""
    return source_outputs(
        source,
        sample,
        model.inputs if shapes is None else shapes,
        preprocessing=model.preprocessing,
        outputs=list(heads.fetch) or None,
        softmax=False,
        whole=True,
    )


def _is_cut(source: Source, sample: Mapping[str, FloatArray], model: Conversion, heads: Heads) -> bool:
    """Whether more boxes have a score than the source lets enter suppression."""
    # What is decoded here is cut as the source cuts it.
    if heads.nms_topk <= 0 or model.options.heads == "raw":
        return False
    intermediate = as_model(to_intermediate(source, model.options))
    scores, classes = detection_scores(intermediate)
    (found,) = run_onnx(intermediate, sample, [scores]).values()
    foreground = found.reshape(len(found), -1, classes)[..., 1:]
    return bool((foreground > heads.score_threshold).sum(axis=(1, 2)).max() > heads.nms_topk)


def _worse(a: DetectionDifference, b: DetectionDifference) -> DetectionDifference:
    return DetectionDifference(
        a.matched + b.matched, a.tail + b.tail, max(a.score, b.score), max(a.corner, b.corner), a.problem or b.problem
    )


def _rows(reader: str, output: str, blob: str, found: DetectionDifference, shape: tuple[int, ...]) -> tuple[Row, Row]:
    """Scores, absolute; and corners, absolute in pixels and relative to the larger side of the picture."""
    common: dict[str, Any] = {"reader": reader, "blob": blob, "problem": found.problem}
    sound = not found.problem
    return (
        Row(
            output=f"{output}: scores",
            shape=(found.matched,),
            absolute=found.score,
            relative=found.score,
            passed=sound and found.score <= SCORE_TOLERANCE,
            **common,
        ),
        Row(
            output=f"{output}: corners, pixels",
            shape=(found.matched, 4),
            absolute=found.corner,
            relative=found.corner / max(shape[2:]),
            passed=sound and found.corner <= CORNER_TOLERANCE,
            **common,
        ),
    )
