"""The table of the zoo's families: each net has its own size, and the shape that is asked for is built."""

from __future__ import annotations

from typing import Any

import pytest

from gluon2caffe import to_caffe, verify
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.bridge.verification.readers import OpenCVReader
from gluon2caffe.bridge.zoo import zoo_input_shape, zoo_names, zoo_net
from gluon2caffe.bridge.zoo_table import FAMILIES, family_of
from gluon2caffe.onnx2caffe.errors import SourceError

pytestmark = [pytest.mark.usefixtures("mx")]

SIZES = {
    "alexnet": (1, 3, 224, 224),
    "cifar_resnet20_v1": (1, 3, 32, 32),
    "inceptionv3": (1, 3, 299, 299),
    "nasnet_6_4032": (1, 3, 331, 331),
    "nasnet_4_1056": (1, 3, 224, 224),
    "yolo3_darknet53_voc": (1, 3, 416, 416),
    "center_net_resnet18_v1b_voc": (1, 3, 512, 512),
    "simple_pose_resnet18_v1b": (1, 3, 256, 192),
    "monodepth2_resnet18_kitti_mono_640x192": (1, 3, 192, 640),
    "monodepth2_resnet18_posenet_kitti_mono_640x192": (1, 6, 192, 640),
    "psp_resnet50_ade": (1, 3, 480, 480),
    "psp_resnet101_citys": (1, 3, 768, 768),
    "fastscnn_citys": (1, 3, 1024, 1024),
    "danet_resnet50_citys": (1, 3, 480, 480),
    "hrnet_w18_small_v1_s": (1, 3, 480, 480),
    "hrnet_w18_c": (1, 3, 224, 224),
    "i3d_resnet50_v1_kinetics400": (1, 3, 32, 224, 224),
}


def test_sizes_of_the_families() -> None:
    assert {name: zoo_input_shape(name) for name in SIZES} == SIZES


def test_every_family_has_nets_and_the_table_covers_the_zoo() -> None:
    names = zoo_names()
    assert len(names) == 332
    assert {family_of(name) for name in names} == set(FAMILIES)


@pytest.mark.parametrize(
    ("name", "shape", "output"),
    [
        ("fcn_resnet50_voc", (1, 3, 64, 96), (1, 21, 64, 96)),
        ("hrnet_w18_small_v1_s", (1, 3, 64, 64), (1, 19, 16, 16)),
    ],
)
def test_a_segmentation_net_is_built_for_the_shape_asked_for(
    name: str, shape: tuple[int, ...], output: tuple[int, ...]
) -> None:
    net: Any = zoo_net(name, random=True, input_shape=shape)
    model = to_caffe(net, shape)
    report = verify(model, net, readers=[OpenCVReader()])
    assert report.passed, str(report)
    assert report.rows[0].shape == output


def test_a_shape_that_does_not_fit_is_a_message() -> None:
    with pytest.raises(
        SourceError, match=r"does not take an input of shape \(1, 3, 90, 90\): .*Try: --input-shape 1,3,768"
    ):
        zoo_net("icnet_resnet50_citys", random=True, input_shape=(1, 3, 90, 90))
    with pytest.raises(SourceError, match=r"takes pictures \(N, 3, H, W\), not an input of shape \(1, 3\)"):
        zoo_net("fcn_resnet50_voc", random=True, input_shape=(1, 3))


def test_a_region_based_detector_ends_before_its_regions(mx: Any) -> None:
    net: Any = load_gluoncv().model_zoo.get_model("faster_rcnn_resnet50_v1b_voc", pretrained_base=False)
    net.initialize(mx.init.Xavier())
    made = to_caffe(net, (1, 3, 64, 96), outputs="auto")
    assert len(made.outputs) == 3, made.notes
    report = verify(made, net, readers=[OpenCVReader()])
    assert report.passed, str(report)
