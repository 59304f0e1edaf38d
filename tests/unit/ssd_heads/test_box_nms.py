"""Detectors that end in box_nms, from the block and from files: GluonCV's YOLOv3 and rows put together otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import layer_types, run
from detection_lists import Found, assert_same, of_mxnet, of_onnx, of_rows
from test_ssd_from_files import exported

from gluon2caffe import load_mxnet, to_caffe, to_onnx, verify
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.bridge.random_weights import initialise
from gluon2caffe.onnx2caffe.errors import ConversionError

pytestmark = [pytest.mark.usefixtures("mx"), pytest.mark.filterwarnings("ignore:.* not run:UserWarning")]

SQUARE = (1, 3, 64, 64)


def telling_yolo(classes: int = 3, shape: tuple[int, ...] = SQUARE, objectness: float = -3.5) -> tuple[Any, Any]:
    """YOLOv3 on the smallest MobileNet, its scores spread and its boxes bounded, and an input."""
    mx = load_mxnet()
    names = [f"class{number}" for number in range(classes)]
    net = load_gluoncv().model_zoo.get_model("yolo3_mobilenet0.25_custom", classes=names, pretrained_base=False)
    initialise(net, shape)
    for output in net.yolo_outputs:
        weight, bias = output.prediction.weight, output.prediction.bias
        values = bias.data().asnumpy().reshape(output._num_anchors, -1)
        values[:, 2:4] *= 0.3
        values[:, 4] += objectness
        bias.set_data(mx.nd.array(values.reshape(-1)))
        weight.set_data(weight.data() * 0.35)
    return net, np.random.default_rng(0).normal(size=shape).astype(np.float32)


def agrees(source: Any, x: np.ndarray, reference: list[Found], size: tuple[int, int], threshold: float = 0.01) -> Any:
    """Assert that readers and onnxruntime find what MXNet finds, in its order; return the model."""
    model = to_caffe(source, x.shape)
    ran = run(model, {"data": x})
    assert "OpenCV" in ran
    for found in ran.values():
        assert_same(of_rows(found["detection_out"], size, threshold), reference)
    assert_same(of_rows(of_onnx(to_onnx(source, x.shape), x), size, threshold), reference)
    return model


CASES: dict[str, tuple[int, tuple[int, ...], dict[str, Any], int]] = {
    "as the zoo sets it": (3, SQUARE, {}, 20),
    "two wide images": (3, (2, 3, 64, 96), {}, 40),
    "one class": (1, SQUARE, {}, 20),
    "twenty classes": (20, SQUARE, {}, 50),
    "fewer reported": (3, SQUARE, {"post_nms": 10}, 10),
    "more suppression": (3, SQUARE, {"nms_thresh": 0.1, "nms_topk": -1}, 10),
    "all enter, all are reported": (3, SQUARE, {"nms_topk": -1, "post_nms": -1}, 20),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_yolo_from_the_block_and_from_files(case: tuple[Any, ...], tmp_path: Path) -> None:
    classes, shape, nms, least = case
    net, x = telling_yolo(classes, shape)
    net.set_nms(**{"nms_thresh": 0.45, "nms_topk": 400, "post_nms": 100, **nms})
    reference = of_mxnet(net, x)
    assert len(reference) >= least
    from_block = agrees(net, x, reference, shape[2:])
    from_files = agrees(exported(net, x, tmp_path, net.name), x, reference, shape[2:])
    assert {layer for layer in layer_types(from_files) if "Prior" in layer} == set()
    assert sorted(layer_types(from_files)) == sorted(layer_types(from_block))


def test_rows_start_at_label_1_like_those_of_an_ssd() -> None:
    """The background is 0 everywhere, so that `detections` needs no flag."""
    net, x = telling_yolo(1)
    model = to_caffe(net, x.shape)
    fields = model.layer("detection_out").message.detection_output_param
    assert (fields.num_classes, fields.background_label_id, fields.code_type) == (2, 0, 1)
    for found in run(model, {"data": x}).values():
        rows = found["detection_out"].reshape(-1, 7)
        assert set(rows[rows[:, 2] > 0.01, 1].tolist()) == {1.0}


@pytest.mark.parametrize("objectness", [-60.0, 30.0], ids=["nothing", "everything"])
def test_nothing_and_everything_is_found(objectness: float) -> None:
    net, x = telling_yolo(1, objectness=objectness)
    net.set_nms(nms_thresh=0.999, nms_topk=-1, post_nms=-1)
    reference = of_mxnet(net, x)
    assert len(reference) == (0 if objectness < 0 else 3 * (2 * 2 + 4 * 4 + 8 * 8))
    agrees(net, x, reference, SQUARE[2:])


def test_a_decoder_that_divides_by_the_picture_binds_its_size() -> None:
    model = to_caffe(telling_yolo()[0], SQUARE)
    assert model.sizes is not None
    assert "detection_out: corners divided by the size of the picture" in model.sizes.fixed
    assert not model.sizes.includes((1, 3, 128, 32))


def test_verify_and_inspect(tmp_path: Path) -> None:
    net, x = telling_yolo()
    files = exported(net, x, tmp_path)
    for source in (net, files):
        report = verify(to_caffe(source, x.shape), source, x)
        assert report.passed, str(report)
        assert {row.output for row in report.rows} == {"detection_out: scores", "detection_out: corners, pixels"}
    assert str(to_caffe(net, x.shape).heads) == (
        "box NMS: input 64×64, 252 boxes, 3 classes\nscores above 0.01\n"
        "suppression: overlap above 0.45, of 400 boxes, 100 reported"
    )


def boxes_of(F: Any, x: Any, count: int) -> Any:  # noqa: N803  (MXNet's own name)
    """Corners (N, count, 4) in pixels of a picture of 32×32, from a feature map of `4·count` numbers per picture."""
    raw = F.reshape(x, shape=(0, count, 4))
    first, extent = F.slice_axis(raw, axis=-1, begin=0, end=2), F.slice_axis(raw, axis=-1, begin=2, end=4)
    place, size = F.sigmoid(first) * 24, F.sigmoid(extent) * 16 + 4
    return F.concat(place, place + size, dim=-1)


def one_row_for_each_class(F: Any, scores: Any, boxes: Any) -> Any:  # noqa: N803
    rows = []
    for number in range(3):
        score = F.slice_axis(scores, axis=-1, begin=number, end=number + 1)
        rows.append(F.concat(F.ones_like(score) * number, score, boxes, dim=-1))
    return F.concat(*rows, dim=1)


def classes_first(F: Any, scores: Any, boxes: Any) -> Any:  # noqa: N803
    """Scores from a tensor (N, classes, boxes)."""
    lying = F.sigmoid(F.transpose(scores, axes=(0, 2, 1)) * 3)
    rows = []
    for number in range(3):
        score = F.expand_dims(F.reshape(F.slice_axis(lying, axis=1, begin=number, end=number + 1), (0, -1)), axis=-1)
        rows.append(F.concat(F.zeros_like(score) + number, score, boxes, dim=-1))
    return F.concat(*rows, dim=1)


def tiled(F: Any, scores: Any, boxes: Any) -> Any:  # noqa: N803
    score = F.expand_dims(F.transpose(scores, axes=(2, 0, 1)), axis=-1)
    ids = F.broadcast_add(score * 0, F.reshape(F.arange(0, 3), shape=(0, 1, 1, 1)))
    every = F.tile(F.expand_dims(boxes, axis=0), reps=(3, 1, 1, 1))
    return F.reshape(F.transpose(F.concat(ids, score, every, dim=-1), axes=(1, 0, 2, 3)), shape=(0, -1, 6))


def detector(rows: Callable[..., Any], **nms: Any) -> tuple[Any, np.ndarray]:
    """A convolution whose numbers become 12 boxes and their scores for 3 classes, and an input."""
    mx = load_mxnet()
    attributes = {"overlap_thresh": 0.3, "valid_thresh": 0.05, "topk": 40, "id_index": 0, **nms}

    class Detector(mx.gluon.HybridBlock):
        def __init__(self) -> None:
            super().__init__(prefix="own_")
            with self.name_scope():
                self.boxes = mx.gluon.nn.Conv2D(12, 8, strides=16)
                self.scores = mx.gluon.nn.Conv2D(9, 8, strides=16)

        def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803
            boxes = boxes_of(F, self.boxes(x), 12)
            scores = F.sigmoid(F.reshape(self.scores(x), shape=(0, 12, 3)))
            return F.contrib.box_nms(rows(F, scores, boxes), coord_start=2, score_index=1, **attributes)

    net = Detector()
    initialise(net, (2, 3, 32, 32))
    return net, np.random.default_rng(1).normal(size=(2, 3, 32, 32)).astype(np.float32) * 2


def rows_of_mxnet(net: Any, x: np.ndarray) -> list[Found]:
    (rows,) = [net(load_mxnet().nd.array(x)).asnumpy()]
    found = [
        Found(image, int(row[0]), float(row[1]), tuple(row[2:6].tolist()))
        for image in range(len(rows))
        for row in rows[image]
        if row[0] >= 0
    ]
    return sorted(found, key=lambda one: (one.image, -one.score))


@pytest.mark.parametrize("rows", [one_row_for_each_class, classes_first, tiled])
def test_rows_however_they_are_put_together(rows: Callable[..., Any], tmp_path: Path) -> None:
    net, x = detector(rows)
    reference = rows_of_mxnet(net, x)
    assert len({one.label for one in reference}) == 3
    assert len(reference) >= 10
    agrees(net, x, reference, (32, 32), 0.05)
    agrees(exported(net, x, tmp_path), x, reference, (32, 32), 0.05)


def without_classes(F: Any, scores: Any, boxes: Any) -> Any:  # noqa: N803
    return F.concat(
        F.zeros_like(F.slice_axis(scores, axis=-1, begin=0, end=1)),
        F.slice_axis(scores, axis=-1, begin=0, end=1),
        boxes,
        dim=-1,
    )


def test_one_class_without_numbers(tmp_path: Path) -> None:
    net, x = detector(without_classes, id_index=-1)
    rows = net(load_mxnet().nd.array(x)).asnumpy()
    reference = [
        Found(image, 0, float(row[1]), tuple(row[2:6].tolist()))
        for image in range(2)
        for row in rows[image]
        if row[1] > 0
    ]
    reference.sort(key=lambda one: (one.image, -one.score))
    assert len(reference) >= 5
    agrees(net, x, reference, (32, 32), 0.05)


def test_suppression_across_classes_is_refused() -> None:
    net, x = detector(tiled, force_suppress=True)
    with pytest.raises(ConversionError, match=r"force_suppress.*Try: heads="):
        to_caffe(net, x.shape)


def test_formats_that_are_no_corners_are_refused() -> None:
    net, x = detector(tiled, in_format="center", out_format="center")
    with pytest.raises(
        ConversionError, match=r"in_format is center, expected corner\.\nTry: --outputs \w+ \(or auto\)"
    ):
        to_caffe(net, x.shape)


def test_cut_before_the_suppression_it_is_no_detector() -> None:
    net, x = detector(tiled)
    with pytest.raises(ConversionError) as error:
        to_caffe(detector(tiled, in_format="center")[0], x.shape)
    assert error.value.cut is not None
    (name,) = error.value.cut.outputs
    model = to_caffe(net, x.shape, outputs=[name])
    assert model.heads is None
    assert list(model.outputs) == [name]
    with pytest.raises(ConversionError, match="needs a detector"):
        to_caffe(net, x.shape, outputs=[name], heads="raw")
