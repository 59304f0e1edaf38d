"""GluonCV's SSD from symbol and parameter files: the same Caffe files as from the block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import run
from detection_lists import assert_same, of_mxnet, of_onnx, of_rows
from small_ssd import telling_ssd

from gluon2caffe import load_mxnet, to_caffe, to_onnx, verify
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.ssd_heads.heads import Heads
from gluon2caffe.ssd_heads.kinds.gluon_ssd.block import describe
from gluon2caffe.ssd_heads.prior_heads import PriorHeads

pytestmark = [pytest.mark.usefixtures("mx"), pytest.mark.filterwarnings("ignore:.* not run:UserWarning")]

DJL = Path(__file__).parents[4] / "shared" / "checkpoints" / "djl_ssd512_resnet50-symbol.json"
Files = tuple[Path, Path]

CASES: dict[str, tuple[tuple[int, ...], dict[str, Any], dict[str, Any]]] = {
    "as the zoo sets it": ((1, 3, 96, 96), {}, {}),
    "two wide images": ((2, 3, 96, 128), {}, {}),
    "arithmetic instead of box_decode": ((1, 3, 96, 96), {"minimal_opset": True}, {}),
    "other variances": ((1, 3, 96, 96), {"stds": (0.2, 0.15, 0.1, 0.3)}, {}),
    "other suppression": ((1, 3, 96, 96), {}, {"nms_thresh": 0.3, "nms_topk": 50, "post_nms": 20}),
    "all enter, all are reported": ((1, 3, 96, 96), {}, {"nms_thresh": 0.45, "nms_topk": -1, "post_nms": -1}),
    "one class": ((1, 3, 96, 96), {"classes": 1}, {}),
}


def exported(net: Any, x: np.ndarray, folder: Path, name: str = "ssd") -> Files:
    """The net as `net.export` writes it."""
    net.hybridize()
    net(load_mxnet().nd.array(x))
    net.export(str(folder / name))
    return folder / f"{name}-symbol.json", folder / f"{name}-0000.params"


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_same_files_as_from_the_block(case: tuple[Any, ...], tmp_path: Path) -> None:
    shape, options, nms = case
    options = dict(options)
    net, x = telling_ssd(options.pop("classes", 3), shape, **options)
    net.set_nms(**{"nms_thresh": 0.45, "nms_topk": 400, "post_nms": 100, **nms})
    for choices in ({}, {"heads": "raw"}, {"priors": "constant"}):
        from_block = to_caffe(net, shape, **choices)
        from_files = to_caffe(exported(net, x, tmp_path), shape, **choices)
        assert from_files.prototxt() == from_block.prototxt()
        one, other = from_files.save(tmp_path / "one"), from_block.save(tmp_path / "other")
        assert one.caffemodel.read_bytes() == other.caffemodel.read_bytes()
        assert from_files.arrays.keys() == from_block.arrays.keys()
        for name, values in from_block.arrays.items():
            np.testing.assert_array_equal(from_files.arrays[name], values)


def test_what_is_read_from_the_files(tmp_path: Path) -> None:
    net, x = telling_ssd(3, stds=(0.2, 0.15, 0.1, 0.3))
    net.cls_decoder._thresh = 0.05
    heads = to_caffe(exported(net, x, tmp_path), x.shape).heads
    assert isinstance(heads, PriorHeads)
    found, wanted = heads.description, describe(net)
    assert (found.variances, found.score_threshold) == ((0.2, 0.15, 0.1, 0.3), 0.05)
    assert (found.nms_threshold, found.nms_topk, found.post_nms) == (0.45, 400, 100)
    for one, other in zip(found.heads, wanted.heads, strict=True):
        np.testing.assert_array_equal(one.anchors, other.anchors)
    first, *_, last = str(heads).splitlines()
    assert first == "ssd: input 96×96, 828 boxes, 3 classes"
    assert last == (
        "map 2: 3×3, 4 boxes per cell: 62.9×62.9, 75.2396×75.2396, 88.954×44.477, 44.477×88.954 (constant anchors)"
    )


def agrees(files: Files, x: np.ndarray, reference: list[Any], image_size: tuple[int, int], least: int) -> Heads:
    """Assert that readers and onnxruntime find what MXNet finds."""
    assert len(reference) >= least
    model = to_caffe(files, x.shape)
    ran = run(model, {"data": x})
    assert "OpenCV" in ran
    for found in ran.values():
        assert_same(of_rows(found["detection_out"], image_size), reference)
    assert_same(of_rows(of_onnx(to_onnx(files, x.shape), x), image_size), reference)
    heads: Heads = model.heads
    return heads


def test_exported_with_preprocessing_and_channels_last(tmp_path: Path) -> None:
    net, _ = telling_ssd(3)
    x = np.random.default_rng(0).uniform(0, 255, (1, 96, 96, 3)).astype(np.float32)
    load_gluoncv().utils.export_block(str(tmp_path / "hwc"), net, data_shape=(96, 96, 3))
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    reference = of_mxnet(net, ((x - mean) / std).transpose(0, 3, 1, 2).astype(np.float32))
    files = tmp_path / "hwc-symbol.json", tmp_path / "hwc-0000.params"
    heads = agrees(files, x, reference, (96, 96), 40)
    assert heads.image_size == (96, 96)
    assert verify(to_caffe(files, x.shape), files, x).passed


def test_a_decoder_that_clips_is_computed_by_the_net(tmp_path: Path) -> None:
    """DetectionOutput cannot clip: the boxes are decoded in front of it."""
    net, x = telling_ssd(3)
    net.bbox_decoder._clip = 0.05
    reference = of_mxnet(net, x)
    heads = agrees(exported(net, x, tmp_path), x, reference, (96, 96), 40)
    assert not isinstance(heads, PriorHeads)
    assert str(heads).splitlines()[0] == "box NMS: input 96×96, 828 boxes, 3 classes"


def test_nothing_is_found_where_all_is_background(tmp_path: Path) -> None:
    net, x = telling_ssd(3)
    for predictor in net.class_predictors:
        bias = predictor.predictor.bias
        values = bias.data().asnumpy()
        values[::4] += 60
        bias.set_data(load_mxnet().nd.array(values))
    agrees(exported(net, x, tmp_path), x, [], (96, 96), 0)


@pytest.mark.skipif(not DJL.exists(), reason=f"{DJL} is not there")
def test_a_symbol_of_djl(tmp_path: Path) -> None:
    """Exported by MXNet 1.5, with the arithmetic of GluonCV 0.4; the parameters are those of the zoo's net."""
    from mxnet.name import NameManager

    from tests.zoo.detectors import build

    mx = load_mxnet()
    with NameManager():
        net, x = build("ssd_512_resnet50_v1_voc")
    parameters = tmp_path / "djl.params"
    names = set(mx.sym.load(str(DJL)).list_inputs())
    mx.nd.save(str(parameters), {name: value.data() for name, value in net.collect_params().items() if name in names})
    agrees((DJL, parameters), x, of_mxnet(net, x), (512, 512), 100)
