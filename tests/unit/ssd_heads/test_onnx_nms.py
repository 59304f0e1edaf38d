"""ONNX detectors that end in NonMaxSuppression, as exporters write them, on every reader."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from agreement import layer_types, run
from detection_lists import Found, assert_same, of_onnx, of_rows
from nms_tails import (
    ACROSS_CLASSES,
    BACKGROUND_FIRST,
    BEST_ENTER,
    BEST_OF_ALL,
    CENTERS,
    INDICES,
    LIMITED,
    MOVED_CLASSES,
    ONE_CLASS,
    PADDED,
    SIDE,
    TORCHVISION,
    TORCHVISION_FEW,
    Case,
    detector,
    picture,
)

from gluon2caffe import to_caffe, to_onnx, verify
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.ssd_heads import decode

CASES = {
    "boxes, scores and indices": (INDICES, "of all boxes, all reported", 50),
    "classes moved apart": (MOVED_CLASSES, "best class of each box, of all boxes, 20 reported", 20),
    "padded rows": (PADDED, "best class of each box, of all boxes, 20 reported", 20),
    "the best of all classes": (BEST_OF_ALL, "of all boxes, 10 reported", 10),
    "a background in front": (BACKGROUND_FIRST, "of all boxes, 10 reported", 10),
    "centre and size": (CENTERS, "of all boxes, all reported", 50),
    "one class, y before x": (ONE_CLASS, "of all boxes, 12 reported", 10),
    "each class on its own": (TORCHVISION, "of all boxes, 20 reported", 20),
    "the best of each class enter": (TORCHVISION_FEW, "of all boxes, 6 of each class, all reported", 15),
}


def expected(case: Case, model: onnx.ModelProto, x: np.ndarray) -> list[Found]:
    """What onnxruntime finds, read by what is known of the case."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    label, score, box = case.read(dict(zip(names, session.run(None, {"x": x}), strict=True)))
    found = [
        Found(0, int(label[k]), float(score[k]), tuple(np.asarray(box[k], np.float64).tolist()))
        for k in range(len(score))
    ]
    return sorted(found, key=lambda one: -one.score)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_what_exporters_write(case: tuple[Case, str, int]) -> None:
    tail, rules, least = case
    source, x = detector(tail), picture()
    reference = expected(tail, source, x)
    assert len(reference) >= least
    model = to_caffe(source)
    assert str(model.heads).endswith(rules)
    assert layer_types(model)[-1] == "DetectionOutput"
    ran = run(model, {"x": x})
    assert "OpenCV" in ran
    for found in ran.values():
        assert_same(of_rows(found["detection_out"], (SIDE, SIDE), 0.2), reference)
    assert_same(of_rows(of_onnx(to_onnx(source), x), (SIDE, SIDE), 0.2), reference)
    assert verify(model, source, x).passed


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_raw_ends_are_decoded_to_the_same(case: tuple[Case, str, int]) -> None:
    source, x = detector(case[0]), picture()
    model = to_caffe(source, heads="raw")
    (outputs,) = [found for reader, found in run(model, {"x": x}).items() if reader == "OpenCV"]
    found = decode(outputs, json.loads(model.documents["heads"]))
    listed = [
        Found(0, int(found.ids[k]), float(found.scores[k]), tuple(found.boxes[k].tolist()))
        for k in range(len(found.ids))
    ]
    assert_same(listed, expected(case[0], source, x))


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (LIMITED, "lets at most 8 boxes of each class through"),
        (ACROSS_CLASSES, "lets boxes suppress those of other classes"),
    ],
)
def test_what_the_layer_cannot_do_ends_raw(case: Case, reason: str) -> None:
    source, x = detector(case), picture()
    with pytest.raises(ConversionError, match=rf"{reason}.*heads='raw'.*\nTry: --outputs boxes,"):
        to_caffe(source)
    model = to_caffe(source, heads="raw")
    (outputs,) = [found for reader, found in run(model, {"x": x}).items() if reader == "OpenCV"]
    found = decode(outputs, json.loads(model.documents["heads"]))
    reference = expected(case, source, x)
    assert found.ids.tolist() == [one.label for one in reference]
    np.testing.assert_allclose(found.boxes, [one.box for one in reference], atol=1e-3)


def test_the_list_of_a_source_that_takes_few_is_the_head_of_ours() -> None:
    source, x = detector(BEST_ENTER), picture()
    reference = expected(BEST_ENTER, source, x)
    assert 30 <= len(reference) < 60
    model = to_caffe(source)
    assert model.heads is not None and model.heads.nms_topk == 60
    for found in run(model, {"x": x}).values():
        assert_same(of_rows(found["detection_out"], (SIDE, SIDE), 0.2)[: len(reference)], reference)


def test_cut_at_the_suppression(tmp_path: Path) -> None:
    source = detector(MOVED_CLASSES)
    with pytest.raises(ConversionError, match="needs a detector"):
        to_caffe(source, outputs=["boxes", "scores"], heads="raw")
    model = to_caffe(source, outputs=["boxes", "scores"])
    assert list(model.outputs) == ["boxes", "scores"]
    assert model.heads is None


def changed(case: Case, old: str, new: str, outputs: str = "") -> onnx.ModelProto:
    assert old in case.nodes
    return detector(case._replace(nodes=case.nodes.replace(old, new), outputs=outputs or case.outputs))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        # Paddle's boxes of whole pixels are one wider to suppression.
        (
            changed(
                INDICES,
                "chosen = NonMaxSuppression(boxes,",
                "more = Constant<value_floats=[0.0, 0.0, 1.0, 1.0]>() wider = Add(boxes, more) "
                "chosen = NonMaxSuppression(wider,",
            ),
            "what comes out of it is not what suppression within each class gives",
        ),
        (
            changed(CENTERS, "label_float = Cast<to=1>(label)", "near = Cast<to=1>(label) label_float = Exp(near)"),
            "what comes out of it is not what suppression within each class gives",
        ),
        (
            changed(INDICES, "chosen =", "other = Relu(x) chosen =", INDICES.outputs + ", float[1,3,32,32] other"),
            "the output 'other' has nothing to do with it",
        ),
        (
            changed(
                INDICES,
                "chosen = NonMaxSuppression(boxes, by_class, most, overlap,",
                "top = ReduceMax<keepdims=0>(x) limit = Reshape(top, one) "
                "chosen = NonMaxSuppression(boxes, by_class, most, limit,",
            ),
            "the boxes and scores that it is given are not made by nodes of their own",
        ),
    ],
    ids=["wider boxes", "another label", "another output", "a computed overlap"],
)
def test_what_is_no_such_suppression_is_refused_with_a_cut(source: onnx.ModelProto, reason: str) -> None:
    with pytest.raises(ConversionError) as refusal:
        to_caffe(source)
    first, advice = str(refusal.value).splitlines()
    assert first == f"The suppression 'chosen' cannot become a DetectionOutput layer: {reason}."
    assert advice.startswith("Try: --outputs ")
    assert to_caffe(source, outputs=advice.split()[2].split(",")).heads is None


def test_a_suppression_on_its_own_is_no_detector() -> None:
    text = """<ir_version: 8, opset_import: ["": 13]>
    alone (float[1,6,4] boxes, float[1,1,6] scores) => (int64[k,3] chosen)
    <int64[1] most = {3}, float[1] overlap = {0.5}> { chosen = NonMaxSuppression(boxes, scores, most, overlap) }"""
    with pytest.raises(ConversionError, match="is known: only at the end of a detector, where it becomes a Detection"):
        to_caffe(onnx.parser.parse_model(text))
