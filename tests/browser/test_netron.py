"""Headless Chromium opens Netron on the two forms of an SSD; the pictures are kept in .artifacts/."""

from collections import Counter
from pathlib import Path
from typing import Any

import onnx
import pytest

import gluon2caffe
from gluon2caffe.bridge.inspection.netron_view import NetronView
from gluon2caffe.bridge.zoo import zoo_net
from gluon2caffe.onnx2caffe.prototxt import read_net
from tests.browser.chromium import Chromium
from tests.browser.netron_page import node_texts, open_model, open_properties, scroll_to, shortened, show_names


@pytest.fixture(scope="module")
def ssd(mx: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SSD for two classes, saved as net.onnx, net.prototxt and net.caffemodel; the path of net."""
    net = zoo_net("ssd_300_mobilenet0.25_custom", random=True, classes=["a", "b"], prefix="detector_")
    prefix = tmp_path_factory.mktemp("ssd") / "net"
    onnx.save(gluon2caffe.to_onnx(net), prefix.with_suffix(".onnx"))
    gluon2caffe.to_caffe(net).save(prefix)
    return prefix


def test_the_intermediate(ssd: Path, page: Chromium) -> None:
    nodes = onnx.load(ssd.with_suffix(".onnx")).graph.node
    with NetronView(ssd.with_suffix(".onnx"), 0) as view:
        open_model(page, view.url, "DetectionOutput")
        types = node_texts(page)
        # A node that opens its function has a second text, this sign.
        assert types.pop("ƒ") == 7
        assert types == Counter(node.op_type for node in nodes)
        assert (types["PriorBox"], types["DetectionOutput"]) == (6, 1)
        first = "detector_mobilenet0_batchnorm0_fwd"
        open_properties(page, first, first, f"detector_mobilenet0_conv0_fwd + {first}")
        show_names(page, "detection_out", shortened("detector_convpredictor0_conv0_fwd"))
        scroll_to(page, "detection_out")
        names = node_texts(page)
        names.pop("ƒ")
        assert names == Counter(shortened(node.name) for node in nodes)


def test_the_prototxt(ssd: Path, page: Chromium) -> None:
    layers = [layer for layer in read_net(ssd.with_suffix(".prototxt")).layer if layer.type != "Input"]
    with NetronView(ssd.with_suffix(".prototxt"), 0) as view:
        open_model(page, view.url, "DetectionOutput")
        types = node_texts(page)
        assert types == Counter(layer.type for layer in layers)
        assert (types["PriorBox"], types["DetectionOutput"]) == (6, 1)
        show_names(page, "detection_out", shortened("detector_convpredictor0_conv0_fwd"))
        scroll_to(page, "detection_out")
        assert node_texts(page) == Counter(shortened(layer.name) for layer in layers)
