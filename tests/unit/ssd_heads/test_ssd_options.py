"""Options of the conversion on an SSD, the older converter's example, and a net of the zoo."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import layer_types, run
from detection_lists import assert_same, of_mxnet, of_onnx, of_opencv, of_rows
from small_ssd import telling_ssd

from gluon2caffe import load_mxnet, to_caffe, to_onnx
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.ssd_heads.kinds.gluon_ssd.block import describe
from gluon2caffe.ssd_heads.prior_boxes import plan_prior_box
from tests.telling_detector import initialise_detector

pytestmark = [pytest.mark.usefixtures("mx"), pytest.mark.filterwarnings("ignore:.* not run:UserWarning")]


def agrees(net: Any, x: np.ndarray, raw: np.ndarray, folder: Path, **options: Any) -> None:
    """Assert that `raw` gives, on all readers and in onnxruntime, what `x` gives in the net."""
    reference = of_mxnet(net, x)
    assert len(reference) >= 40
    model = to_caffe(net, x.shape, **options)
    size = x.shape[2:]
    assert_same(of_rows(of_opencv(model, raw, folder), size), reference)
    for found in run(model, {"data": raw}).values():
        assert_same(of_rows(found["detection_out"], size), reference)
    assert_same(of_rows(of_onnx(to_onnx(net, x.shape, **options), raw), size), reference)


def test_bgr(tmp_path: Path) -> None:
    net, x = telling_ssd(3)
    agrees(net, x, x[:, ::-1].copy(), tmp_path, to_bgr=True)


def test_mean_and_std(tmp_path: Path) -> None:
    net, x = telling_ssd(3, (1, 3, 96, 128))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    raw = x * std[:, None, None] + mean[:, None, None]
    agrees(net, x, raw.astype(np.float32), tmp_path, mean=mean.tolist(), std=std.tolist())


def test_all_three_on_two_images(tmp_path: Path) -> None:
    net, x = telling_ssd(3, (2, 3, 96, 96))
    raw = (x * 50 + np.array([100, 110, 120])[:, None, None])[:, ::-1]
    agrees(net, x, raw.astype(np.float32), tmp_path, to_bgr=True, mean=[100, 110, 120], std=50)


def test_batch_norms_kept(tmp_path: Path) -> None:
    net, x = telling_ssd(3)
    assert "BatchNorm" not in layer_types(to_caffe(net))
    assert layer_types(to_caffe(net, merge_bn=False)).count("BatchNorm") == 5
    agrees(net, x, x, tmp_path, merge_bn=False)


def test_shape_by_name(tmp_path: Path) -> None:
    net, _ = telling_ssd(3)
    assert to_caffe(net, {"data": (2, 3, 96, 128)}).inputs == {"data": (2, 3, 96, 128)}


def test_predictors_of_more_than_a_convolution(tmp_path: Path) -> None:
    """What the priors need is put after predictors that are no plain convolutions."""
    mx = load_mxnet()
    net, x = telling_ssd(3)

    class Sum(mx.gluon.HybridBlock):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803  (MXNet's own name)
            return F.tanh(self.inner(x)) + 0.1 * self.inner(x)

    for sequence in (net.class_predictors, net.box_predictors):
        sequence._children["1"] = Sum(sequence[1])
    agrees(net, x, x, tmp_path)


def test_predictors_shared_by_all_maps(tmp_path: Path) -> None:
    """Each map absorbs its own: the shared weights must not be changed for the others."""
    ratios = ((1, 2, 0.5),) * 3
    net, x = telling_ssd(3, ratios=ratios)
    for sequence in (net.class_predictors, net.box_predictors):
        for index in "12":
            sequence._children[index] = sequence[0]
    agrees(net, x, x, tmp_path)


def test_the_net_is_left_as_it_was(tmp_path: Path) -> None:
    net, x = telling_ssd(3)
    before = {name: value.data().asnumpy().copy() for name, value in net.collect_params().items()}
    found = of_mxnet(net, x)
    for options in ({}, {"heads": "raw"}, {"priors": "constant"}):
        to_caffe(net, **options)
    assert before.keys() == net.collect_params().keys()
    for name, value in net.collect_params().items():
        np.testing.assert_array_equal(value.data().asnumpy(), before[name])
    assert of_mxnet(net, x) == found
    assert not load_mxnet().autograd.is_training()


def test_a_subclass_is_an_ssd(tmp_path: Path) -> None:
    net, x = telling_ssd(3)
    net.__class__ = type("Own", (type(net),), {})
    agrees(net, x, x, tmp_path)


@pytest.fixture(scope="module")
def older_example() -> tuple[Any, np.ndarray]:
    """The README example of the older GluonConverter: ssd300 on mobilenetv2_1.0."""
    load_mxnet()
    net = load_gluoncv().model_zoo.SSD(
        network="mobilenetv2_1.0",
        base_size=300,
        features=["features_linearbottleneck12_elemwise_add0_output", "features_relu61_relu6_output"],
        num_filters=[256, 256, 128, 128],
        sizes=[21, 45, 99, 153, 207, 261, 315],
        ratios=[[1, 2, 0.5]] + [[1, 2, 0.5, 3, 1.0 / 3]] * 3 + [[1, 2, 0.5]] * 2,
        steps=[8, 16, 32, 64, 100, 300],
        classes=["a", "b", "c"],
        anchor_alloc_size=40,
        pretrained=False,
    )
    return net, initialise_detector(net, (1, 3, 300, 300), seed=5)


def test_the_older_converters_example(older_example: tuple[Any, np.ndarray], tmp_path: Path) -> None:
    net, x = older_example
    agrees(net, x, x, tmp_path)


def test_the_priors_of_the_older_converters_example(older_example: tuple[Any, np.ndarray]) -> None:
    description = describe(older_example[0])
    plans = [plan_prior_box(head, (300, 300), description.variances) for head in description.heads]
    assert [(plan.layer.min_size, plan.layer.max_size, *plan.layer.step) for plan in plans] == [
        (21, 45, 8, 8),
        (45, 99, 16, 16),
        (99, 153, 32, 32),
        (153, 207, 64, 64),
        (207, 261, 100, 100),
        (261, 315, 300, 300),
    ]
    assert all((plan.scale == 1).all() and (plan.bias == 0).all() for plan in plans)
