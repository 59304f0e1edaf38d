"""The detections of the Caffe files are those of `net(x)`: on OpenCV, on Caffes with the SSD layers, in onnxruntime."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import run, workers
from detection_lists import Found, assert_same, of_mxnet, of_onnx, of_opencv, of_rows
from small_ssd import raw_predictions, telling_ssd

from gluon2caffe import load_mxnet, ssd_heads, to_caffe, to_onnx, verify
from gluon2caffe.bridge.verification.readers import InstalledReaders, OpenCVReader

# BVLC Caffe has no SSD layers.
pytestmark = [pytest.mark.usefixtures("mx"), pytest.mark.filterwarnings("ignore:.* not run:UserWarning")]

SQUARE = (1, 3, 96, 96)
SMALL = (1, 3, 48, 48)
NMS = {"nms_thresh": 0.45, "nms_topk": 400, "post_nms": 100}


@dataclass(frozen=True)
class Case:
    """A detector and an input; `count` is how many detections MXNet gives for it in each image."""

    count: tuple[int, ...]
    classes: int = 3
    shape: tuple[int, ...] = SQUARE
    nms: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    candidates: int = 120
    threshold: float = 0.01

    def build(self) -> tuple[Any, np.ndarray]:
        net, x = telling_ssd(self.classes, self.shape, candidates=self.candidates, **self.options)
        net.set_nms(**{**NMS, **self.nms})
        net.cls_decoder._thresh = self.threshold
        return net, x


CASES = {
    "as the zoo sets it": Case((93,)),
    "two images": Case((44, 60), shape=(2, 3, 96, 96)),
    "three images": Case((33, 45, 43), shape=(3, 3, 96, 96)),
    "wide image": Case((99,), shape=(1, 3, 96, 128)),
    "high image": Case((100,), shape=(1, 3, 130, 70)),
    "one class": Case((86,), classes=1),
    "80 classes": Case((100,), classes=80),
    "fewer reported than found": Case((20,), candidates=300, nms={"post_nms": 20}),
    "more suppression": Case((42,), candidates=300, nms={"nms_thresh": 0.1}),
    "less suppression": Case((100,), candidates=300, nms={"nms_thresh": 0.9}),
    "all enter suppression": Case((100,), candidates=300, nms={"nms_topk": -1}),
    "all are reported": Case((224,), candidates=300, nms={"post_nms": -1}),
    "0 reported means all": Case((224,), candidates=300, nms={"post_nms": 0}),
    "suppression off by 0": Case((110,), nms={"nms_thresh": 0, "post_nms": 10}),
    "suppression off by 1": Case((110,), nms={"nms_thresh": 1, "nms_topk": 10}),
    "suppression off by 1.5": Case((110,), nms={"nms_thresh": 1.5}),
    "suppression off by -1": Case((110,), nms={"nms_thresh": -1}),
    "higher score threshold": Case((2,), threshold=0.2),
    "lower score threshold": Case((93,), threshold=0.001),
    "lower score threshold, suppression off": Case((390,), threshold=0.001, nms={"nms_thresh": -1}, shape=SMALL),
    "other variances": Case((93,), options={"stds": (0.2, 0.15, 0.1, 0.3)}),
    "minimal operators": Case((93,), options={"minimal_opset": True}),
    "one feature map": Case((100,), options={"sizes": (20.5, 41.2), "ratios": ((1, 2, 0.5),), "steps": (8,)}),
}


def everywhere(model: Any, onnx_model: Any, x: np.ndarray, folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The DetectionOutput blob by hand on OpenCV, on every reader, and in onnxruntime."""
    yield "OpenCV by hand", of_opencv(model, x, folder)
    ran = run(model, {"data": x})
    assert {worker.name for worker in workers() if worker.layer_types() >= {"DetectionOutput"}} <= set(ran)
    for reader, blobs in ran.items():
        yield reader, blobs["detection_out"]
    yield "onnxruntime", of_onnx(onnx_model, x)


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_same_detections(case: Case, tmp_path: Path) -> None:
    net, x = case.build()
    reference = of_mxnet(net, x)
    counts = tuple(sum(one.image == image for one in reference) for image in range(len(x)))
    assert counts == case.count
    for _, rows in everywhere(to_caffe(net, case.shape), to_onnx(net, case.shape), x, tmp_path):
        assert_same(of_rows(rows, case.shape[2:], min(case.threshold, 0.01)), reference)


def test_nothing_is_found_where_all_is_background(tmp_path: Path, readers: InstalledReaders) -> None:
    net, x = telling_ssd(3, (2, 3, 96, 96))
    _move_scores(net, background=60)
    assert of_mxnet(net, x) == []
    model = to_caffe(net, x.shape)
    for reader, rows in everywhere(model, to_onnx(net, x.shape), x, tmp_path):
        assert of_rows(rows, (96, 96)) == []
        found = ssd_heads.detections(rows, 96, score_threshold=0.01)
        assert [part.shape for part in found] == [(0,), (0,), (0, 4), (0,)], reader
    report = verify(model, net, x, readers=readers.readers)
    assert report.passed
    assert all(row.shape[0] == 0 for row in report.rows)


def test_only_one_of_two_images_has_detections(tmp_path: Path) -> None:
    net, x = telling_ssd(3, (2, 3, 96, 96))
    # A black image, whose scores are those of the biases alone, in front of the other.
    x[0] = 0
    net.cls_decoder._thresh = 1.001 * max((one.score for one in of_mxnet(net, x) if one.image == 0), default=0.01)
    reference = of_mxnet(net, x)
    assert {one.image for one in reference} == {1}
    assert len(reference) >= 10
    for _, rows in everywhere(to_caffe(net, x.shape), to_onnx(net, x.shape), x, tmp_path):
        assert_same(of_rows(rows, (96, 96), net.cls_decoder._thresh), reference)


