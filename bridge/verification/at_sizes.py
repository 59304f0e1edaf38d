"""Verifying at other input sizes: the files reshaped as their users reshape them, the source run at the same sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.load import Source
from gluon2caffe.bridge.verification.compare import compare
from gluon2caffe.bridge.verification.detectors import Run, rows_at, source_arrays
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
from gluon2caffe.ssd_heads import Heads

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
    """Five sizes at which the files are exact: the least, odd and even, square and not; fewer where there are none.

    Where any batch is exact, one of them is a whole shape with a batch of two.
    """
    if sizes is None or len(inputs) != 1 or any(len(shape) != 4 for shape in inputs.values()):
        return []
    ((name, shape),) = inputs.items()
    height, width = sizes.axes[name]
    least = (height.least, width.least)
    near = [(h + shape[2], w + shape[3]) for h, w in ((1, 1), (0, 7), (6, 1), (9, 32), (32, 0), (-1, 2), (-8, -5))]
    pairs: list[Size] = [
        pair for pair in (least, *near) if min(pair) > 0 and sizes.includes({name: (*shape[:2], *pair)})
    ]
    found = list(dict.fromkeys(pairs))[:DRAWN]
    if sizes.any_batch and len(found) > 2:
        found[2] = (2 if shape[0] == 1 else 1, shape[1], *found[2])
    return found


def compare_at_sizes(
    report: Report,
    run: Run,
    source: Source,
    sizes: Sequence[Size] | None,
    asked: float | None,
    heads: Heads | None = None,
) -> Report:
    """The report with a row for every output on every reader at every size; outputs are called `name @ 225×231`.

    OpenCV and the Caffes are reshaped; other readers, whose converters take the size of the files, are not. `heads`
    are those of a detector that ends in its detections. Without `sizes` they are drawn.
    """
    tolerance = TOLERANCE if asked is None else asked
    rows, failed, notes = list(report.rows), dict(report.failed), list(report.notes)
    at = partial(_source_at, run.model, source, heads)
    wanted = _drawn_shapes(run.model, at) if sizes is None else [shapes_at(run.model.inputs, size) for size in sizes]
    with ExitStack() as stack:
        sessions: dict[str, Session] = {}
        for shapes in wanted:
            words = ", ".join("×".join(map(str, _told(shape))) for shape in shapes.values())
            why_not = [] if run.model.sizes is None else run.model.sizes.why_not(shapes)
            if why_not:
                notes.append(f"At {words} the files are not said to be exact: {'; '.join(why_not[:3])}.")
            try:
                given, raw, expected = at(shapes)
            except ConversionError as error:
                notes.append(f"At {words} the source does not run: {' '.join(str(error).split())[:200]}")
                continue
            _open_sessions(sessions, run, stack, failed, skipped=report.skipped)
            results = _results(sessions, raw)
            if heads is None:
                rows += _rows(run, results, expected, words, tolerance)
            else:
                rows += rows_at(run, given, heads, raw, results, expected, words)
    return replace(report, rows=tuple(rows), failed=failed, notes=tuple(notes))


def _source_at(
    model: Conversion, source: Source, heads: Heads | None, shapes: Mapping[str, Shape]
) -> tuple[Source, dict[str, FloatArray], Sequence[FloatArray]]:
    """The source declared at these input shapes, inputs drawn for it, and what it computes.

    Raises:
        ConversionError: it does not run at them.
    """
    given = _declared_at(source, shapes) if isinstance(source, (str, PathLike, onnx.ModelProto)) else source
    raw = drawn(np.random.default_rng(0), shapes, source)
    if heads is not None:
        return given, raw, source_arrays(given, raw, model, heads, shapes)
    options = model.options
    expected = source_outputs(
        given, raw, shapes, preprocessing=model.preprocessing, outputs=model.source_ends, softmax=options.softmax
    )
    return given, raw, expected


def _drawn_shapes(model: Conversion, at: Callable[[Mapping[str, Shape]], object]) -> list[dict[str, Shape]]:
    """Drawn shapes, the least of which is doubled until the source takes it: the files may take less than that."""
    shapes = [shapes_at(model.inputs, size) for size in drawn_sizes(model.sizes, model.inputs)]
    for place, least in enumerate(shapes[:1]):
        ((name, own),) = model.inputs.items()
        batch, channels, height, width = least[name]
        while (height, width) != own[2:] and not _runs(at, {name: (batch, channels, height, width)}):
            height, width = min(2 * height, own[2]), min(2 * width, own[3])
        shapes[place] = {name: (batch, channels, height, width)}
    return [shape for shape in shapes if shape != model.inputs]


def _runs(at: Callable[[Mapping[str, Shape]], object], shapes: Mapping[str, Shape]) -> bool:
    try:
        at(shapes)
    except ConversionError:
        return False
    return True


def _told(shape: Shape) -> Shape:
    """What to say of a shape: height and width, and the batch where it is not one."""
    return shape if len(shape) != 4 or shape[0] != 1 else shape[2:]


def _open_sessions(
    sessions: dict[str, Session], run: Run, stack: ExitStack, failed: dict[str, str], *, skipped: Mapping[str, str]
) -> None:
    """Load the files in each reader that can be reshaped and has no session: at first, and after one has failed."""
    for reader in run.readers:
        if _is_reshaped(reader) and reader.name not in {*sessions, *failed, *skipped}:
            try:
                sessions[reader.name] = stack.enter_context(reader.load(*run.files))
            except ReaderError as error:
                failed[reader.name] = str(error)


def _is_reshaped(reader: Reader) -> bool:
    return isinstance(reader, (CaffeReader, OpenCVReader))


def _results(sessions: dict[str, Session], raw: Mapping[str, FloatArray]) -> dict[str, Any]:
    """What each reader computes of these inputs, or the error that it ends with."""
    results: dict[str, Any] = {}
    for name, session in list(sessions.items()):
        try:
            results[name] = session.run(raw, reshape=True)
        except ReaderError as error:
            results[name] = error
            # Its process has ended, or is in no state to go on.
            del sessions[name]
    return results


def _rows(run: Run, results: dict[str, Any], expected: Sequence[FloatArray], words: str, tolerance: float) -> list[Row]:
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
