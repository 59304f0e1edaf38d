"""heads="raw": the predictions as the net makes them, and the priors beside the model."""

from pathlib import Path

import numpy as np
import pytest
from agreement import run
from small_ssd import raw_predictions, telling_ssd

from gluon2caffe import to_caffe, to_onnx, verify
from gluon2caffe.bridge.verification.readers import OpenCVReader
from gluon2caffe.onnx2caffe.model import SavedModel

pytestmark = [pytest.mark.usefixtures("mx"), pytest.mark.filterwarnings("ignore:.* not run:UserWarning")]

SHAPES = [(1, 3, 96, 96), (2, 3, 96, 128)]


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_are_the_nets_raw_predictions(shape: tuple[int, ...]) -> None:
    net, x = telling_ssd(3, shape)
    expected = dict(zip(("class_predictions", "box_predictions"), raw_predictions(net, x)[:2], strict=True))
    model = to_caffe(net, shape, heads="raw")
    assert list(model.outputs) == ["class_predictions", "box_predictions"]
    ran = run(model, {"data": x})
    assert "OpenCV" in ran
    for reader, found in ran.items():
        for output, values in expected.items():
            got = found[model.outputs[output]]
            assert got.shape == values.shape, reader
            assert np.abs(got - values).max() <= 1e-4 * np.abs(values).max(), reader


@pytest.mark.parametrize("shape", SHAPES)
def test_priors_beside_the_model(shape: tuple[int, ...], tmp_path: Path) -> None:
    net, x = telling_ssd(3, shape, stds=(0.1, 0.2, 0.3, 0.4))
    saved = to_caffe(net, shape, heads="raw").save(tmp_path / "net.v1")
    assert saved == SavedModel(tmp_path / "net.v1.prototxt", tmp_path / "net.v1.caffemodel")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "net.v1.caffemodel",
        "net.v1.heads.json",
        "net.v1.priors.npy",
        "net.v1.prototxt",
    ]
    priors = np.load(tmp_path / "net.v1.priors.npy")
    anchors = raw_predictions(net, x)[2]
    assert priors.dtype == np.float32
    assert priors.shape == (1, 2, 4 * len(anchors))
    # The first row holds corners as parts of the image, box after box; the second one the variances of each.
    height, width = shape[2:]
    half = anchors[:, 2:] / 2
    corners = np.concatenate([anchors[:, :2] - half, anchors[:, :2] + half], axis=1) / [width, height, width, height]
    np.testing.assert_allclose(priors[0, 0].reshape(-1, 4), corners, atol=1e-6)
    np.testing.assert_array_equal(priors[0, 1], np.tile(np.float32([0.1, 0.2, 0.3, 0.4]), len(anchors)))


def test_priors_are_those_of_prior_box_layers() -> None:
    """Where nothing is absorbed, the saved priors are what the layers of the other ending compute."""
    net, x = telling_ssd(3, sizes=(20, 41, 63, 90))
    with_layers = to_caffe(net)
    with_layers.model.layers.pop()
    bottoms = ("mbox_loc", "mbox_conf_flatten", "mbox_priorbox")
    with_layers.model.outputs = {name: name for name in bottoms}
    priors = to_caffe(net, heads="raw").arrays["priors"]
    for reader, found in run(with_layers, {"data": x}).items():
        np.testing.assert_allclose(found["mbox_priorbox"].reshape(priors.shape), priors, atol=2e-6, err_msg=reader)


def test_only_raw_heads_have_arrays(tmp_path: Path) -> None:
    net, _ = telling_ssd(3)
    model = to_caffe(net)
    assert model.arrays == {}
    model.save(tmp_path / "net")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.caffemodel", "net.prototxt"]


def test_a_clipping_decoder_or_generator_does_not_matter() -> None:
    net, _ = telling_ssd(3)
    net.bbox_decoder._clip = 0.5
    net.anchor_generators[0]._clip = True
    net.anchor_generators[0]._im_size = (40, 40)
    priors = to_caffe(net, (1, 3, 96, 96), heads="raw").arrays["priors"][0, 0].reshape(-1, 4)
    # As the net uses them: clipped, centers to 40 pixels.
    centers = (priors[: 144 * 4, :2] + priors[: 144 * 4, 2:]) / 2 * 96
    assert centers.max() == pytest.approx(40, abs=1e-4)


def test_verify_compares_the_two_outputs() -> None:
    net, x = telling_ssd(3)
    report = verify(to_caffe(net, heads="raw"), net, x, readers=[OpenCVReader()])
    assert report.passed, str(report)
    assert [(row.output, row.shape) for row in report.rows] == [
        ("class_predictions", (1, 828, 4)),
        ("box_predictions", (1, 828, 4)),
    ]


def test_the_intermediate_ends_there_too() -> None:
    net, _ = telling_ssd(3)
    shapes = {
        output.name: [dim.dim_value for dim in output.type.tensor_type.shape.dim]
        for output in to_onnx(net, heads="raw").graph.output
    }
    assert shapes == {"class_predictions": [1, 828, 4], "box_predictions": [1, 828, 4]}
