"""Priors as readers compute them, with what the predictors absorbed, are the net's own anchors; so are the boxes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import layer_types, run
from detection_lists import assert_same, of_mxnet, of_opencv, of_rows
from small_ssd import raw_predictions, small_ssd, telling_ssd

from gluon2caffe import load_mxnet, to_caffe, to_onnx
from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.ssd_heads.kinds.gluon_ssd.block import describe
from gluon2caffe.ssd_heads.prior_boxes import PriorPlan, plan_prior_box
from tests.telling_detector import initialise_detector

# BVLC Caffe has no SSD layers.
pytestmark = [pytest.mark.usefixtures("mx"), pytest.mark.filterwarnings("ignore:.* not run:UserWarning")]

SQUARE = (1, 3, 96, 96)


def generator(cell: Callable[..., Sequence[Sequence[float]]], *, clip: bool = False, grid: Any = None) -> Any:
    """A class of anchor generators: `cell(sizes, ratios, step)` are the boxes (dx, dy, w, h) around each center.

    `grid(row, column, step)` is the center (x, y), by default in the middle of the cell.
    """
    mx = load_mxnet()

    class CellGenerator(mx.gluon.HybridBlock):
        def __init__(self, index: int, im_size: Any, sizes: Any, ratios: Any, step: float, alloc: Any) -> None:
            super().__init__()
            self.boxes = np.array(cell(sizes, ratios, step), np.float64)
            self.num_depth, self._im_size, self._clip = len(self.boxes), im_size, clip
            center = grid or (lambda row, column, step: ((column + 0.5) * step, (row + 0.5) * step))
            centers = np.array([[center(i, j, step) for j in range(alloc[1])] for i in range(alloc[0])])
            made = np.broadcast_to(self.boxes, (*alloc, *self.boxes.shape)).copy()
            made[..., :2] += centers[:, :, None]
            self.anchors = self.params.get_constant(f"anchor_{index}", made.reshape(1, 1, *alloc, -1))

        def hybrid_forward(self, F: Any, x: Any, anchors: Any) -> Any:  # noqa: N803  (MXNet's own name)
            return F.slice_like(anchors, x * 0, axes=(2, 3)).reshape((1, -1, 4))

    return CellGenerator


def lite() -> Any:
    load_gluoncv()
    return import_module("gluoncv.model_zoo.ssd.anchor").LiteAnchorGenerator


def ssd_generator(**options: Any) -> Any:
    load_gluoncv()
    return partial(import_module("gluoncv.model_zoo.ssd.anchor").SSDAnchorGenerator, **options)


def with_backbone(**options: Any) -> Any:
    """On a FeatureExpander, whose last map can be a global pool."""
    load_mxnet()
    return load_gluoncv().model_zoo.SSD(
        "mobilenet0.25",
        base_size=96,
        features=["relu10_fwd", "relu22_fwd"],
        num_filters=[24],
        sizes=(20.5, 41.2, 62.9, 80.1, 95.3),
        ratios=[(1, 2, 0.5)] * 4,
        steps=(8, 16, 32, 96),
        classes=["a", "b"],
        anchor_alloc_size=24,
        pretrained=False,
        **options,
    )


def odd_boxes(sizes: Any, ratios: Any, step: float) -> list[tuple[float, ...]]:
    """No two alike, each off the center, the first not square."""
    return [(1.5, -2, 17, 40), (-3, 0.25, 33.3, 21), (0, 0, 12.5, 12.5), (2, 3, 60, 9)]


def upright_boxes(sizes: Any, ratios: Any, step: float) -> list[tuple[float, ...]]:
    return [(0, 0, 10.3, 20.6), (0, 0, 20.6, 41.2)]


def many_squares(sizes: Any, ratios: Any, step: float) -> list[tuple[float, ...]]:
    return [(0, 0, side, side) for side in (30.2, 12.1, 44.4, 30.2)]


def tiny_boxes(sizes: Any, ratios: Any, step: float) -> list[tuple[float, ...]]:
    return [(0, 0, 0.4, 0.4), (0, 0, 0.6, 0.6)]


def wide_cells(row: int, column: int, step: float) -> tuple[float, float]:
    return (column + 0.3) * step * 1.25, (row + 0.6) * step * 0.75


CASES: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "fractional sizes": (lambda: small_ssd(2), SQUARE),
    "whole sizes": (lambda: small_ssd(2, sizes=(20, 41, 63, 90)), SQUARE),
    "sizes below a pixel": (lambda: small_ssd(2, anchor_generator=generator(tiny_boxes)), SQUARE),
    "falling sizes": (lambda: small_ssd(2, sizes=(60.2, 30.1, 30.1, 20)), SQUARE),
    "steps that are not image/feature": (lambda: small_ssd(2, steps=(7, 15.3, 100 / 3)), SQUARE),
    "LiteAnchorGenerator": (lambda: small_ssd(2, anchor_generator=lite()), SQUARE),
    "first ratio not 1": (lambda: small_ssd(2, ratios=((2, 1, 0.5), (0.5, 2, 3, 1, 1 / 3), (3, 2))), SQUARE),
    "ratio twice": (lambda: small_ssd(2, ratios=((1, 2, 2), (1, 1, 1), (1,))), SQUARE),
    "ratios nearly the same": (lambda: small_ssd(2, ratios=((1, 1.004, 1.006), (1, 2, 2.001), (1,))), SQUARE),
    "one ratio": (lambda: small_ssd(2, ratios=((1,),) * 3), SQUARE),
    "wide image": (lambda: small_ssd(2), (1, 3, 96, 128)),
    "high image": (lambda: small_ssd(2), (1, 3, 130, 70)),
    "another size than the base": (lambda: small_ssd(2, base_size=300), SQUARE),
    "global pool": (lambda: with_backbone(global_pool=True), SQUARE),
    "predictors 1x1": (lambda: small_ssd(2, predictors_kernel=(1, 1), predictors_pad=(0, 0)), SQUARE),
    "predictors 3x5": (lambda: small_ssd(2, predictors_kernel=(3, 5), predictors_pad=(1, 2)), SQUARE),
    "boxes of a generator of one's own": (lambda: small_ssd(2, anchor_generator=generator(odd_boxes)), SQUARE),
    "no square box": (lambda: small_ssd(2, anchor_generator=generator(upright_boxes)), SQUARE),
    "square boxes only": (lambda: small_ssd(2, anchor_generator=generator(many_squares)), SQUARE),
    "cells that are not square": (
        lambda: small_ssd(2, anchor_generator=generator(odd_boxes, grid=wide_cells)),
        (1, 3, 96, 128),
    ),
    "centers off the middle": (lambda: small_ssd(2, anchor_generator=ssd_generator(offsets=(0.25, 0.75))), SQUARE),
    "first center in the corner": (lambda: small_ssd(2, anchor_generator=ssd_generator(offsets=(0, 0))), SQUARE),
    "maps of one cell": (lambda: small_ssd(2, steps=(30, 20, 32)), (1, 3, 8, 8)),
    "maps of one row": (lambda: small_ssd(2, steps=(7, 16, 30)), (1, 3, 8, 96)),
    "maps of one column": (
        lambda: small_ssd(2, anchor_generator=ssd_generator(offsets=(0.25, 0.75))),
        (1, 3, 96, 8),
    ),
    "other variances": (lambda: small_ssd(2, stds=(0.25, 0.05, 0.4, 0.1)), SQUARE),
    "a clip that clips nothing": (
        lambda: small_ssd(2, sizes=(3, 4, 5, 6), anchor_generator=ssd_generator(clip=True)),
        SQUARE,
    ),
}


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request: pytest.FixtureRequest) -> tuple[Any, np.ndarray]:
    """A net and an input."""
    build, shape = request.param
    net = build()
    # GluonCV itself cannot return more than there are.
    net.set_nms(post_nms=20)
    return net, initialise_detector(net, shape, seed=2, candidates=100)


def before_detection(conversion: Conversion) -> Conversion:
    """The net without its DetectionOutput layer; its outputs are what that reads."""
    model = conversion.model
    *layers, last = model.layers
    assert last.message.type == "DetectionOutput"
    names = ("loc", "conf", "priors")
    ends = dict(zip(names, last.message.bottom, strict=True))
    return replace(conversion, model=replace(model, layers=layers, outputs=ends))


def plans(net: Any, shape: tuple[int, ...]) -> list[PriorPlan]:
    description = describe(net, shape)
    return [plan_prior_box(head, description.image_size, description.variances) for head in description.heads]


def net_index(net: Any, shape: tuple[int, ...]) -> np.ndarray:
    """For each box of the Caffe files, the number of that box in the net."""
    found, start = [], 0
    for head, plan in zip(describe(net, shape).heads, plans(net, shape), strict=True):
        assert sorted(plan.order) == list(range(head.boxes_per_cell))
        for _ in range(head.feature_shape[0] * head.feature_shape[1]):
            found += [start + place for place in plan.order]
            start += head.boxes_per_cell
    return np.array(found)


def decoded(loc: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Caffe's CENTER_SIZE decoding: corners (N, boxes, 4) as parts of the image."""
    (corners, variances), t = priors.reshape(2, -1, 4).astype(np.float64), loc.reshape(len(loc), -1, 4)
    size, center = corners[:, 2:] - corners[:, :2], (corners[:, 2:] + corners[:, :2]) / 2
    center = center + variances[:, :2] * t[..., :2] * size
    half = np.exp(variances[:, 2:] * t[..., 2:]) * size / 2
    return np.concatenate([center - half, center + half], axis=-1)


