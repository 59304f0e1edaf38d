"""`ssd_heads.decode` finishes raw predictions in numpy: the detections are those of the source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_lists import Found, assert_same, of_mxnet
from small_ssd import telling_ssd
from test_box_nms import detector, one_row_for_each_class, telling_yolo
from test_multibox import SQUARE, multibox_symbol, of_multibox, picture, saved
from test_ssd_from_files import exported

from gluon2caffe import load_mxnet, to_caffe, verify
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.bridge.random_weights import initialise
from gluon2caffe.bridge.verification.readers import OpenCVReader
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.ssd_heads import Detections, decode

pytestmark = [pytest.mark.usefixtures("mx"), pytest.mark.filterwarnings("ignore:.* not run:UserWarning")]


def as_list(found: Detections) -> list[Found]:
    rows = zip(found.images, found.ids, found.scores, found.boxes, strict=True)
    return [Found(int(image), int(label), float(score), tuple(box.tolist())) for image, label, score, box in rows]


def in_opencv(source: Any, x: np.ndarray, folder: Path) -> tuple[dict[str, np.ndarray], Path]:
    """The raw outputs as OpenCV gives them, and the file that says what they are."""
    import cv2

    model = to_caffe(source, x.shape, heads="raw")
    files = model.save(folder / "raw")
    net = cv2.dnn.readNetFromCaffe(*map(str, files))
    net.setInput(x)
    blobs = list(model.outputs.values())
    return dict(zip(model.outputs, net.forward(blobs), strict=True)), folder / "raw.heads.json"


@pytest.mark.parametrize("nms", [{}, {"nms_topk": 30, "post_nms": 12}, {"nms_thresh": -1}], ids=["usual", "few", "off"])
@pytest.mark.parametrize("shape", [(1, 3, 96, 96), (2, 3, 96, 128)])
def test_an_ssd(nms: dict[str, Any], shape: tuple[int, ...], tmp_path: Path) -> None:
    net, x = telling_ssd(3, shape, stds=(0.1, 0.2, 0.3, 0.4))
    net.set_nms(**{"nms_thresh": 0.45, "nms_topk": 400, "post_nms": 100, **nms})
    reference = of_mxnet(net, x)
    assert len(reference) >= 12
    assert_same(as_list(decode(*in_opencv(net, x, tmp_path))), reference)


def test_a_decoder_that_clips_growth(tmp_path: Path) -> None:
    """DetectionOutput cannot compute it: raw heads can be finished all the same."""
    net, x = telling_ssd(3)
    net.bbox_decoder._clip = 0.05
    assert_same(as_list(decode(*in_opencv(net, x, tmp_path))), of_mxnet(net, x))


@pytest.mark.parametrize("nms", [{}, {"nms_topk": 40, "post_nms": 15}])
def test_yolo(nms: dict[str, Any], tmp_path: Path) -> None:
    net, x = telling_yolo(3, (2, 3, 64, 96))
    net.set_nms(**{"nms_thresh": 0.45, "nms_topk": 400, "post_nms": 100, **nms})
    assert_same(as_list(decode(*in_opencv(net, x, tmp_path))), of_mxnet(net, x))


@pytest.mark.parametrize("options", [{}, {"clip": False}, {"force_suppress": True}, {"nms_topk": 20}])
def test_multibox(options: dict[str, Any], tmp_path: Path) -> None:
    symbol = multibox_symbol(3, **options)
    files, x = saved(symbol, tmp_path), picture(SQUARE)
    assert_same(as_list(decode(*in_opencv(files, x, tmp_path))), of_multibox(files, symbol, x))


def telling_center_net(shape: tuple[int, ...]) -> tuple[Any, np.ndarray]:
    """CenterNet on the smallest backbone, its heat map spread, and an input."""
    net = load_gluoncv().model_zoo.get_model("center_net_resnet18_v1b_voc", pretrained_base=False)
    initialise(net, shape)
    last = net.heads[0][-1]
    last.weight.set_data(last.weight.data() * 0.6)
    return net, np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_center_net(tmp_path: Path) -> None:
    shape = (2, 3, 64, 96)
    net, x = telling_center_net(shape)
    ids, scores, boxes = (part.asnumpy() for part in net(load_mxnet().nd.array(x)))
    found = decode(*in_opencv(net, x, tmp_path))
    assert len(set(ids.reshape(-1).tolist())) >= 3
    assert scores.std() > 1e-3
    # Scores of neighbours differ by less than their rounding: compared place by place where they do not.
    order = np.argsort(-scores, axis=1, kind="stable")
    wanted = np.take_along_axis(scores, order, axis=1)
    np.testing.assert_allclose(found.scores.reshape(2, -1), wanted, atol=1e-4)
    gaps = np.abs(np.diff(wanted, axis=1, prepend=np.inf, append=-np.inf))
    clear = (gaps[:, :-1] > 1e-5) & (gaps[:, 1:] > 1e-5)
    assert clear.sum() >= 40
    np.testing.assert_array_equal(found.ids.reshape(2, -1)[clear], np.take_along_axis(ids, order, axis=1)[clear])
    corners = np.take_along_axis(boxes, order[..., None], axis=1)
    np.testing.assert_allclose(found.boxes.reshape(2, -1, 4)[clear], corners[clear], atol=0.05)


def test_center_net_says_what_to_do_where_it_cannot_end_in_detections() -> None:
    net, x = telling_center_net((1, 3, 64, 64))
    with pytest.raises(ConversionError, match=r"no ArgMax layer, which finds the best peaks\. heads='raw'.*'ssd'"):
        to_caffe(net, x.shape, target="opencv")
    model = to_caffe(net, x.shape, target="opencv", heads="raw")
    assert list(model.outputs) == ["heatmap", "sizes", "offsets"]
    assert str(model.heads) == "CenterNet: input 64×64, 20 classes, the best 40 peaks, 4 pixels per cell"
    report = verify(model, net, x, readers=[OpenCVReader()])
    assert report.passed, str(report)
    assert [row.shape for row in report.rows] == [(1, 20, 16, 16), (1, 2, 16, 16), (1, 2, 16, 16)]


def test_verify_decodes_what_has_no_counterpart_in_the_source(tmp_path: Path) -> None:
    net, x = telling_yolo()
    ssd, y = telling_ssd(3)
    for source, sample in ((net, x), (exported(ssd, y, tmp_path), y)):
        report = verify(to_caffe(source, sample.shape, heads="raw"), source, sample, readers=[OpenCVReader()])
        assert report.passed, str(report)
        assert report.rows[0].shape[0] >= 20
        assert report.rows[0].output.endswith(": scores")


def test_the_document(tmp_path: Path) -> None:
    net, x = telling_yolo()
    _, path = in_opencv(net, x, tmp_path)
    assert json.loads(path.read_text()) == {
        "kind": "corners",
        "outputs": ["scores", "boxes"],
        "image_size": [64, 64],
        "score_threshold": 0.01,
        "nms_threshold": 0.45,
        "nms_topk": 400,
        "post_nms": 100,
        "best_class": False,
        "across_classes": False,
        "clips": False,
        "largest_growth": None,
    }


def test_what_does_not_fit(tmp_path: Path) -> None:
    net, x = detector(one_row_for_each_class)
    outputs, path = in_opencv(net, x, tmp_path)
    with pytest.raises(ValueError, match="the output 'scores' is missing: found boxes"):
        decode({"boxes": outputs["boxes"]}, path)
    with pytest.raises(ValueError, match=r"the output 'scores' has shape \(12, 4\), expected 3 axes"):
        decode({**outputs, "scores": outputs["scores"][0]}, path)
    document = {**json.loads(path.read_text()), "kind": "priors"}
    with pytest.raises(ValueError, match="these heads have priors"):
        decode(outputs, document)
