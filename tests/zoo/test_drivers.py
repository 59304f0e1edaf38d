"""Files go through our own walk, live nets through mxnet.onnx: both give the same graph, over GluonCV's zoo."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "export"))

from agreement_with_mxnet import assert_drivers_agree

from gluon2caffe.bridge.export import load_gluoncv, trace_block
from gluon2caffe.bridge.zoo import zoo_input_shape, zoo_names
from gluon2caffe.onnx2caffe.errors import SourceError

# One of each family; all of them with --full-zoo.
SAMPLE = (
    "cifar_resnet20_v2",
    "mobilenetv3_small",
    "resnest14",
    "se_resnet18_v1",
    "squeezenet1.0",
    "fcn_resnet50_ade",
    "simple_pose_resnet18_v1b",
    "yolo3_mobilenet0.25_voc",
)
# Nets of other kinds: three-dimensional, quantised, by regions, or of several inputs.
OTHER = re.compile("int8|rcnn|i3d|slowfast|c3d|p3d|r2plus1d|kinetics|sthsth|ucf|hmdb|siamrpn|directpose|center_net")
SIZES = (
    (re.compile("ssd_300"), 300),
    (re.compile("ssd_512"), 512),
    (re.compile("yolo"), 416),
    (re.compile("voc|coco|ade|citys"), 480),
)


def names(full: bool) -> list[str]:
    return [name for name in zoo_names() if not OTHER.search(name)] if full else list(SAMPLE)


def net_and_shape(name: str) -> tuple[Any, tuple[int, ...]]:
    options = {"classes": ["a", "b"]} if name.endswith("_custom") else {}
    get_model = load_gluoncv().model_zoo.get_model
    try:
        net = get_model(name, pretrained=False, pretrained_base=False, **options)
    except TypeError:  # it grows on nothing
        net = get_model(name, pretrained=False, **options)
    net.initialize()
    if "pose" in name:
        return net, (1, 3, 256, 192)
    if "monodepth2" in name:
        return net, (1, 3, 192, 640)
    size = next((size for pattern, size in SIZES if pattern.search(name)), None)
    return net, (1, 3, size, size) if size else zoo_input_shape(name)


def test_both_drivers_give_the_same_graph(mx: Any, request: pytest.FixtureRequest) -> None:
    tried = 0
    for name in names(request.config.getoption("--full-zoo")):
        net, shape = net_and_shape(name)
        try:
            traced = trace_block(net, shape)
        except SourceError:  # a net that cannot be traced has no files either
            continue
        assert_drivers_agree(traced)
        tried += 1
    assert tried >= len(SAMPLE)