def test_boxes_and_scores_of_every_reader_are_the_nets(case: tuple[Any, np.ndarray]) -> None:
    net, x = case
    classes, boxes, anchors = raw_predictions(net, x)
    mx = load_mxnet()
    expected = net.bbox_decoder(mx.nd.array(boxes), mx.nd.array(anchors[None])).asnumpy()
    scores = mx.nd.softmax(mx.nd.array(classes), axis=-1).asnumpy()
    model = before_detection(to_caffe(net, x.shape))
    index = net_index(net, x.shape)
    height, width = x.shape[2:]
    results = run(model, {"data": x})
    for reader, found in results.items():
        loc, conf, priors = (found[blob] for blob in model.outputs.values())
        made = decoded(loc, priors) * [width, height, width, height]
        np.testing.assert_allclose(made, expected[:, index], atol=1e-4 * np.abs(expected).max(), err_msg=reader)
        np.testing.assert_allclose(conf.reshape(scores.shape), scores[:, index], atol=1e-4, err_msg=reader)


def test_priors_of_every_reader_stand_for_the_nets_anchors(case: tuple[Any, np.ndarray]) -> None:
    net, x = case
    anchors = raw_predictions(net, x)[2][net_index(net, x.shape)]
    height, width = x.shape[2:]
    extent = np.array([width, height, width, height])
    description = describe(net, x.shape)
    biases = np.concatenate(
        [
            np.tile(plan.bias, (head.feature_shape[0] * head.feature_shape[1], 1))
            for head, plan in zip(description.heads, plans(net, x.shape), strict=True)
        ]
    )
    model = to_caffe(net, x.shape)
    for layer in model.layers:
        if layer.message.type == "PriorBox":
            fields = layer.message.prior_box_param
            assert all(size == round(size) for size in (*fields.min_size, *fields.max_size))
            # Every field is there, since readers differ in what they take for one that is not.
            for name in ("flip", "clip", "offset"):
                assert fields.HasField(name), name
            assert fields.HasField("step") or (fields.HasField("step_h") and fields.HasField("step_w"))
            assert len(fields.variance) == 4
    ending = before_detection(model)
    for reader, found in run(ending, {"data": x}).items():
        corners, variances = found[ending.outputs["priors"]].reshape(2, -1, 4).astype(np.float64)
        np.testing.assert_allclose(variances, np.broadcast_to(net.bbox_decoder._stds, variances.shape), rtol=1e-6)
        corners = corners * extent
        center, size = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
        center = center + biases[:, :2] * variances[:, :2] * size
        size = size * np.exp(biases[:, 2:] * variances[:, 2:])
        apart = np.abs(np.concatenate([center, size], axis=1) - anchors) / extent
        assert apart.max() <= 1e-5, reader


