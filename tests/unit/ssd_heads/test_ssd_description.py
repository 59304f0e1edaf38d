"""What is read from a net: printable, as the net is now."""

from typing import Any

import numpy as np
import pytest
from detection_lists import assert_same, of_mxnet, of_opencv, of_rows
from small_ssd import raw_predictions, small_ssd, telling_ssd

from gluon2caffe import load_mxnet, to_caffe
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.ssd_heads.kinds.gluon_ssd.block import built_for, describe, is_ssd

pytestmark = pytest.mark.usefixtures("mx")

TEXT = """\
ssd: input 96×128, 1104 boxes, 3 classes
decoder: variances 0.1, 0.1, 0.2, 0.25, scores above 0.01
suppression: overlap above 0.45, of 400 boxes, 100 reported
map 0: 12×16, 4 boxes per cell, sizes 20.5, 29.062, ratios 1, 2, 0.5 (SSDAnchorGenerator)
map 1: 6×8, 6 boxes per cell, sizes 41.2, 50.9066, ratios 1, 2, 0.5, 3, 0.333 (SSDAnchorGenerator)
map 2: 3×4, 4 boxes per cell, sizes 62.9, 75.2396, ratios 1, 2, 0.5 (SSDAnchorGenerator)"""


@pytest.fixture
def net() -> Any:
    return telling_ssd(3, stds=(0.1, 0.1, 0.2, 0.25))[0]


def test_as_text(net: Any) -> None:
    assert str(describe(net, (1, 3, 96, 128))) == TEXT


def test_as_text_with_all_switched_off(net: Any) -> None:
    net.set_nms(nms_thresh=-1)
    assert str(describe(net)).splitlines()[2] == "suppression: off, of all boxes, all reported"


def test_a_clip_is_told(net: Any) -> None:
    net.anchor_generators[1]._clip = True
    lines = str(describe(net)).splitlines()
    assert [line.endswith("(SSDAnchorGenerator, clipped)") for line in lines[3:]] == [False, True, False]


def test_values(net: Any) -> None:
    found = describe(net, (1, 3, 96, 128))
    assert found.name == "ssd"
    assert found.image_size == (96, 128)
    assert found.variances == (0.1, 0.1, 0.2, 0.25)
    assert found.classes == ("class0", "class1", "class2")
    assert (found.score_threshold, found.box_clip) == (0.01, None)
    assert (found.nms_threshold, found.nms_topk, found.post_nms) == (0.45, 400, 100)
    assert found.box_count == 12 * 16 * 4 + 6 * 8 * 6 + 3 * 4 * 4 == sum(head.box_count for head in found.heads)
    assert [head.feature_shape for head in found.heads] == [(12, 16), (6, 8), (3, 4)]
    assert [head.boxes_per_cell for head in found.heads] == [4, 6, 4]
    assert [head.index for head in found.heads] == [0, 1, 2]
    assert {head.generator for head in found.heads} == {"SSDAnchorGenerator"}
    assert [head.predictors for head in found.heads] == [
        (net.class_predictors[index].name, net.box_predictors[index].name) for index in range(3)
    ]
    assert found.heads[0].sizes == pytest.approx((20.5, np.sqrt(20.5 * 41.2)))
    assert found.heads[1].ratios == pytest.approx((1, 2, 0.5, 3, 1 / 3))


