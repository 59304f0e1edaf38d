"""Detectors fed pictures of other sizes: what their files say of it, and what they find there."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gluon2caffe
from gluon2caffe.onnx2caffe.errors import UnsupportedModelError
from tests.unit.ssd_heads.small_ssd import telling_ssd

pytestmark = pytest.mark.usefixtures("mx")


@pytest.fixture(scope="module")
def ssd() -> tuple[Any, np.ndarray]:
    """A small SSD whose last map has 3 × 3 places."""
    return telling_ssd()


def test_an_ssd_finds_at_any_size_what_the_net_finds(ssd: tuple[Any, np.ndarray]) -> None:
    net, sample = ssd
    model = gluon2caffe.to_caffe(net)
    assert model.sizes is not None
    assert model.sizes.words == "any size, any batch"
    report = gluon2caffe.verify(model, net, samples=sample, sizes=[(2, 3, 64, 128), (101, 90), (127, 33)])
    found = {
        row.output: row.shape[0] for row in report.rows if row.reader == "OpenCV" and row.output.endswith("scores")
    }
    assert list(found) == [f"detection_out{at}: scores" for at in ("", " @ 2×3×64×128", " @ 101×90", " @ 127×33")]
    assert min(found.values()) > 20, found
    assert report.passed, report


def test_a_map_of_one_place_has_its_step_from_the_nets_own_anchors(tmp_path: Path) -> None:
    import mxnet

    # At 32 × 32 the maps are 4 × 4, 2 × 2 and 1 × 1; at 96 × 64 the last is 3 × 2.
    net, sample = telling_ssd(shape=(1, 3, 32, 32), base_size=32, steps=(8, 16, 24), nms_topk=-1, post_nms=-1)
    net.set_nms(nms_thresh=0.45, nms_topk=400, post_nms=30)
    net(mxnet.nd.array(sample))
    net.hybridize()
    net(mxnet.nd.array(sample))
    net.export(str(tmp_path / "ssd"))
    files = (str(tmp_path / "ssd-symbol.json"), str(tmp_path / "ssd-0000.params"))
    for source in (net, files):
        model = gluon2caffe.to_caffe(source, sample.shape, sizes="any")
        steps = [layer.message.prior_box_param.step for layer in model.layers if layer.message.type == "PriorBox"]
        assert steps == [8, 16, 24]
        report = gluon2caffe.verify(model, source, samples=sample, sizes=[(96, 64)])
        assert report.passed and {row.shape[0] for row in report.rows if "@ 96×64" in row.output} == {30}


def test_the_number_of_boxes_that_are_kept_bounds_the_size() -> None:
    net, _ = telling_ssd(shape=(1, 3, 64, 64), base_size=64)
    net.set_nms(nms_thresh=0.45, nms_topk=-1, post_nms=20)
    free, any_size = (gluon2caffe.to_caffe(net, (1, 3, 64, 64), sizes=how) for how in ("free", "any"))
    assert free.sizes is not None and any_size.sizes is not None
    assert any_size.sizes.words == "any size, any batch"
    # 8·8·4 + 4·4·6 + 2·2·4 boxes.
    assert free.layers[-1].message.detection_output_param.nms_param.top_k == 368
    assert any_size.layers[-1].message.detection_output_param.nms_param.top_k == 2**31 - 1
    assert free.sizes.includes((1, 3, 64, 33)) and not free.sizes.includes((1, 3, 64, 65))
    assert free.sizes.why_not((1, 3, 64, 65)) == ["detection_out: as many boxes are kept as there are"]


def test_constant_priors_hold_for_their_own_size(ssd: tuple[Any, np.ndarray]) -> None:
    model = gluon2caffe.to_caffe(ssd[0], priors="constant")
    assert model.sizes is not None
    assert model.sizes.words == "1×3×96×96 only (detection_out: priors that are constants)"
    with pytest.raises(UnsupportedModelError, match="DetectionOutput 'detection_out' : priors that are constants"):
        gluon2caffe.to_caffe(ssd[0], priors="constant", sizes="any")