def test_detections_are_the_nets(case: tuple[Any, np.ndarray], tmp_path: Path) -> None:
    net, x = case
    reference = of_mxnet(net, x)
    assert len(reference) >= 2
    assert_same(of_rows(of_opencv(to_caffe(net, x.shape), x, tmp_path), x.shape[2:]), reference)


class TestLayers:
    """What stands in the files."""

    def test_ssd_300_needs_nothing_absorbed(self) -> None:
        ratios, more = (1, 2, 0.5), (1, 2, 0.5, 3, 1.0 / 3)
        net = small_ssd(
            2,
            base_size=300,
            sizes=(30, 60, 111, 162, 213, 264, 315),
            ratios=(ratios, more, more, more, ratios, ratios),
            steps=(8, 16, 32, 64, 100, 300),
            anchor_alloc_size=38,
        )
        initialise_detector(net, (1, 3, 300, 300), candidates=50)
        made = plans(net, (1, 3, 300, 300))
        assert [(plan.layer.min_size, plan.layer.max_size) for plan in made] == [
            (30, 60),
            (60, 111),
            (111, 162),
            (162, 213),
            (213, 264),
            (264, 315),
        ]
        assert [plan.layer.step for plan in made] == [(step, step) for step in (8, 16, 32, 64, 100, 300)]
        third = float(np.float32(1 / 3))
        assert [plan.layer.aspect_ratios for plan in made] == [(2, 0.5), *3 * [(2, 0.5, 3, third)], *2 * [(2, 0.5)]]
        assert all(plan.layer.offset == 0.5 for plan in made)
        for plan in made:
            assert plan.order == tuple(range(len(plan.order)))
            assert (plan.scale == 1).all()
            assert (plan.bias == 0).all()

    def test_fields_in_the_prototxt(self) -> None:
        net, _ = telling_ssd(2, (1, 3, 96, 128), sizes=(20.4, 41.1, 62.9, 90.0))
        text = to_caffe(net, (1, 3, 96, 128)).prototxt()
        start = text.index("layer {", text.index('type: "PriorBox"') - 90)
        layer = text[start : text.index("\n}\n", start) + 3]
        assert layer.split("prior_box_param")[1] == FIELDS

    def test_weights_of_boxes_that_need_nothing_are_untouched(self) -> None:
        net, _ = telling_ssd(2, sizes=(20, 41, 63, 90))
        model = to_caffe(net)
        own = net.box_predictors[0].predictor.weight.data().asnumpy()
        assert any(np.array_equal(own, layer.blobs[0]) for layer in model.layers if layer.blobs)

    def test_a_generators_other_order_and_half_size(self) -> None:
        net, _ = telling_ssd(2, anchor_generator=lite())
        first, second, _ = plans(net, SQUARE)
        # (w, h) of the net: 10.25, then 20.5 as 2:1 and 1:2; 20.6, 41.2 as 2:1, 1:2, 3:1, 1:3, then 50.9.
        assert (first.layer.min_size, first.layer.max_size, first.order) == (10, None, (0, 1, 2))
        assert (second.layer.min_size, second.layer.max_size, second.order) == (21, 126, (0, 5, 1, 2, 3, 4))
        np.testing.assert_allclose(first.scale[:, :2], [[1.025, 1.025], [2.05, 2.05], [2.05, 2.05]], rtol=1e-6)
        np.testing.assert_allclose(first.bias[:, 2:], np.log(first.scale[:, :2]) / 0.2, rtol=1e-6)
        assert (first.bias[:, :2] == 0).all()


