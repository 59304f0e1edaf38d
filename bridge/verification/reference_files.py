"""What a net in MXNet's files computes: MXNet's own forward pass where MXNet is installed, and the intermediate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gluon2caffe.bridge.convert import as_model, to_intermediate
from gluon2caffe.bridge.load import Source
from gluon2caffe.bridge.verification.compare import difference
from gluon2caffe.bridge.verification.detectors import Run
from gluon2caffe.bridge.verification.reference import source_outputs
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.bridge.verification.report import Row
from gluon2caffe.bridge.verification.run_errors import ReferenceModelError
from gluon2caffe.bridge.verification.samples import FloatArray
from gluon2caffe.onnx2caffe.errors import SourceError

INTERMEDIATE = "the intermediate in onnxruntime"


@dataclass(frozen=True)
class FileReference:
    """The outputs to compare with, what they are from, and how the intermediate compares where both were run."""

    outputs: list[FloatArray]
    description: str = ""
    rows: tuple[Row, ...] = ()


def file_reference(run: Run, source: Source, tolerance: float) -> FileReference:
    """Run the net of a pair of files.

    Raises:
        ReferenceModelError: neither MXNet nor onnxruntime can run it.
    """
    missing = _mxnet_missing()
    if missing:
        return FileReference(
            _intermediate_outputs(run, source, run.raw),
            f"{INTERMEDIATE}; it was not compared with MXNet on this machine: {missing}",
        )
    expected = file_outputs(run, source, run.raw)
    try:
        found = _intermediate_outputs(run, source, run.raw)
    except ReferenceModelError as error:
        return FileReference(expected, f"MXNet. {INTERMEDIATE.capitalize()} was not run: {error}")
    rows = tuple(
        _row(name, got, wanted, tolerance) for name, got, wanted in zip(run.model.outputs, found, expected, strict=True)
    )
    return FileReference(expected, f"MXNet; {INTERMEDIATE} is compared with it too", rows)


def file_outputs(run: Run, source: Source, raw: Mapping[str, FloatArray]) -> list[FloatArray]:
    """Return what the net computes of `raw`: in MXNet where it is installed, else as the intermediate."""
    if _mxnet_missing():
        return _intermediate_outputs(run, source, raw)
    return source_outputs(
        source,
        raw,
        run.model.inputs,
        preprocessing=run.model.preprocessing,
        outputs=run.model.source_ends,
        softmax=run.model.options.softmax,
    )


def _mxnet_missing() -> str:
    """Return why MXNet cannot run here, or nothing."""
    from gluon2caffe.bridge.export import load_mxnet

    try:
        load_mxnet()
    except SourceError as error:
        return str(error)
    return ""


def _intermediate_outputs(run: Run, source: Source, raw: Mapping[str, FloatArray]) -> list[FloatArray]:
    model = as_model(to_intermediate(source, run.model.options))
    return list(run_onnx(model, raw).values())


def _row(output: str, got: FloatArray, expected: FloatArray, tolerance: float) -> Row:
    apart = difference(np.asarray(got, np.float32), expected)
    return Row(
        INTERMEDIATE,
        output,
        output,
        tuple(expected.shape),
        apart.absolute,
        apart.relative,
        apart.within(tolerance),
        apart.problem,
    )
