"""The library call `verify`: does a Caffe model compute what its source computes?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from gluon2caffe.bridge.convert import as_model, lowered, to_intermediate
from gluon2caffe.bridge.load import Source, is_checkpoint
from gluon2caffe.bridge.verification.compare import TOLERANCE, compare
from gluon2caffe.bridge.verification.detectors import Run, compare_detectors
from gluon2caffe.bridge.verification.errors import ReaderError
from gluon2caffe.bridge.verification.first_difference import first_difference
from gluon2caffe.bridge.verification.readers import installed_readers
from gluon2caffe.bridge.verification.readers.reader import Reader
from gluon2caffe.bridge.verification.reference import source_outputs
from gluon2caffe.bridge.verification.reference_files import FileReference, file_reference
from gluon2caffe.bridge.verification.reference_onnx import input_types, intermediate_tensors, node_outputs, run_onnx
from gluon2caffe.bridge.verification.report import FirstDifference, Report
from gluon2caffe.bridge.verification.run import run_readers
from gluon2caffe.bridge.verification.samples import split_samples
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.model import CaffeModel, SavedModel
from gluon2caffe.onnx2caffe.read import read_model

FloatArray = npt.NDArray[np.float32]
Samples = FloatArray | Mapping[str, FloatArray] | int
Prefix = str | PathLike[str]


def verify(
    model: CaffeModel | Prefix,
    source: Source,
    samples: Samples = 1,
    *,
    files: Prefix | None = None,
    readers: Iterable[Reader] | None = None,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    **conversion: Any,
) -> Report:
    """Run a Caffe model on real Caffe readers and compare it with its source, output by output.

    Where an output differs, the report names the first layer that does: each blob is compared with the tensor of the
    intermediate that it should hold.

    Args:
        model: what `to_caffe` gave, or the prefix of a saved pair.
        source: what it was converted from.
        samples: float32 input (N, C, H, W), as the model takes it; a mapping from input name to array; or how many
            samples to draw, normally distributed, or whole numbers of 0 to 255 where the source takes such.
        files: the prefix at which a CaffeModel is saved already; it is saved to a folder of its own otherwise.
        readers: where to run it; every reader found on this machine if left out.
        tolerance: largest absolute difference allowed, as a part of the largest absolute output of the source.
        seed: of the drawn samples.
        conversion: for a saved pair, the keyword arguments that it was converted with.

    Raises:
        ConversionError: the source or the pair cannot be read, or the samples do not fit.
    """
    loaded, saved = _opened(model, source, files, conversion)
    raw = _inputs(samples, loaded.inputs, seed, source)
    chosen, missing = _readers(readers)
    with tempfile.TemporaryDirectory(prefix="gluon2caffe-") as folder:
        run = Run(loaded, saved or loaded.save(Path(folder) / "net"), raw, chosen, missing)
        if loaded.heads is not None and loaded.made_with.get("heads", "detection") != "raw":
            report = compare_detectors(run, source)
        else:
            report = _compare_outputs(run, source, tolerance)
        bad = next((row.reader for row in report.rows if not row.passed), None)
        if bad is None:
            return report
        reader = next(reader for reader in chosen if reader.name == bad)
        return replace(report, first_difference=_find_difference(run, reader, source, tolerance))


def _compare_outputs(run: Run, source: Source, tolerance: float) -> Report:
    outputs = run.model.outputs
    found = file_reference(run, source, tolerance) if is_checkpoint(source) else FileReference(_expected(run, source))
    if len(found.outputs) != len(outputs):
        raise ConversionError(f"The source gives {len(found.outputs)} outputs, the model {len(outputs)}.")
    reference = dict(zip(outputs, found.outputs, strict=True))
    ran = run_readers(run.readers, *run.files, run.raw, fetch=list(outputs.values()))
    skipped = {**run.missing, **ran.skipped}
    report = compare(ran.results, reference, blobs=outputs, skipped=skipped, tolerance=tolerance)
    return replace(report, intermediate=found.rows, reference=found.description)


def _expected(run: Run, source: Source) -> list[FloatArray]:
    asked = run.model.made_with
    return source_outputs(
        source,
        run.raw,
        run.model.inputs,
        preprocessing=run.model.preprocessing,
        outputs=asked.get("outputs"),
        softmax=bool(asked.get("softmax")),
    )


def _opened(
    model: CaffeModel | Prefix, source: Source, files: Prefix | None, conversion: dict[str, Any]
) -> tuple[CaffeModel, SavedModel | None]:
    """The model, and its files where it was saved before."""
    if isinstance(model, CaffeModel):
        if conversion:
            raise TypeError(f"a CaffeModel knows how it was converted: {', '.join(conversion)} goes with a saved pair")
        return model, None if files is None else SavedModel.at(fspath(files))
    saved = SavedModel.at(fspath(model))
    loaded = read_model(*saved)
    asked = {"input_shape": dict(loaded.inputs), **conversion}
    choices = {name: asked.pop(name) for name in ("relu6", "target") if name in asked}
    made = to_intermediate(source, **asked)
    names = [tensor.name for tensor in made.graph.outputs]
    fresh = lowered(made, asked, **choices)
    if fresh.prototxt() == loaded.prototxt():
        # The files say nothing of tensors; a conversion that gives the same text does.
        return replace(fresh, layers=loaded.layers), saved
    loaded.outputs = _outputs_by_name(loaded.outputs, names)
    loaded.preprocessing, loaded.made_with, loaded.heads = made.preprocessing, asked, made.heads
    return loaded, saved


def _outputs_by_name(blobs: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Output of the source -> blob: by name, or by place where a net of another make calls them otherwise."""
    found = {name: blob for name in names for blob in (name, f"{name}/output/copy") if blob in blobs}
    if len(found) == len(names):
        return {name: found[name] for name in names}
    if len(names) != len(blobs):
        raise ConversionError(f"The source has the outputs {', '.join(names)}; the files have {', '.join(blobs)}.")
    return dict(zip(names, blobs, strict=True))


