"""CenterNet whole: its decoder as ArgMax and BatchReindex layers, on both real Caffes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_graphsurgeon as gs
import pytest
from agreement import layer_types, run
from detection_lists import of_onnx
from test_decode import telling_center_net

from gluon2caffe import load_mxnet, to_caffe, to_onnx, verify
from gluon2caffe.bridge.export import load_gluoncv
from gluon2caffe.bridge.verification.readers import OpenCVReader
from gluon2caffe.ssd_heads.kinds.center_net import CenterNetHeads

pytestmark = [pytest.mark.usefixtures("mx"), pytest.mark.filterwarnings("ignore:.* not run:UserWarning")]

CAFFES = {"BVLC Caffe", "Caffe-SSD"}


def decoder(images: int, classes: int, side: int, count: int) -> tuple[Any, dict[str, np.ndarray]]:
    """The decoder alone, its maps as inputs, and numbers for these."""
    generator = np.random.default_rng(0)
    heat = 1 / (1 + np.exp(4 - 1.5 * generator.standard_normal((images, classes, side, side))))
    maps = {
        "heat": heat.astype(np.float32),
        "sizes": (generator.random((images, 2, side, side)) * 20).astype(np.float32),
        "offsets": generator.random((images, 2, side, side)).astype(np.float32),
    }
    inputs = [gs.Variable(name, np.float32, list(array.shape)) for name, array in maps.items()]
    outputs = []
    graph = gs.Graph(inputs=inputs, opset=13, name="decoder")
    for tensor in inputs:
        # The maps are no inputs to the heads, but what a net makes.
        made = gs.Variable(f"{tensor.name}_map", np.float32, tensor.shape)
        graph.layer(op="Relu", name=made.name, inputs=[tensor], outputs=[made])
        outputs.append(made)
    graph.outputs = outputs
    heads = CenterNetHeads(
        image_size=(side * 4, side * 4),
        score_threshold=0.0,
        nms_topk=-1,
        post_nms=count,
        classes=classes,
        scale=4.0,
    )
    heads.graft(graph)
    return graph, maps


@pytest.mark.parametrize(("images", "classes", "side", "count"), [(1, 20, 64, 100), (3, 2, 16, 40), (1, 1, 8, 7)])
def test_the_decoder_is_mxnets_to_the_last_bit(images: int, classes: int, side: int, count: int) -> None:
    mx = load_mxnet()
    graph, maps = decoder(images, classes, side, count)
    arrays = [mx.nd.array(array) for array in maps.values()]
    heat = arrays[0]
    keep = mx.nd.broadcast_equal(mx.nd.Pooling(heat, kernel=(3, 3), stride=(1, 1), pad=(1, 1), pool_type="max"), heat)
    decode = load_gluoncv().nn.coder.CenterNetDecoder(topk=count, scale=4.0)
    ids, scores, boxes = (part.asnumpy() for part in decode(keep * heat, *arrays[1:]))
    ran = run(to_caffe(gs.export_onnx(graph)), maps)
    assert set(ran) >= CAFFES
    for reader in CAFFES:
        rows = ran[reader]["detection_out"].reshape(images, count, 7)
        np.testing.assert_array_equal(rows[..., 0], np.arange(images)[:, None].repeat(count, axis=1))
        np.testing.assert_array_equal(rows[..., 1] - 1, ids)
        np.testing.assert_array_equal(rows[..., 2], scores)
        np.testing.assert_array_equal(rows[..., 3:] * side * 4, boxes)


@pytest.mark.parametrize("target", ["ssd", "bvlc"])
def test_the_whole_net(target: Any) -> None:
    shape = (2, 3, 64, 96)
    net, x = telling_center_net(shape)
    model = to_caffe(net, shape, target=target)
    assert layer_types(model).count("ArgMax") == 1
    assert layer_types(model).count("BatchReindex") == 8
    noted = "OpenCV and other readers lack them. heads='raw' is for those."
    assert [note.endswith(noted) for note in model.notes] == ([True] if target == "ssd" else [])
    report = verify(model, net, x)
    assert {row.reader for row in report.rows} == CAFFES
    assert report.passed, str(report)
    assert report.rows[0].shape == (80,)
    assert report.skipped["OpenCV"] == "it has no layer of type ArgMax"


def test_the_intermediate_runs() -> None:
    net, x = telling_center_net((2, 3, 64, 96))
    ids, scores, boxes = (part.asnumpy() for part in net(load_mxnet().nd.array(x)))
    rows = of_onnx(to_onnx(net, x.shape), x).reshape(2, -1, 7)
    np.testing.assert_array_equal(rows[..., 1] - 1, ids)
    np.testing.assert_allclose(rows[..., 2], scores, atol=1e-5)
    np.testing.assert_allclose(rows[..., 3:] * [96, 64, 96, 64], boxes, atol=0.05)


def test_raw_ends_are_for_opencv() -> None:
    net, x = telling_center_net((1, 3, 64, 64))
    report = verify(to_caffe(net, x.shape, heads="raw"), net, x, readers=[OpenCVReader()])
    assert report.passed, str(report)
