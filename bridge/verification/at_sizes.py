"""Verifying at other input sizes: the files reshaped as their users reshape them, the source run at the same sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.load import Source
from gluon2caffe.bridge.verification.compare import compare
from gluon2caffe.bridge.verification.detectors import Run
from gluon2caffe.bridge.verification.model_inputs import drawn
from gluon2caffe.bridge.verification.readers.caffe_reader import CaffeReader
from gluon2caffe.bridge.verification.readers.opencv_reader import OpenCVReader
from gluon2caffe.bridge.verification.readers.reader import TOLERANCE, Reader, Session
from gluon2caffe.bridge.verification.reference import source_outputs
from gluon2caffe.bridge.verification.report import Report, Row
from gluon2caffe.bridge.verification.rounding import rounding_floors
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.sizes import Sizes

FloatArray = npt.NDArray[np.float32]
Shape = tuple[int, ...]
Size = Sequence[int]
DRAWN = 5


def shapes_at(inputs: Mapping[str, Shape], size: Size) -> dict[str, Shape]:
    """Input -> its shape at a size: (height, width) for all inputs of four axes, or a whole shape (N, C, H, W).

    Raises:
        ConversionError: no input has such a size.

    """
    given = tuple(int(length) for length in size)
    if len(given) == 2 and all(len(shape) == 4 for shape in inputs.values()):
        return {name: (*shape[:2], *given) for name, shape in inputs.items()}
    if len(inputs) == 1:
        ((name, shape),) = inputs.items()
        if len(given) == len(shape):
            return {name: given}
    shapes = ", ".join(f"{name} {shape}" for name, shape in inputs.items())
    raise ConversionError(f"sizes holds {size!r}, expected (height, width) or a whole shape of {shapes}.")


def drawn_sizes(sizes: Sizes | None, inputs: Mapping[str, Shape]) -> Sequence[Size]:
    """Five sizes at which the files are exact: the least, odd and even, square and not; fewer where there are none."""
    if sizes is None or len(inputs) != 1 or any(len(shape) != 4 for shape in inputs.values()):
        return []
    ((name, shape),) = inputs.items()
    height, width = sizes.axes[name]
    least = (height.least, width.least)
    near = [(h + shape[2], w + shape[3]) for h, w in ((1, 1), (0, 7), (6, 1), (9, 32), (32, 0), (-1, 2), (-8, -5))]
    found = [pair for pair in (least, *near) if min(pair) > 0 and sizes.includes({name: (*shape[:2], *pair)})]
    return list(dict.fromkeys(found))[:DRAWN]


def compare_at_sizes(report: Report, run: Run, source: Source, sizes: Sequence[Size], asked: float | None) -> Report:
    """The report with a row for every output on every reader at every size; outputs are called `name @ 225×231`.

    OpenCV and the Caffes are reshaped; other readers, whose converters take the size of the files, are not.
    """
    tolerance = TOLERANCE if asked is None else asked
    wanted = [shapes_at(run.model.inputs, size) for size in sizes]
    rows, failed, notes = list(report.rows), dict(report.failed), list(report.notes)
    with ExitStack() as stack:
        sessions = _sessions(run, stack, failed, skipped=report.skipped)
        for shapes in wanted:
            words = ", ".join("×".join(map(str, _told(shape))) for shape in shapes.values())
            why_not = [] if run.model.sizes is None else run.model.sizes.why_not(shapes)
            if why_not:
                notes.append(f"At {words} the files are not said to be exact: {'; '.join(why_not[:3])}.")
            raw = drawn(np.random.default_rng(0), shapes, source)
            try:
                expected = _source_outputs(run.model, source, raw, shapes)
            except ConversionError as error:
                notes.append(f"At {words} the source does not run: {' '.join(str(error).split())[:200]}")
                continue
            rows += _rows(run, sessions, raw, expected, words, tolerance)
    return replace(report, rows=tuple(rows), failed=failed, notes=tuple(notes))


def _told(shape: Shape) -> Shape:
    """What to say of a shape: height and width, and the batch where it is not one."""
    return shape if len(shape) != 4 or shape[0] != 1 else shape[2:]


def _sessions(run: Run, stack: ExitStack, failed: dict[str, str], *, skipped: Mapping[str, str]) -> dict[str, Session]:
    """The files loaded once in each reader that can be reshaped."""
    sessions = {}
    for reader in run.readers:
        if _is_reshaped(reader) and reader.name not in {*failed, *skipped}:
            try:
                sessions[reader.name] = stack.enter_context(reader.load(*run.files))
            except ReaderError as error:
                failed[reader.name] = str(error)
    return sessions


def _is_reshaped(reader: Reader) -> bool:
    return isinstance(reader, (CaffeReader, OpenCVReader))


def _rows(
    run: Run,
    sessions: dict[str, Session],
    raw: Mapping[str, FloatArray],
    expected: Sequence[FloatArray],
    words: str,
    tolerance: float,
) -> list[Row]:
    results: dict[str, Any] = {}
    for name, session in list(sessions.items()):
        try:
            results[name] = session.run(raw, reshape=True)
        except ReaderError as error:
            results[name] = error
            # Its process has ended, or is in no state to go on.
            del sessions[name]
    outputs = run.model.outputs
    if len(expected) != len(outputs):
        raise ConversionError(f"The source gives {len(expected)} outputs, the model {len(outputs)}.")
    reference = {f"{output} @ {words}": values for output, values in zip(outputs, expected, strict=True)}
    blobs = {f"{output} @ {words}": blob for output, blob in outputs.items()}
    floors = {f"{output} @ {words}": floor for output, floor in rounding_floors(run.model.model).items()}
    made = compare(results, reference, blobs=blobs, tolerance=tolerance, floors=floors)
    ended = [
        Row(reader, output, blobs[output], tuple(values.shape), float("inf"), float("inf"), False, str(error))
        for reader, error in results.items()
        if isinstance(error, ReaderError)
        for output, values in reference.items()
    ]
    return [*made.rows, *ended]


def _source_outputs(
    model: Conversion, source: Source, raw: Mapping[str, FloatArray], shapes: Mapping[str, Shape]
) -> list[FloatArray]:
    options = model.options
    if isinstance(source, (str, PathLike, onnx.ModelProto)):
        source = _declared_at(source, shapes)
    return source_outputs(
        source, raw, shapes, preprocessing=model.preprocessing, outputs=options.outputs, softmax=options.softmax
    )


def _declared_at(source: str | PathLike[str] | onnx.ModelProto, shapes: Mapping[str, Shape]) -> onnx.ModelProto:
    """An ONNX model that declares other input shapes, and leaves those that follow from them open."""
    model = onnx.ModelProto()
    model.CopyFrom(source if isinstance(source, onnx.ModelProto) else onnx.load(source))
    for info in model.graph.input:
        if info.name in shapes:
            for dim, length in zip(info.type.tensor_type.shape.dim, shapes[info.name], strict=True):
                dim.dim_value = length
    del model.graph.value_info[:]
    for info in model.graph.output:
        info.type.tensor_type.ClearField("shape")
    return model
