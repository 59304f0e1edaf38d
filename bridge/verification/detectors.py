"""Verifying an SSD: its detections on each reader against those of the net, box by box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gluon2caffe import ssd_heads
from gluon2caffe.bridge.load import Source
from gluon2caffe.bridge.preprocessing import apply_preprocessing
from gluon2caffe.bridge.verification.errors import ReaderError
from gluon2caffe.bridge.verification.readers.reader import Reader
from gluon2caffe.bridge.verification.reference import source_outputs
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from gluon2caffe.bridge.verification.report import Report, Row
from gluon2caffe.bridge.verification.run import run_readers
from gluon2caffe.bridge.verification.samples import split_samples
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.model import CaffeModel, SavedModel
from gluon2caffe.ssd_heads.agreement import CORNER_TOLERANCE, SCORE_TOLERANCE, DetectionDifference

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Run:
    """A model, its files, the raw inputs to run them on, the readers, and those that are missing with reasons."""

    model: CaffeModel
    files: SavedModel
    raw: Mapping[str, FloatArray]
    readers: Sequence[Reader]
    missing: Mapping[str, str]


def ends_in_detections(model: CaffeModel) -> bool:
    """Whether the model's one output is made by a DetectionOutput layer."""
    return _detection_layer(model) is not None


def _detection_layer(model: CaffeModel) -> Any:
    for layer in reversed(model.layers):
        if layer.message.type == "DetectionOutput" and set(layer.message.top) >= set(model.outputs.values()):
            return layer.message.detection_output_param
    return None


def compare_detectors(run: Run, source: Source) -> Report:
    """Run sample by sample, since images have different numbers of detections, and keep the largest differences."""
    fields = _detection_layer(run.model)
    (shape,) = run.model.inputs.values()
    ((output, blob),) = run.model.outputs.items()
    worst: dict[str, DetectionDifference] = {}
    failed: dict[str, str] = {}
    skipped = dict(run.missing)
    for sample in split_samples(run.raw, run.model.inputs):
        reference, limit, may_continue = _reference(source, sample, run.model, fields)
        ran = run_readers(run.readers, *run.files, sample, fetch=[blob])
        skipped |= ran.skipped
        for reader, result in ran.results.items():
            if isinstance(result, ReaderError):
                failed[reader] = str(result)
                continue
            size = (shape[2], shape[3])
            found = ssd_heads.detections(result[blob], size, score_threshold=fields.confidence_threshold)
            difference = ssd_heads.compare_detections(reference, found, limit, may_continue=may_continue)
            worst[reader] = _worse(worst[reader], difference) if reader in worst else difference
    rows = tuple(row for reader, found in worst.items() for row in _rows(reader, output, blob, found, shape))
    return Report(tolerance=SCORE_TOLERANCE, rows=rows, failed=failed, skipped=skipped)


def _reference(
    source: Source, sample: Mapping[str, FloatArray], model: CaffeModel, fields: Any
) -> tuple[ssd_heads.Detections, int, bool]:
    """The source's detections, how many it returns at most (0 for any number), and whether Caffe's list may go on."""
    ((name, shape),) = model.inputs.items()
    x = apply_preprocessing(sample[name], model.preprocessing)
    if not ssd_heads.is_ssd(source):
        (rows,) = run_onnx(source, {name: x}).values()
        found = ssd_heads.detections(rows, (shape[2], shape[3]), score_threshold=fields.confidence_threshold)
        return found, fields.keep_top_k, False
    from gluon2caffe.bridge.export import load_mxnet

    mxnet = load_mxnet()
    try:
        arrays = [part.asnumpy() for part in source(mxnet.nd.array(x))]
    except mxnet.MXNetError as error:
        raise ConversionError(f"{source.name} cannot run: {str(error).strip().splitlines()[-1]}") from error
    suppresses = 0 < source.nms_thresh < 1
    return (
        ssd_heads.from_gluon(*arrays),
        source.post_nms if suppresses else 0,
        _is_cut(source, {name: x}, model, fields),
    )


def _is_cut(net: Any, inputs: Mapping[str, FloatArray], model: CaffeModel, fields: Any) -> bool:
    """Whether more boxes have a score than the net lets enter suppression."""
    if not (0 < net.nms_thresh < 1 and net.nms_topk > 0):
        return False
    classes, _ = source_outputs(net, inputs, model.inputs, preprocessing=None, outputs=None, softmax=False)
    powers = np.exp(classes - classes.max(axis=-1, keepdims=True))
    scores = powers / powers.sum(axis=-1, keepdims=True)
    return bool((scores[..., 1:] > fields.confidence_threshold).sum(axis=(1, 2)).max() > net.nms_topk)


def _worse(a: DetectionDifference, b: DetectionDifference) -> DetectionDifference:
    return DetectionDifference(
        a.matched + b.matched, a.tail + b.tail, max(a.score, b.score), max(a.corner, b.corner), a.problem or b.problem
    )


def _rows(reader: str, output: str, blob: str, found: DetectionDifference, shape: tuple[int, ...]) -> tuple[Row, Row]:
    """Scores, absolute; and corners, absolute in pixels and relative to the larger side of the picture."""
    common = {"reader": reader, "blob": blob, "problem": found.problem}
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