@pytest.mark.parametrize("classes", [1, 2])
def test_every_box_survives(classes: int, tmp_path: Path) -> None:
    net, x = telling_ssd(classes, SMALL)
    _move_scores(net, scale=0.2)
    net.set_nms(nms_thresh=-1)
    reference = of_mxnet(net, x)
    assert len(reference) == classes * (36 * 4 + 9 * 6 + 4 * 4)
    assert min(one.score for one in reference) > 0.02
    for _, rows in everywhere(to_caffe(net, SMALL), to_onnx(net, SMALL), x, tmp_path):
        assert_same(of_rows(rows, (48, 48)), reference)


@pytest.mark.parametrize("topk", [1, 10, 50])
def test_a_small_topk_leaves_mxnet_the_head_of_the_list(topk: int, tmp_path: Path) -> None:
    """MXNet takes the best `topk` of all classes, Caffe of each: MXNet's list is the head of Caffe's."""
    net, x = telling_ssd(3, SQUARE, candidates=300)
    net.set_nms(nms_topk=topk, post_nms=200)
    reference = of_mxnet(net, x)
    assert 0 < len(reference) <= topk
    raw, _, _ = raw_predictions(net, x)
    scores = np.exp(raw[0].astype(np.float64))
    scores = (scores / scores.sum(axis=1, keepdims=True))[:, 1:]
    weakest = np.sort(scores, axis=None)[-topk]
    first: list[Found] = []
    for _, rows in everywhere(to_caffe(net, SQUARE), to_onnx(net, SQUARE), x, tmp_path):
        found = of_rows(rows, (96, 96))
        # With the tail, too, all readers agree.
        first = first or found
        assert_same(found, first)
        assert_same(found[: len(reference)], reference)
        tail = found[len(reference) :]
        assert tail
        # All of it are boxes that never entered MXNet's suppression, and no more of a class than may enter Caffe's.
        assert max(one.score for one in tail) <= weakest
        assert len(found) <= 3 * topk
        for label in range(3):
            entering = np.sort(scores[:, label])[-topk]
            assert all(one.score >= entering - 1e-6 for one in found if one.label == label)


def test_verify_takes_the_tail_for_what_it_is(readers: InstalledReaders) -> None:
    net, x = telling_ssd(3, SQUARE)
    net.set_nms(nms_topk=10)
    report = verify(to_caffe(net, SQUARE), net, x, readers=readers.readers)
    assert report.passed, str(report)
    assert {row.shape[0] for row in report.rows} == {len(of_mxnet(net, x))}


def test_no_tail_where_mxnet_took_all(tmp_path: Path) -> None:
    """A list as long as MXNet's is asked for: `post_nms` fewer than all, `topk` more than enough."""
    net, x = telling_ssd(3, SQUARE, candidates=300)
    net.set_nms(nms_topk=-1, post_nms=-1)
    everything = of_mxnet(net, x)
    net.set_nms(nms_topk=400, post_nms=len(everything) - 1)
    for _, rows in everywhere(to_caffe(net, SQUARE), to_onnx(net, SQUARE), x, tmp_path):
        assert_same(of_rows(rows, (96, 96)), everything[:-1])


def test_verify_says_the_same_and_counts(readers: InstalledReaders) -> None:
    net, x = telling_ssd(3, SQUARE)
    model = to_caffe(net, SQUARE)
    report = verify(model, net, np.concatenate([x, -x, 0.5 * x]), readers=readers.readers)
    assert report.passed, str(report)
    counts = [len(of_mxnet(net, part)) for part in (x, -x, 0.5 * x)]
    assert {row.shape[0] for row in report.rows} == {sum(counts)}
    assert {row.reader for row in report.rows} >= {"OpenCV"}


def test_verify_notices_a_prior_box_of_another_size() -> None:
    net, x = telling_ssd(3, SQUARE)
    model = to_caffe(net, SQUARE)
    layer = next(layer for layer in model.layers if layer.message.type == "PriorBox")
    layer.message.prior_box_param.min_size[0] += 1
    assert not verify(model, net, x, readers=[OpenCVReader()]).passed


def test_verify_notices_another_suppression() -> None:
    net, x = telling_ssd(3, SQUARE, candidates=300)
    model = to_caffe(net, SQUARE)
    model.layers[-1].message.detection_output_param.nms_param.nms_threshold = 0.3
    assert not verify(model, net, x, readers=[OpenCVReader()]).passed


def test_a_hybridised_net_that_ran_before(tmp_path: Path) -> None:
    net, x = telling_ssd(3, SQUARE)
    net.hybridize(static_alloc=True, static_shape=True)
    before = of_mxnet(net, x)
    model = to_caffe(net)
    assert_same(of_rows(of_opencv(model, x, tmp_path), (96, 96)), before)
    # The conversion leaves it as it was.
    assert of_mxnet(net, x) == before
    assert net._active


def _move_scores(net: Any, *, background: float = 0.0, scale: float = 1.0) -> None:
    """Scale all class predictions, then raise those of the background."""
    mx = load_mxnet()
    for predictor in net.class_predictors:
        weight, bias = predictor.predictor.weight, predictor.predictor.bias
        weight.set_data(weight.data() * scale)
        values = bias.data().asnumpy() * scale
        values[:: len(net.classes) + 1] += background
        bias.set_data(mx.nd.array(values))