def _inputs(
    samples: Samples, shapes: Mapping[str, tuple[int, ...]], seed: int, source: Source
) -> dict[str, FloatArray]:
    """Input -> array; drawn where only their number is given."""
    if isinstance(samples, int):
        random = np.random.default_rng(seed)
        types = input_types(source) if isinstance(source, (str, PathLike, onnx.ModelProto)) else {}
        drawn = {
            name: [_drawn(random, shape, types.get(name, np.dtype(np.float32))) for _ in range(samples)]
            for name, shape in shapes.items()
        }
        made = {name: np.concatenate(arrays) for name, arrays in drawn.items()}
    elif isinstance(samples, Mapping):
        made = {name: np.asarray(array, np.float32) for name, array in samples.items()}
    else:
        if len(shapes) != 1:
            raise ConversionError(f"The model has the inputs {', '.join(shapes)}: give samples by name.")
        made = {next(iter(shapes)): np.asarray(samples, np.float32)}
    try:
        split_samples(made, shapes)
    except ValueError as error:
        raise ConversionError(f"The samples do not fit: {error}.") from None
    return made


def _drawn(random: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> FloatArray:
    """Normally distributed numbers; whole ones as of a picture, or truth values, where the source takes these."""
    if dtype.kind in "iub":
        high = 1 if dtype.kind == "b" else min(255, np.iinfo(dtype).max)
        return random.integers(0, high, shape, endpoint=True).astype(np.float32)
    return random.normal(size=shape).astype(np.float32)


def _readers(readers: Iterable[Reader] | None) -> tuple[list[Reader], dict[str, str]]:
    if readers is not None:
        return list(readers), {}
    found = installed_readers()
    return list(found), dict(found.missing)


def _find_difference(run: Run, reader: Reader, source: Source, tolerance: float) -> FirstDifference | None:
    """Where to look first: against the intermediate, tensor by tensor, for the first sample."""
    sample = split_samples(run.raw, run.model.inputs)[0]
    intermediate = as_model(to_intermediate(source, **run.model.made_with))
    values = run_onnx(intermediate, sample, intermediate_tensors(intermediate))
    try:
        return first_difference(
            run.model,
            run.files.caffemodel,
            reader,
            sample,
            values,
            node_outputs=node_outputs(intermediate),
            tolerance=tolerance,
        )
    except ReaderError:
        # The variant without in-place layers needs more memory; the errors of the outputs stand all the same.
        return None
