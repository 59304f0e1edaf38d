"""The library call `verify`: does a Caffe model compute what its source computes?"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx

from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.convert import as_model, convert_keeping, to_intermediate
from gluon2caffe.bridge.load import Source
from gluon2caffe.bridge.options import ConversionKeywords, ConversionOptions, conversion_options
from gluon2caffe.bridge.verification.at_sizes import Size, compare_at_sizes
from gluon2caffe.bridge.verification.detectors import Run, compare_detectors
from gluon2caffe.bridge.verification.first_difference import first_difference
from gluon2caffe.bridge.verification.model_inputs import Samples, model_inputs
from gluon2caffe.bridge.verification.outputs import compare_outputs
from gluon2caffe.bridge.verification.prerequisites import INSTALL, MissingExtraError, check_prerequisites
from gluon2caffe.bridge.verification.readers import installed_readers, readers_for
from gluon2caffe.bridge.verification.readers.reader import Reader
from gluon2caffe.bridge.verification.reference_onnx import intermediate_tensors, node_outputs, run_onnx
from gluon2caffe.bridge.verification.report import Report
from gluon2caffe.bridge.verification.samples import split_samples
from gluon2caffe.bridge.verification.saturated import decided_by_raw_heads
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.model import CaffeModel, SavedModel
from gluon2caffe.onnx2caffe.read import read_model
from gluon2caffe.ssd_heads import kind_of_block

if TYPE_CHECKING:
    from gluon2caffe.bridge.options import Unpack

Prefix = str | PathLike[str]


def verify(
    model: Conversion | CaffeModel | Prefix,
    source: Source,
    samples: Samples = 1,
    *,
    files: Prefix | None = None,
    readers: Iterable[Reader | str] | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    at_sizes: Sequence[Size] | None = None,
    **conversion: Unpack[ConversionKeywords],
) -> Report:
    """Run a Caffe model on real Caffe readers and compare it with its source, output by output.

    A difference beyond the tolerance is the converter's fault only where nothing else explains it. It passes, and the
    report says why, where the source itself moves as far when its input moves by rounding (see ``sensitivity``), where
    a sigmoid near 0 is as good as Caffe's formula (see ``rounding``), and where OpenCV is within the tolerance without
    its Winograd convolutions.

    Where an output differs, the report names the first layer that does: each blob is compared with the tensor of the
    intermediate that it should hold.

    Args:
        model: what `to_caffe` returned, or the prefix of a saved pair.
        source: what it was converted from.
        samples: float32 input (N, C, H, W), as the model takes it, or a mapping from input name to array; the path of
            an .npy or .npz file, of images or of a folder of images, or a list of these; or how many samples to draw,
            normally distributed, or integers of 0 to 255 where the source takes such. Images are resized to the input's
            size and keep their values of 0 to 255, so a net that takes normalised ones needs its `mean` and `std`.
        files: the prefix at which the conversion is saved already; it is saved to a folder of its own otherwise.
        readers: where to run it, by name (see `gluon2caffe readers`) or as objects. If left out, the reader of the
            target's name where that is ready, else OpenCV and the Caffes; the report names the others under `skipped`.
        tolerance: largest absolute difference allowed, as a part of the largest absolute output of the source; if left
            out 1e-4, and 0.01 on a reader that computes in half precision.
        seed: of the drawn samples.
        at_sizes: other input sizes to compare at, each (height, width) or a whole shape (N, C, H, W): OpenCV and the
            Caffes are reshaped, the source runs at the same size. ``sizes=[...]`` does as well. For files converted
            with ``sizes="any"`` five are drawn where none are given.
        conversion: for a saved pair, the options of `to_caffe` that it was converted with.

    Raises:
        ConversionError: the source or the pair cannot be read or run, or the samples do not fit.
        MissingExtraError: what verifying needs is not installed.
    """
    if tolerance is not None and not 0 <= tolerance < math.inf:
        raise ConversionError(f"tolerance={tolerance!r} is not valid: expected a number of 0 or more.")
    if not isinstance(conversion.get("sizes", ""), str):
        # The option of a conversion is a word, the sizes to compare at are a list.
        at_sizes = conversion.pop("sizes")  # type: ignore[assignment]
    check_prerequisites(source, samples)
    # Before anything is opened: without a reader that would be in vain.
    target = model.options.target if isinstance(model, Conversion) else conversion_options(conversion).target
    chosen, missing = _readers(readers, target)
    loaded, saved = _opened(model, source, files, conversion)
    raw = model_inputs(samples, loaded, source, seed)
    with tempfile.TemporaryDirectory(prefix="gluon2caffe-") as folder:
        run = Run(loaded, saved or loaded.save(Path(folder) / "net"), raw, chosen, missing)
        # None: to be drawn.
        draws = at_sizes is None and loaded.options.sizes == "any"
        wanted = None if draws else tuple(at_sizes or ())
        if loaded.heads is not None and (loaded.options.heads != "raw" or kind_of_block(source) is None):
            report = compare_detectors(run, source, loaded.heads)
            if any(not row.passed for row in report.rows):
                report = decided_by_raw_heads(report, run, source, loaded.heads, tolerance)
            if wanted != () and loaded.options.heads == "raw":
                note = "Other sizes were not compared: what decodes raw predictions is for the size of the conversion."
                report = replace(report, notes=(*report.notes, note))
            elif wanted != ():
                return compare_at_sizes(report, run, source, wanted, tolerance, loaded.heads)
        else:
            report = compare_outputs(run, source, tolerance)
            if wanted != ():
                return compare_at_sizes(report, run, source, wanted, tolerance)
        bad = next((row.reader for row in report.rows if not row.passed), None)
        if bad is None:
            return report
        reader = next(reader for reader in chosen if reader.name == bad)
        limit = reader.tolerance if tolerance is None else tolerance
        return _with_first_difference(report, run, reader, source, limit)


def _opened(
    model: Conversion | CaffeModel | Prefix, source: Source, files: Prefix | None, keywords: Mapping[str, Any]
) -> tuple[Conversion, SavedModel | None]:
    """The model, and its files where it was saved before."""
    if isinstance(model, Conversion):
        if keywords:
            raise ConversionError(
                f"a Conversion knows its options: {', '.join(keywords)} can only be given for a saved pair."
            )
        return model, None if files is None else SavedModel.at(fspath(files))
    if isinstance(model, CaffeModel):
        options = conversion_options({"input_shape": model.inputs, **keywords})
        return Conversion(model, options), None if files is None else SavedModel.at(fspath(files))
    saved = SavedModel.at(fspath(model))
    loaded = read_model(*saved)
    return _as_converted(loaded, source, conversion_options({"input_shape": dict(loaded.inputs), **keywords})), saved


def _as_converted(loaded: CaffeModel, source: Source, options: ConversionOptions) -> Conversion:
    """The model of a saved pair, and what a conversion of its source remembers."""
    made, fresh = convert_keeping(source, options)
    names = [tensor.name for tensor in made.graph.outputs]
    if fresh.prototxt() == loaded.prototxt():
        # The files say nothing of tensors; a conversion that gives the same text does.
        return replace(fresh, model=replace(fresh.model, layers=loaded.layers))
    model = replace(loaded, outputs=_outputs_by_name(loaded.outputs, names))
    return Conversion(model, made.options, made.source, heads=made.heads)


def _outputs_by_name(blobs: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Output of the source -> blob: by name, or by place where a net of another make calls them otherwise."""
    found = {name: blob for name in names for blob in (name, f"{name}/output/copy") if blob in blobs}
    if len(found) == len(names):
        return {name: found[name] for name in names}
    if len(names) != len(blobs):
        raise ConversionError(f"The source has the outputs {', '.join(names)}; the files have {', '.join(blobs)}.")
    return dict(zip(names, blobs, strict=True))


