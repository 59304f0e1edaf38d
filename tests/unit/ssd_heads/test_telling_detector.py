"""The random weights of the detectors under test tell: scores spread, and suppression has work to do."""

from typing import Any

import numpy as np
import pytest
from detection_lists import of_mxnet
from small_ssd import raw_predictions, small_ssd, telling_ssd

from gluon2caffe import load_mxnet
from gluon2caffe.bridge.export import load_gluoncv
from tests.telling_detector import initialise_detector

pytestmark = pytest.mark.usefixtures("mx")


@pytest.fixture(scope="module")
def zoo_net() -> tuple[Any, np.ndarray]:
    """A net whose BatchNorms are inside a SymbolBlock."""
    load_mxnet()
    net = load_gluoncv().model_zoo.get_model("ssd_300_mobilenet0.25_custom", classes=["a", "b"], pretrained_base=False)
    return net, initialise_detector(net, (1, 3, 300, 300), seed=3)


def test_batch_norms_inside_the_symbol_are_reached(zoo_net: tuple[Any, np.ndarray]) -> None:
    statistics = {name: value for name, value in zoo_net[0].collect_params().items() if "running" in name}
    assert len(statistics) == 54
    for name, value in statistics.items():
        assert value.data().asnumpy().std() > 0, name
        assert not np.isin(value.data().asnumpy(), (0.0, 1.0)).any(), name


def test_about_300_pairs_enter_suppression_and_it_has_work(zoo_net: tuple[Any, np.ndarray]) -> None:
    net, x = zoo_net
    net.set_nms(nms_thresh=2)
    candidates = len(of_mxnet(net, x))
    net.set_nms(nms_topk=-1, post_nms=-1)
    survivors = of_mxnet(net, x)
    net.set_nms()
    assert 290 <= candidates <= 310
    assert 100 < len(survivors) < candidates - 50
    assert {one.label for one in survivors} == {0, 1}
    assert survivors[0].score > 0.3
    assert survivors[-1].score < 0.02


def test_predictions_have_the_wanted_spread(zoo_net: tuple[Any, np.ndarray]) -> None:
    net, x = zoo_net
    classes, boxes, _ = raw_predictions(net, x)
    assert 1 < classes[..., 1:].std() < 2
    assert 0.4 < boxes.std() < 0.6
    assert np.abs(boxes).max() < 10


def test_the_seed_decides() -> None:
    def weights(seed: int) -> np.ndarray:
        net = small_ssd(2)
        initialise_detector(net, (1, 3, 96, 96), seed)
        return np.concatenate([value.data().asnumpy().reshape(-1) for value in net.collect_params().values()])

    np.testing.assert_array_equal(weights(1), weights(1))
    assert np.abs(weights(1) - weights(2)).max() > 0.1


def test_the_number_of_candidates() -> None:
    net, x = telling_ssd(2, candidates=40)
    net.set_nms(nms_thresh=2)
    assert 30 <= len(of_mxnet(net, x)) <= 50