class TestConstantPriors:
    """Anchors that no PriorBox layer makes."""

    @pytest.fixture
    def clipped(self) -> Any:
        # Boxes of 90 pixels in cells of 32: centers and sizes are cut at 64.
        net = small_ssd(2, base_size=64, anchor_generator=ssd_generator(clip=True))
        initialise_detector(net, SQUARE, candidates=100)
        return net

    def test_are_refused_unless_asked_for(self, clipped: Any, tmp_path: Path) -> None:
        with pytest.raises(ConversionError) as error:
            to_caffe(clipped, SQUARE).save(tmp_path / "net")
        assert "anchors of feature map 0 (SSDAnchorGenerator, clipped) are no regular grid" in str(error.value)
        assert "priors='constant'" in str(error.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("images", [1, 2])
    def test_agree_where_asked_for(self, clipped: Any, images: int, tmp_path: Path) -> None:
        shape = (images, 3, 96, 96)
        x = np.random.default_rng(4).normal(size=shape).astype(np.float32)
        model = to_caffe(clipped, shape, priors="constant")
        assert "PriorBox" not in layer_types(model)
        reference = of_mxnet(clipped, x)
        assert len(reference) >= 20 * images
        assert_same(of_rows(of_opencv(model, x, tmp_path), (96, 96)), reference)
        for rows in run(model, {"data": x}).values():
            assert_same(of_rows(rows["detection_out"], (96, 96)), reference)

    def test_pass_through_the_intermediate(self, clipped: Any, tmp_path: Path) -> None:
        import onnx

        onnx.save(to_onnx(clipped, SQUARE, priors="constant"), tmp_path / "net.onnx")
        again, straight = to_caffe(tmp_path / "net.onnx"), to_caffe(clipped, SQUARE, priors="constant")
        assert again.prototxt().split("\n", 1)[1] == straight.prototxt().split("\n", 1)[1]

    def test_of_a_regular_net_give_the_same(self, tmp_path: Path) -> None:
        net, x = telling_ssd(2)
        assert_same(of_rows(of_opencv(to_caffe(net, priors="constant"), x, tmp_path), (96, 96)), of_mxnet(net, x))

    def test_another_word_is_refused(self) -> None:
        net, _ = telling_ssd(2)
        with pytest.raises(ConversionError, match="priors='layers' is not valid: expected 'box' or 'constant'"):
            to_caffe(net, priors="layers")


FIELDS = """ {
    min_size: 20.0
    max_size: 41.0
    aspect_ratio: 2.0
    aspect_ratio: 0.5
    flip: false
    clip: false
    variance: 0.1
    variance: 0.1
    variance: 0.2
    variance: 0.2
    step: 8.0
    offset: 0.5
  }
}
"""
