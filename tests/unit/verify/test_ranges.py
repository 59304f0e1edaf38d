"""Ranges of blobs, ncnn's table and calibration files of the net whose every blob is known."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from known_net import INPUT

from gluon2caffe.bridge.cli.commands import commands
from gluon2caffe.bridge.verification.ranges import ncnn_table, ranges, write_calibration
from gluon2caffe.bridge.verification.readers import Reader
from gluon2caffe.onnx2caffe.model import CaffeModel, SavedModel

SAMPLES = np.concatenate([INPUT, -2 * INPUT])


def test_each_layer_has_the_range_of_what_it_writes(saved: SavedModel, reader: Reader) -> None:
    found = {(each.layer, each.blob): each for each in ranges(saved, {"data": SAMPLES}, reader)}
    ends = {place: (each.minimum, each.maximum) for place, each in found.items()}
    assert ends == {
        ("data", "data"): (-10, 5),
        ("conv", "c"): (-14, 7),  # 4, 7, -2, -3 and -2 times that
        ("relu", "c"): (0, 7),
        ("cut", "a"): (0, 7),
        ("cut", "b"): (0, 6),
        ("shift", "shifted"): (10, 16),
        ("join", "joined"): (0, 16),
    }
    histogram = found["conv", "c"].histogram
    assert (len(histogram), sum(histogram), histogram[0], histogram[-1]) == (128, 8, 1, 1)


def test_ncnns_table_has_the_scales_of_weights_and_inputs(net: CaffeModel, saved: SavedModel) -> None:
    table = ncnn_table(net, ranges(saved, {"data": SAMPLES}))
    assert table == "conv_param_0 127.000000 127.000000\nconv 12.700000\n"


def test_calibration_files_hold_the_samples(tmp_path: Path) -> None:
    listing = write_calibration(tmp_path / "set", {"data": SAMPLES}, {"data": INPUT.shape})
    assert listing.read_text() == "0000_data.npy\n0001_data.npy\n"
    assert np.array_equal(np.load(tmp_path / "set/0001.npz")["data"], -2 * INPUT)
    assert np.array_equal(np.load(tmp_path / "set/0001_data.npy"), -2 * INPUT)
    assert np.fromfile(tmp_path / "set/0001_data.raw", "<f4").tolist() == (-2 * INPUT).reshape(-1).tolist()


def test_the_command(saved: SavedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "samples.npy", SAMPLES)
    words = ["ranges", str(saved.prototxt), "--samples", str(tmp_path / "samples.npy")]
    result = CliRunner().invoke(commands, [*words, "--json", "--ncnn-table", str(tmp_path / "net.table")])
    assert result.exit_code == 0, result.output
    joined = json.loads(result.output)["ranges"][-1]
    assert (joined["layer"], joined["minimum"], joined["maximum"]) == ("join", 0, 16)
    assert (tmp_path / "net.table").read_text().startswith("conv_param_0 127.000000")
    lines = CliRunner().invoke(commands, [*words, "--calibration", str(tmp_path / "set")]).output.splitlines()
    assert lines[-1].split() == ["join", "joined", "0", "16"]
    assert (tmp_path / "set/dataset.txt").is_file()
