"""`gluon2caffe onnx`."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import Result
from onnx.reference import ReferenceEvaluator

Run = Callable[..., Result]


def test_writes_a_model_that_computes_the_same(run: Run, net: Path, folder: Path) -> None:
    result = run("onnx", "net.onnx", "-o", "normal.onnx")
    assert (result.exit_code, result.stderr) == (0, "")
    model = onnx.load(folder / "normal.onnx")
    onnx.checker.check_model(model, full_check=True)
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32)
    (expected,), (got,) = (list(ReferenceEvaluator(each).run(None, {"data": x})) for each in (onnx.load(net), model))
    assert isinstance(expected, np.ndarray) and isinstance(got, np.ndarray)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert np.max(expected) > 1


def test_an_interruption_leaves_the_old_file(
    run: Run, net: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    (folder / "old.onnx").write_text("old")
    monkeypatch.setattr(Path, "replace", interrupted)
    assert run("onnx", "net.onnx", "-o", "old.onnx").exit_code == 130
    assert (folder / "old.onnx").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["net.onnx", "old.onnx"]


def test_json(run: Run, net: Path, folder: Path) -> None:
    got = json.loads(run("onnx", "net.onnx", "-o", "n.onnx", "--softmax", "--json").stdout)
    assert got["outputs"] == {"softmax": [1, 4, 8, 8]}
    assert (got["nodes"], got["parameters"]) == (3, 108)
    assert got["files"] == [{"path": "n.onnx", "bytes": (folder / "n.onnx").stat().st_size}]


@pytest.mark.parametrize("words", [["net.onnx"], ["net.onnx", "-o", "net.onnx"], ["net.onnx", "-o", "link.onnx"]])
def test_the_source_is_never_replaced(run: Run, net: Path, folder: Path, words: list[str]) -> None:
    (folder / "link.onnx").symlink_to(net)
    before = net.read_bytes()
    result = run("onnx", *words)
    assert result.exit_code == 1
    assert result.stderr == f"Error: {words[-1]} is the source itself: name another file with -o.\n"
    assert net.read_bytes() == before