def test_anchors_are_the_nets_own(net: Any) -> None:
    x = np.zeros((1, 3, 96, 128), np.float32)
    found = np.concatenate([head.anchors.reshape(-1, 4) for head in describe(net, x.shape).heads])
    np.testing.assert_array_equal(found, raw_predictions(net, x)[2])
    # Row 1, column 2 of the first map, the box of ratio 2.
    first = describe(net, x.shape).heads[0].anchors
    np.testing.assert_allclose(first[1, 2, 2], [20, 12, 20.5 * np.sqrt(2), 20.5 / np.sqrt(2)], rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "threshold", "topk", "post"),
    [
        ({"nms_thresh": 0.6, "nms_topk": 50, "post_nms": 7}, 0.6, 50, 7),
        ({"nms_thresh": 0.6, "nms_topk": -1, "post_nms": -1}, 0.6, -1, -1),
        # Without suppression GluonCV returns all boxes, whatever the other two say.
        ({"nms_thresh": 0, "nms_topk": 50, "post_nms": 7}, None, -1, -1),
        ({"nms_thresh": 1, "nms_topk": 50, "post_nms": 7}, None, -1, -1),
        ({"nms_thresh": -1}, None, -1, -1),
    ],
)
def test_suppression_is_as_set_now(net: Any, given: dict[str, Any], threshold: Any, topk: int, post: int) -> None:
    net.set_nms(**given)
    found = describe(net)
    assert (found.nms_threshold, found.nms_topk, found.post_nms) == (threshold, topk, post)


@pytest.mark.parametrize(
    ("decoder", "nms_thresh", "expected"), [(0.2, 0.45, 0.2), (0.001, 0.45, 0.01), (0.001, -1, 0.001), (0.2, -1, 0.2)]
)
def test_the_larger_threshold_counts(net: Any, decoder: float, nms_thresh: float, expected: float) -> None:
    net.cls_decoder._thresh = decoder
    net.set_nms(nms_thresh=nms_thresh)
    assert describe(net).score_threshold == expected


def test_set_nms_reaches_the_files(net: Any) -> None:
    net.set_nms(nms_thresh=0.6, nms_topk=50, post_nms=7)
    fields = to_caffe(net).layers[-1].message.detection_output_param
    assert fields.nms_param.nms_threshold == pytest.approx(0.6)
    assert (fields.nms_param.top_k, fields.keep_top_k) == (50, 7)
    net.set_nms(nms_thresh=0.6, nms_topk=-1, post_nms=-1)
    fields = to_caffe(net).layers[-1].message.detection_output_param
    # Never -1, which some readers cannot take: all boxes, and all pairs of a box and a class.
    assert (fields.nms_param.top_k, fields.keep_top_k) == (828, 3 * 828)


def test_every_field_of_the_detection_output(net: Any) -> None:
    text = to_caffe(net).prototxt()
    assert text[text.rindex("  detection_output_param") :] == DETECTION_FIELDS


def test_reset_class(tmp_path: Any) -> None:
    net, x = telling_ssd(3)
    net.reset_class(["cat", "dog", "class1", "bird", "fish"], reuse_weights={"class1": "class1", "cat": "class0"})
    # GluonCV initialises the rest as for training: nothing of it passes the threshold otherwise.
    for predictor in net.class_predictors:
        weight = predictor.predictor.weight
        weight.set_data(weight.data() + load_mxnet().nd.random.normal(0, 0.05, weight.shape))
    assert describe(net).classes == ("cat", "dog", "class1", "bird", "fish")
    reference = of_mxnet(net, x)
    assert len(reference) >= 50
    assert len({one.label for one in reference}) == 5
    assert_same(of_rows(of_opencv(to_caffe(net), x, tmp_path), (96, 96)), reference)


def test_the_size_it_was_built_for() -> None:
    assert built_for(small_ssd(2, base_size=96)) == (1, 3, 96, 96)
    assert to_caffe(telling_ssd(2)[0]).inputs == {"data": (1, 3, 96, 96)}


def test_what_is_an_ssd(net: Any) -> None:
    class Own(type(net)):  # type: ignore[misc]
        pass

    assert is_ssd(net)
    assert is_ssd(Own.__new__(Own))
    assert not is_ssd(net.features)
    assert not is_ssd("ssd")
    assert not is_ssd(type("SSD", (), {})())
    assert load_gluoncv().model_zoo.SSD in type(net).__mro__


DETECTION_FIELDS = """\
  detection_output_param {
    num_classes: 4
    share_location: true
    background_label_id: 0
    nms_param {
      nms_threshold: 0.45
      top_k: 400
    }
    code_type: CENTER_SIZE
    keep_top_k: 100
    confidence_threshold: 0.01
  }
}
"""
