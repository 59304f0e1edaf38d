"""MXNet's own SSD, from symbol and parameter files: the detections are those of MultiBoxDetection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import layer_types, run
from detection_lists import Found, assert_same, of_onnx, of_rows

from gluon2caffe import load_mxnet, to_caffe, to_onnx, verify
from gluon2caffe.onnx2caffe.errors import ConversionError

pytestmark = [pytest.mark.usefixtures("mx"), pytest.mark.filterwarnings("ignore:.* not run:UserWarning")]

SQUARE = (1, 3, 64, 64)
NMS = {"nms_threshold": 0.45, "threshold": 0.02}
SIZES = ("(0.2,0.272)", "(0.5,0.61)")
RATIOS = ("(1,2,0.5)", "(1,2,0.5,3,0.3333333)")


def multibox_symbol(classes: int, training: str = "", prior: dict[str, Any] | None = None, **nms: Any) -> Any:
    """Two feature maps of a small net, as example/ssd of MXNet joins them.

    `training` adds MultiBoxTarget and losses: "with detection" or "without".
    """
    mx = load_mxnet()
    x = mx.sym.Variable("data")
    maps = []
    for level, (filters, stride) in enumerate(((8, 8), (8, 2))):
        window = {"kernel": (3, 3), "stride": (stride, stride), "pad": (1, 1)}
        x = mx.sym.Convolution(x, num_filter=filters, name=f"c{level}", **window)
        x = mx.sym.Activation(x, act_type="relu", name=f"r{level}")
        maps.append(x)
    locations, scores, anchors = [], [], []
    for level, feature in enumerate(maps):
        boxes = (4, 6)[level]

        def predicted(width: int, what: str, feature: Any = feature, boxes: int = boxes, level: int = level) -> Any:
            made = mx.sym.Convolution(
                feature, kernel=(3, 3), pad=(1, 1), num_filter=boxes * width, name=f"map{level}_{what}_pred"
            )
            return mx.sym.Flatten(mx.sym.transpose(made, axes=(0, 2, 3, 1)))

        locations.append(predicted(4, "loc"))
        scores.append(predicted(classes + 1, "cls"))
        boxes_of = {"sizes": SIZES[level], "ratios": RATIOS[level], **(prior or {})}
        anchors.append(mx.sym.Flatten(mx.sym.contrib.MultiBoxPrior(feature, **boxes_of)))
    loc = mx.sym.Concat(*locations, dim=1, name="multibox_loc_pred")
    cls = mx.sym.Reshape(mx.sym.Concat(*scores, dim=1), shape=(0, -1, classes + 1))
    cls = mx.sym.transpose(cls, axes=(0, 2, 1), name="multibox_cls_pred")
    anchor = mx.sym.Reshape(mx.sym.Concat(*anchors, dim=1), shape=(0, -1, 4), name="multibox_anchors")
    if not training:
        probability = mx.sym.SoftmaxActivation(cls, mode="channel", name="cls_prob")
        return mx.sym.contrib.MultiBoxDetection(probability, loc, anchor, name="detection", **{**NMS, **nms})
    target = mx.sym.contrib.MultiBoxTarget(anchor, mx.sym.Variable("label"), cls, variances=(0.1, 0.1, 0.2, 0.3))
    probability = mx.sym.SoftmaxOutput(cls, target[2], multi_output=True, use_ignore=True, name="cls_prob")
    loss = mx.sym.MakeLoss(mx.sym.smooth_l1(target[1] * (loc - target[0]), scalar=1.0))
    outputs = [probability, loss, mx.sym.MakeLoss(target[2], grad_scale=0)]
    if training == "with detection":
        found = mx.sym.contrib.MultiBoxDetection(probability, loc, anchor, name="detection", **{**NMS, **nms})
        outputs.append(mx.sym.MakeLoss(found, grad_scale=0))
    return mx.sym.Group(outputs)


def saved(symbol: Any, folder: Path, shape: tuple[int, ...] = SQUARE) -> tuple[Path, Path]:
    """The symbol with random parameters whose scores are spread and whose boxes stay near their anchors."""
    mx = load_mxnet()
    labels = {"label": (shape[0], 2, 5)} if "label" in symbol.list_inputs() else {}
    arguments, _, _ = symbol.infer_shape(data=shape, **labels)
    random = np.random.default_rng(3)
    arrays = {}
    for name, size in zip(symbol.list_arguments(), arguments, strict=True):
        if name not in ("data", "label"):
            scale = 0.5 if "loc" in name else 1.5 if "cls" in name else 1.0
            scale *= 0.1 if len(size) == 1 else 1 / np.sqrt(np.prod(size[1:]))
            values = random.normal(size=size) * scale
            arrays[f"arg:{name}"] = mx.nd.array(values)
    files = folder / "multibox-symbol.json", folder / "multibox-0000.params"
    symbol.save(str(files[0]))
    mx.nd.save(str(files[1]), arrays)
    return files


def picture(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(5).normal(size=shape).astype(np.float32) * 2


def of_multibox(files: tuple[Path, Path], symbol: Any, x: np.ndarray) -> list[Found]:
    """What MXNet's MultiBoxDetection gives, by image and falling score."""
    mx = load_mxnet()
    net = mx.gluon.SymbolBlock(symbol, [mx.sym.Variable("data")])
    net.collect_params().load(str(files[1]), ignore_extra=True, restore_prefix="")
    rows = net(mx.nd.array(x)).asnumpy()
    size = np.float32([x.shape[3], x.shape[2]] * 2)
    found = [
        Found(image, int(row[0]), float(row[1]), tuple((row[2:] * size).tolist()))
        for image in range(len(rows))
        for row in rows[image]
        if row[0] >= 0
    ]
    return sorted(found, key=lambda one: (one.image, -one.score))


