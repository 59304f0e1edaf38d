"""Detectors whose scores are equal: which of their boxes suppress the others is then decided by rounding."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from gluon2caffe.bridge.convert import lowered, to_intermediate
from gluon2caffe.bridge.load import Source
from gluon2caffe.bridge.verification.detectors import Run, source_detections
from gluon2caffe.bridge.verification.outputs import compare_outputs
from gluon2caffe.bridge.verification.report import Report
from gluon2caffe.bridge.verification.samples import split_samples
from gluon2caffe.ssd_heads import Heads

EQUAL_PART = 0.5
"""Part of the detections that have the very score of another, from which on their order says nothing."""


def equal_scores(run: Run, source: Source, heads: Heads) -> tuple[int, int]:
    """Return how many detections of the source have the score of another in their image, and how many there are."""
    equal = total = 0
    for sample in split_samples(run.raw, run.model.inputs):
        found = source_detections(source, sample, run.model, heads)
        for image in set(found.images.tolist()):
            _, counts = np.unique(found.scores[found.images == image], return_counts=True)
            equal, total = equal + int(counts[counts > 1].sum()), total + int(counts.sum())
    return equal, total


def decided_by_raw_heads(report: Report, run: Run, source: Source, heads: Heads, tolerance: float | None) -> Report:
    """The report, with the raw predictions compared where equal scores leave the detections undecided.

    The detections of a saturated net (100 scores of exactly 1.0) differ between any two programs, since each sorts
    equal scores in its own way. A net that ends in its raw predictions is converted for this, saved and run.
    """
    equal, total = equal_scores(run, source, heads)
    if not total or equal < EQUAL_PART * total:
        return report
    conversion = lowered(to_intermediate(source, replace(run.model.options, heads="raw")))
    with tempfile.TemporaryDirectory(prefix="gluon2caffe-") as folder:
        files = conversion.save(Path(folder) / "net")
        raw = compare_outputs(replace(run, model=conversion, files=files), source, tolerance)
    note = (
        f"The detections are undecidable: {equal} of {total} have a score that another has too, so their order, and "
        "with it which box suppresses which, follows from rounding. The raw predictions were compared instead."
    )
    return replace(raw, notes=(note, *raw.notes))
