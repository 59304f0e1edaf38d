"""verify on a pair of MXNet's files, with MXNet and without it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon2caffe import to_caffe, verify
from gluon2caffe.bridge.verification import reference_files
from gluon2caffe.bridge.verification.readers.opencv_reader import OpenCVReader
from gluon2caffe.onnx2caffe.errors import SourceError

SHAPE = (1, 3, 8, 8)


@pytest.fixture
def files(mx: Any, tmp_path: Path) -> tuple[Path, Path]:
    data = mx.sym.var("data")
    conv = mx.sym.Convolution(data, num_filter=4, kernel=(3, 3), name="conv")
    symbol = mx.sym.FullyConnected(mx.sym.relu(conv), num_hidden=5, name="fc")
    shapes = dict(zip(symbol.list_arguments(), symbol.infer_shape(data=SHAPE)[0], strict=True))
    rng = np.random.default_rng(0)
    arrays = {name: mx.nd.array(rng.standard_normal(shape)) for name, shape in shapes.items() if name != "data"}
    mx.model.save_checkpoint(str(tmp_path / "net"), 0, symbol, arrays, {})
    return tmp_path / "net-symbol.json", tmp_path / "net-0000.params"


def test_readers_and_the_intermediate_are_compared_with_mxnet(files: tuple[Path, Path]) -> None:
    report = verify(to_caffe(files, SHAPE), files, readers=[OpenCVReader()])
    assert report.passed
    assert [(row.reader, row.output, row.shape) for row in report.intermediate] == [
        ("the intermediate in onnxruntime", "fc", (1, 5))
    ]
    assert 0 < report.intermediate[0].relative < 1e-6
    assert report.reference == "MXNet; the intermediate in onnxruntime is compared with it too"


def test_an_intermediate_that_differs_from_mxnet_fails(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = reference_files.run_onnx
    monkeypatch.setattr(
        reference_files, "run_onnx", lambda *a: {name: 1.01 * array for name, array in original(*a).items()}
    )
    report = verify(to_caffe(files, SHAPE), files, readers=[OpenCVReader()])
    assert not report.passed
    assert report.rows[0].passed
    assert str(report).endswith("Not agreed within 0.0001 on the intermediate in onnxruntime.") or str(report).endswith(
        "FAILED: difference exceeds 0.0001 on the intermediate in onnxruntime."
    )


def test_without_mxnet_the_report_says_what_was_not_compared(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Any:
        raise SourceError("mxnet cannot be imported")

    monkeypatch.setattr("gluon2caffe.bridge.export.load_mxnet", missing)
    report = verify(to_caffe(files, SHAPE), files, readers=[OpenCVReader()])
    assert report.passed
    assert report.intermediate == ()
    assert (
        "Compared with the intermediate in onnxruntime; it was not compared with MXNet on this machine: "
        "mxnet cannot be imported\n" in str(report)
    )
    assert report.rows[0].relative < 1e-6
