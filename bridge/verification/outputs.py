"""Verifying a net that ends in arrays: its outputs on each reader against those of the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gluon2caffe.bridge.load import Source, is_checkpoint, is_gluon_block
from gluon2caffe.bridge.verification.compare import compare
from gluon2caffe.bridge.verification.detectors import Run
from gluon2caffe.bridge.verification.readers.opencv_reader import OpenCVReader
from gluon2caffe.bridge.verification.readers.reader import TOLERANCE
from gluon2caffe.bridge.verification.reference import other_precision, source_outputs
from gluon2caffe.bridge.verification.reference_files import FileReference, file_outputs, file_reference
from gluon2caffe.bridge.verification.reference_onnx import declared_precision, input_types
from gluon2caffe.bridge.verification.report import Report, Row, number
from gluon2caffe.bridge.verification.rounding import rounding_floors
from gluon2caffe.bridge.verification.run import run_readers
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.bridge.verification.samples import split_samples
from gluon2caffe.bridge.verification.sensitivity import INPUT_MOVE, Sensitivity, measure
from gluon2caffe.onnx2caffe.errors import ConversionError

FloatArray = npt.NDArray[np.float32]
MOVES = 3
"""How often the input is moved where an output differs; once is enough to report how sensitive a net is."""


def compare_outputs(run: Run, source: Source, asked: float | None) -> Report:
    """Run the files on every reader, and say of each difference beyond the tolerance what explains it, if anything.

    The tolerance is the one that was asked for, else the reader's own.

    Raises:
        ConversionError: the source cannot be run.
    """
    tolerance = TOLERANCE if asked is None else asked
    own_tolerances = {each.name: each.tolerance for each in run.readers if each.tolerance != TOLERANCE}
    outputs = run.model.outputs
    found = (
        file_reference(run, source, tolerance)
        if is_checkpoint(source)
        else FileReference(_computed(run, source, run.raw))
    )
    if len(found.outputs) != len(outputs):
        raise ConversionError(f"The source gives {len(found.outputs)} outputs, the model {len(outputs)}.")
    reference = dict(zip(outputs, found.outputs, strict=True))
    ran = run_readers(run.readers, *run.files, run.raw)
    common: dict[str, Any] = {
        "blobs": outputs,
        "skipped": {**run.missing, **ran.skipped},
        "tolerance": tolerance,
        "own_tolerances": own_tolerances if asked is None else None,
        "floors": rounding_floors(run.model.model),
    }
    report = compare(ran.results, reference, **common)
    own = _sensitivities(run, source, reference, differs=any(not row.passed for row in report.rows))
    if own:
        report = compare(ran.results, reference, sensitivities=own, **common)
    report = replace(report, rows=tuple(_checked_without_winograd(report.rows, run, reference, tolerance)))
    notes = (*report.notes, *_notes(source, own, reference))
    return replace(report, notes=notes, intermediate=found.rows, reference=found.description)


def _computed(run: Run, source: Source, raw: Mapping[str, FloatArray]) -> list[FloatArray]:
    """What the source makes of raw inputs of the model."""
    if is_checkpoint(source):
        return file_outputs(run, source, raw)
    return source_outputs(
        source,
        raw,
        run.model.inputs,
        preprocessing=run.model.preprocessing,
        outputs=run.model.source_ends,
        softmax=run.model.options.softmax,
    )


def _sensitivities(
    run: Run, source: Source, reference: Mapping[str, FloatArray], *, differs: bool
) -> dict[str, Sensitivity]:
    """Output -> how far it moves when the inputs do: of all samples where an output differs, else of the first."""
    if _takes_integers(source) or not all(np.isfinite(array).all() for array in reference.values()):
        return {}
    if differs:
        raw, expected = dict(run.raw), list(reference.values())
    else:
        raw = split_samples(run.raw, run.model.inputs)[0]
        expected = _computed(run, source, raw)
    found = measure(lambda changed: _computed(run, source, changed), raw, expected, moves=MOVES if differs else 1)
    return dict(zip(reference, found, strict=True))


def _takes_integers(source: Source) -> bool:
    """Whether an input of an ONNX source is of integers or booleans, which cannot move by rounding."""
    if is_checkpoint(source) or is_gluon_block(source):
        return False
    return any(dtype.kind in "iub" for dtype in input_types(source).values())


def _checked_without_winograd(
    rows: Sequence[Row], run: Run, reference: Mapping[str, FloatArray], tolerance: float
) -> list[Row]:
    """The rows, those of OpenCV that differ compared once more without its Winograd convolutions."""
    differ = [row for row in rows if row.reader == "OpenCV" and not row.passed and not row.problem]
    reader = next((each for each in run.readers if isinstance(each, OpenCVReader)), None)
    if not differ or reader is None:
        return list(rows)
    blobs = run.model.outputs
    ran = run_readers([reader.without_winograd()], *run.files, run.raw)
    found = ran.results.get(reader.name)
    if found is None or isinstance(found, ReaderError):
        return list(rows)
    again = compare({reader.name: found}, {row.output: reference[row.output] for row in differ}, blobs=blobs)
    without = {row.output: row for row in again.rows}
    return [_explained(row, without[row.output], tolerance) if row in differ else row for row in rows]


def _explained(row: Row, without: Row, tolerance: float) -> Row:
    figure = f"without its Winograd convolutions {number(without.relative)}"
    if not without.problem and without.relative <= tolerance:
        return replace(row, passed=True, remark=f"agrees: {figure}")
    return replace(row, remark=figure)


def _notes(source: Source, own: Mapping[str, Sensitivity], reference: Mapping[str, FloatArray]) -> list[str]:
    notes = []
    precision = _precision(source)
    if precision:
        notes.append(
            f"The source's weights are in {precision} precision; it was run in single precision, as Caffe runs."
        )
    for output, moves in own.items():
        largest = float(np.abs(reference[output]).max(initial=0.0))
        relative = moves.absolute / largest if largest else 0.0
        notes.append(
            f"The source's own sensitivity: rounding its input (by {number(INPUT_MOVE)} of the largest value) moves "
            f"{output} by {number(moves.absolute)} (relative {number(relative)})."
        )
    return notes


def _precision(source: Source) -> str:
    """The precision of a source that has not float32 weights, in words; else empty."""
    if is_gluon_block(source):
        return other_precision(source)
    return "" if is_checkpoint(source) else declared_precision(source)
