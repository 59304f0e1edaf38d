"""`gluon2caffe doctor` says what works, and what is missing for what; -v prints steps and passes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from gluon2caffe.bridge.cli import doctor, readers

Run = Callable[..., Result]


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Name of a kind of reader -> whether it is ready; to look for the real ones takes seconds."""
    state = {"opencv": True, "caffe": False}
    monkeypatch.setattr(
        readers,
        "reader_lines",
        lambda name: [readers.Line(name, name.upper(), state.get(name, False), "4.1", "none", None)],
    )
    return state


def test_what_is_there_and_what_is_not(run: Run, ready: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mxnet", "netron", "PIL.Image"):
        monkeypatch.setitem(sys.modules, module, None)
    result = run("doctor")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert f"numpy {np.__version__}" in lines
    assert "yes convert .onnx files and MXNet's files" in lines
    assert "yes verify on OPENCV 4.1" in lines
    remedy = "Remedy: pip install 'gluon2caffe[gluon]' on Python 3.10-3.12."
    halted = "import of {} halted; None in sys.modules"
    assert f"no convert Gluon nets: mxnet cannot be imported ({halted.format('mxnet')}). {remedy}" in lines
    found = f"ModuleNotFoundError: {halted.format('netron')}. Try: pip install 'gluon2caffe[netron]'"
    assert f"no open Netron: {found}" in lines


def test_in_json_without_a_reader(run: Run, ready: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    ready["opencv"] = False
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package"))
    monkeypatch.setitem(sys.modules, "gluon2caffe.bridge.convert", None)
    result = run("doctor", "--json")
    described = json.loads(result.stdout)
    assert result.exit_code == 1  # not even an .onnx file can be converted
    assert described["versions"]["no-such-package"] == "not installed"
    assert described["abilities"][0]["works"] is False
    assert described["abilities"][-1] == {
        "name": "verify on a reader",
        "works": False,
        "missing": "No reader is ready. Try: pip install 'gluon2caffe[verify]'",
    }


def test_steps_and_passes_with_their_times(run: Run, net: Path) -> None:
    result = run("convert", "net.onnx", "-o", "x", "-v")
    assert result.exit_code == 0 and result.stdout.startswith("Source ")
    assert all(re.fullmatch(r" {3,}\d+\.\d{3,4} s  .+", line) for line in result.stderr.splitlines())
    said = [line.split(" s  ")[1] for line in result.stderr.splitlines()]
    steps = ["Opening the source", "Reading the source", "Normalising", "Lowering to Caffe layers", "Writing the files"]
    assert [each for each in said if each in steps] == steps
    normalising = said[said.index("Normalising") + 1 : said.index("Lowering to Caffe layers")]
    assert "remove_no_ops (no change)" in normalising and "name_nodes" in normalising
    assert run("convert", "net.onnx", "-o", "x").stderr == ""
