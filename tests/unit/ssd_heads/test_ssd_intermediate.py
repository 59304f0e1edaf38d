"""The intermediate of an SSD: valid ONNX with the heads in plain sight, which converts to the same files."""

from pathlib import Path
from typing import Any

import onnx
import pytest
from detection_lists import assert_same, of_mxnet, of_onnx, of_rows
from onnx import helper
from small_ssd import telling_ssd

from gluon2caffe import to_caffe, to_onnx, verify
from gluon2caffe.bridge.verification.readers import OpenCVReader

pytestmark = pytest.mark.usefixtures("mx")

OPTIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "batch norms kept": {"merge_bn": False},
    "raw heads": {"heads": "raw"},
    "constant priors": {"priors": "constant"},
    "preprocessing": {"to_bgr": True, "mean": (0.4, 0.5, 0.6), "std": 0.2},
}
# What the second conversion must be told again.
AGAIN = ("merge_bn",)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {
        name: value.decode() if isinstance(value, bytes) else pytest.approx(value) for name, value in values.items()
    }


@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_passes_the_checker_and_converts_to_the_same_files(options: dict[str, Any], tmp_path: Path) -> None:
    net, _ = telling_ssd(3)
    model = to_onnx(net, **options)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, tmp_path / "net.onnx")
    straight = to_caffe(net, **options).save(tmp_path / "straight")
    again = to_caffe(
        str(tmp_path / "net.onnx"), **{name: value for name, value in options.items() if name in AGAIN}
    ).save(tmp_path / "again")
    assert again.prototxt.read_bytes() == straight.prototxt.read_bytes()
    assert again.caffemodel.read_bytes() == straight.caffemodel.read_bytes()


def test_a_model_in_memory_gives_the_same_files_as_one_on_disk(tmp_path: Path) -> None:
    model = to_onnx(telling_ssd(3)[0])
    onnx.save(model, tmp_path / "net.onnx")
    assert to_caffe(model).save(tmp_path / "a").caffemodel.read_bytes() == (
        to_caffe(tmp_path / "net.onnx").save(tmp_path / "b").caffemodel.read_bytes()
    )


def test_heads_in_plain_sight() -> None:
    net, _ = telling_ssd(3, sizes=(20, 41, 63, 90))
    model = to_onnx(net)
    heads = [node for node in model.graph.node if node.domain == "caffe.ssd"]
    assert [node.op_type for node in heads] == ["PriorBox"] * 3 + ["DetectionOutput"]
    common = {"flip": 0, "clip": 0, "offset": 0.5, "variance": [0.1, 0.1, 0.2, 0.2]}
    assert [attributes(node) for node in heads[:3]] == [
        common | {"min_size": 20, "max_size": 41, "aspect_ratio": [1, 2, 0.5], "step_h": 8, "step_w": 8},
        common | {"min_size": 41, "max_size": 63, "aspect_ratio": [1, 2, 0.5, 3, 1 / 3], "step_h": 16, "step_w": 16},
        common | {"min_size": 63, "max_size": 90, "aspect_ratio": [1, 2, 0.5], "step_h": 32, "step_w": 32},
    ]
    assert attributes(heads[3]) == {
        "num_classes": 4,
        "share_location": 1,
        "background_label_id": 0,
        "code_type": "CENTER_SIZE",
        "nms_threshold": 0.45,
        "top_k": 400,
        "keep_top_k": 100,
        "confidence_threshold": 0.01,
    }
    assert len({node.name for node in model.graph.node}) == len(model.graph.node)
    assert [output.name for output in model.graph.output] == ["detection_out"]


def test_declared_as_functions_of_standard_operators() -> None:
    model = to_onnx(telling_ssd(3)[0])
    assert {(one.domain, one.name) for one in model.functions} == {
        ("caffe.ssd", "PriorBox"),
        ("caffe.ssd", "DetectionOutput"),
    }
    assert {node.domain for one in model.functions for node in one.node} == {""}
    assert {one.domain: one.version for one in model.opset_import} == {"": 13, "caffe.ssd": 1}


def test_raw_heads_have_no_functions() -> None:
    model = to_onnx(telling_ssd(3)[0], heads="raw")
    assert list(model.functions) == []
    assert {node.domain for node in model.graph.node} == {""}
    assert [output.name for output in model.graph.output] == ["class_predictions", "box_predictions"]


def test_runs_in_onnxruntime_for_another_picture(tmp_path: Path) -> None:
    """The model was made with one picture in mind; the functions know nothing of it."""
    net, x = telling_ssd(3, (2, 3, 96, 128))
    other = x[::-1, :, ::-1].copy()
    rows = of_onnx(to_onnx(net, x.shape), other)
    assert rows.shape[:2] == (1, 1)
    assert rows.shape[3] == 7
    reference = of_mxnet(net, other)
    assert {one.image for one in reference} == {0, 1}
    assert_same(of_rows(rows, (96, 128)), reference)


def test_nothing_found_is_one_row_for_each_image(tmp_path: Path) -> None:
    net, x = telling_ssd(3, (2, 3, 96, 96))
    net.cls_decoder._thresh = 0.999
    rows = of_onnx(to_onnx(net, x.shape), x)
    assert rows.tolist() == [[[[0, -1, -1, -1, -1, -1, -1], [1, -1, -1, -1, -1, -1, -1]]]]


def test_a_model_from_disk_is_verified_by_its_detections(tmp_path: Path) -> None:
    net, x = telling_ssd(3)
    onnx.save(to_onnx(net), tmp_path / "net.onnx")
    report = verify(to_caffe(tmp_path / "net.onnx"), str(tmp_path / "net.onnx"), x, readers=[OpenCVReader()])
    assert report.passed, str(report)
    assert [row.output for row in report.rows] == ["detection_out: scores", "detection_out: corners, pixels"]
    assert report.rows[0].shape == (len(of_mxnet(net, x)),)