def agrees(files: tuple[Path, Path], x: np.ndarray, reference: list[Found], threshold: float = 0.02) -> Any:
    model = to_caffe(files, x.shape)
    ran = run(model, {"data": x})
    assert "OpenCV" in ran
    for found in ran.values():
        # At an overlap of 1 (no suppression) the Caffe-SSD of Sophgo's wheel fills up with copies of the first box.
        rows = np.unique(found["detection_out"].reshape(-1, 7), axis=0)
        assert_same(of_rows(rows, x.shape[2:], threshold), reference)
    assert_same(of_rows(of_onnx(to_onnx(files, x.shape), x), x.shape[2:], threshold), reference)
    return model


CASES: dict[str, tuple[int, tuple[int, ...], dict[str, Any], int]] = {
    "as MXNet's example": (3, SQUARE, {}, 30),
    "two wide pictures": (3, (2, 3, 64, 96), {}, 60),
    "one class": (1, SQUARE, {}, 20),
    "boxes may leave the picture": (3, SQUARE, {"clip": False}, 30),
    "one class, boxes may leave": (1, SQUARE, {"clip": False}, 20),
    "other variances": (3, SQUARE, {"variances": (0.2, 0.1, 0.3, 0.1)}, 30),
    "other variances, boxes may leave": (3, SQUARE, {"clip": False, "variances": (0.2, 0.1, 0.3, 0.1)}, 30),
    "higher threshold": (3, SQUARE, {"threshold": 0.4}, 5),
    "without suppression": (3, SQUARE, {"nms_threshold": -1.0}, 200),
    "all classes suppress, and there is one": (1, SQUARE, {"force_suppress": True}, 20),
}


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_same_detections(case: tuple[Any, ...], tmp_path: Path) -> None:
    classes, shape, nms, least = case
    symbol = multibox_symbol(classes, **nms)
    files, x = saved(symbol, tmp_path, shape), picture(shape)
    reference = of_multibox(files, symbol, x)
    assert len(reference) >= least
    assert len({one.label for one in reference}) == classes
    model = agrees(files, x, reference, nms.get("threshold", 0.02))
    assert layer_types(model).count("PriorBox") == (2 if nms.get("clip") is False else 0)


@pytest.mark.parametrize("prior", [{"steps": "(0.12,0.13)"}, {"offsets": "(0.4,0.7)"}, {"clip": "True"}])
def test_other_anchors(prior: dict[str, Any], tmp_path: Path) -> None:
    symbol = multibox_symbol(3, prior=prior)
    files, x = saved(symbol, tmp_path), picture(SQUARE)
    agrees(files, x, of_multibox(files, symbol, x))


def test_a_symbol_for_training_is_cut_back(tmp_path: Path) -> None:
    files, x = saved(multibox_symbol(3, "with detection"), tmp_path), picture(SQUARE)
    model = agrees(files, x, of_multibox(files, multibox_symbol(3), x))
    assert model.notes == ["The training part of the symbol was left out."]


def test_a_symbol_for_training_without_detection(tmp_path: Path) -> None:
    files, x = saved(multibox_symbol(3, "without"), tmp_path), picture(SQUARE)
    defaults = {"nms_threshold": 0.5, "threshold": 0.01, "variances": (0.1, 0.1, 0.2, 0.3)}
    model = agrees(files, x, of_multibox(files, multibox_symbol(3, **defaults), x), 0.01)
    assert "that of MultiBoxDetection's defaults is used" in model.notes[0]
    assert model.heads.description.variances == (0.1, 0.1, 0.2, 0.3)


def test_verify_and_description(tmp_path: Path) -> None:
    files, x = saved(multibox_symbol(3, "with detection"), tmp_path), picture(SQUARE)
    model = to_caffe(files, SQUARE)
    report = verify(model, files, x)
    assert report.passed, str(report)
    assert report.rows[0].shape[0] >= 30
    first, _, suppression, *_ = str(model.heads).splitlines()
    assert first == "multibox: input 64×64, 352 boxes, 3 classes"
    assert suppression == "suppression: overlap above 0.45, best class of each box, of all boxes, all reported"


@pytest.mark.parametrize(("clip", "node"), [("False", "r0_mbox_priorbox"), ("True", "detection_out")])
def test_anchors_that_are_parts_of_the_picture_bind_its_size(clip: str, node: str, tmp_path: Path) -> None:
    model = to_caffe(saved(multibox_symbol(2, clip=clip), tmp_path), SQUARE)
    assert model.sizes is not None
    assert model.sizes.fixed[0] == f"{node}: anchors that are parts of the picture"
    # As many boxes as at 64 × 64.
    assert not model.sizes.includes((1, 3, 128, 32))


def test_suppression_across_classes_is_refused(tmp_path: Path) -> None:
    files = saved(multibox_symbol(3, force_suppress=True), tmp_path)
    with pytest.raises(ConversionError, match=r"force_suppress.*Try: heads='raw'"):
        to_caffe(files, SQUARE)
    assert list(to_caffe(files, SQUARE, heads="raw").outputs) == ["class_predictions", "box_predictions"]
