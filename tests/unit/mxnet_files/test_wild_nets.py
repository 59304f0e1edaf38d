"""Nets that other people published agree with what MXNet computed, without MXNet."""

import json
from pathlib import Path

import numpy as np
import onnx_graphsurgeon as gs
import onnxruntime
import pytest
from wild import FOLDER, RECORD, WildNet, picture, random_parameter, sampled, save_params, wild_nets

from gluon2caffe import to_caffe
from gluon2caffe.bridge.export import TracedNet, export_graph, load_checkpoint
from gluon2caffe.bridge.verification.readers.opencv_reader import OpenCVReader

RECORDED = json.loads(RECORD.read_text())
TOLERANCE = 2e-5  # of the largest value; MXNet sums in another order


def test_the_nets_are_there() -> None:
    if not FOLDER.is_dir():
        pytest.skip(f"no nets of other people in {FOLDER}: their conversion is NOT tested")
    assert {net.name for net in wild_nets()} == RECORDED.keys()


def files(net: WildNet, folder: Path) -> tuple[Path, Path]:
    """The symbol and its parameters; random ones where only the symbol was published."""
    if net.params is not None:
        return net.symbol, net.params
    path = folder / "random.params"
    shapes = RECORDED[net.name]["parameters"]
    save_params(path, {name: random_parameter(name, tuple(shape)) for name, shape in shapes.items()})
    return net.symbol, path


def loaded(net: WildNet, folder: Path) -> TracedNet:
    return load_checkpoint(*files(net, folder), net.shape, net.ends)


def assert_as_recorded(net: WildNet, outputs: list[np.ndarray], tolerance: float) -> None:
    recorded = RECORDED[net.name]["outputs"]
    assert [list(values.shape) for values in outputs] == [each["shape"] for each in recorded]
    for values, expected in zip(outputs, recorded, strict=True):
        apart = np.abs(np.subtract(sampled(net, values)["values"], expected["values"])).max()
        assert apart <= tolerance * expected["largest"]


@pytest.mark.parametrize("net", wild_nets(), ids=lambda net: net.name)
def test_the_intermediate_computes_what_mxnet_computes(net: WildNet, tmp_path: Path) -> None:
    model = gs.export_onnx(export_graph(loaded(net, tmp_path)))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert_as_recorded(net, session.run(None, {"data": picture(net)}), TOLERANCE)


@pytest.mark.parametrize("net", [net for net in wild_nets() if net.params], ids=lambda net: net.name)
def test_the_caffe_files_compute_what_mxnet_computes(net: WildNet, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    model = to_caffe(files(net, tmp_path), net.shape)
    saved = model.save(tmp_path / "net")
    found = OpenCVReader().run(saved.prototxt, saved.caffemodel, {"data": picture(net)}, list(model.outputs.values()))
    assert_as_recorded(net, [found[blob] for blob in model.outputs.values()], 5e-5)
