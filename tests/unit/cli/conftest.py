"""A folder of its own for each test, small ONNX files in it, and a way to run a command line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import numpy_helper, parser

from gluon2caffe.bridge.cli.commands import commands

Run = Callable[..., Result]

NET = """
<ir_version: 8, opset_import: ["": 13]>
small (float[1,3,8,8] data) => (float[1,4,8,8] scores)
{
  conv = Conv<kernel_shape=[3,3], pads=[1,1,1,1]>(data, weight)
  scores = Relu(conv)
}"""

# Two nodes that no Caffe layers compute.
REFUSED = """
<ir_version: 8, opset_import: ["": 13]>
refused (float[1,4] data) => (float[1,4] result)
{
  first = Sin(data)
  result = Acos(first)
}"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: an empty one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def net(folder: Path) -> Path:
    """A convolution of 108 weights and a ReLU, as net.onnx."""
    weight = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
    model = parser.parse_model(NET)
    model.graph.initializer.append(numpy_helper.from_array(weight, "weight"))
    path = folder / "net.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture
def refused(folder: Path) -> Path:
    """A net that cannot be converted, as refused.onnx."""
    path = folder / "refused.onnx"
    onnx.save(parser.parse_model(REFUSED), path)
    return path


@pytest.fixture
def run() -> Run:
    """Run the command with these words."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(commands, list(words), prog_name="gluon2caffe")

    return run