def _readers(asked: Iterable[Reader | str] | None, target: str) -> tuple[list[Reader], dict[str, str]]:
    """The readers to run, and why others are not."""
    given = None if asked is None else list(asked)
    names = None if given is None else [each for each in given if isinstance(each, str)]
    own = [each for each in given or () if not isinstance(each, str)]
    if given is not None and not names:
        return own, {}
    found = readers_for(target) if names is None else installed_readers(names)
    if not found.readers and not own:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.missing.items())
        raise MissingExtraError(f"No reader of Caffe files works here ({reasons}). Try: {INSTALL}")
    return [*found, *own], dict(found.missing)


def _with_first_difference(report: Report, run: Run, reader: Reader, source: Source, tolerance: float) -> Report:
    """The report with where to look first: against the intermediate, tensor by tensor, for the first sample."""
    sample = split_samples(run.raw, run.model.inputs)[0]
    try:
        intermediate = as_model(to_intermediate(source, run.model.options))
        values = run_onnx(intermediate, sample, intermediate_tensors(intermediate))
        found = first_difference(
            run.model.model,
            run.files.caffemodel,
            reader,
            sample,
            values,
            node_outputs=node_outputs(intermediate),
            sources=run.model.sources,
            tolerance=tolerance,
        )
    except (ConversionError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        # The differences of the outputs stand all the same. An intermediate that onnx refuses, a net that needs more
        # memory without in-place layers: only the search ends.
        reason = " ".join(str(error).split())
        note = f"The first layer that differs could not be looked for: {reason}"
        return replace(report, notes=(*report.notes, note))
    return replace(report, first_difference=found)
