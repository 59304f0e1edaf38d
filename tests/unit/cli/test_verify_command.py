"""`gluon2caffe verify` and `convert --verify`: what they hand to the verifier, and what they make of its report."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.options import ConversionOptions
from gluon2caffe.bridge.verification.report import Report, Row
from gluon2caffe.onnx2caffe.errors import ConversionError

Run = Callable[..., Result]

GOOD = Report(1e-4, (Row("OpenCV", "scores", "scores", (1, 4, 8, 8), 2e-6, 1e-6, True),))
BAD = Report(1e-4, (Row("OpenCV", "scores", "scores", (1, 4, 8, 8), 0.5, 0.25, False),))
NONE = Report(1e-4, (), skipped={"OpenCV": "it is not installed"})


@pytest.fixture
def verifier(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A stand-in for the verifier: put what it shall return, or raise, first; it adds what it was called with."""
    script: list[Any] = []

    def verify(model: Any, source: Any, **options: Any) -> Report:
        script.append((model, source, options))
        if isinstance(script[0], BaseException):
            raise script[0]
        report: Report = script[0]
        return report

    monkeypatch.setattr("gluon2caffe.verify", verify)
    return script


@pytest.fixture
def pair(run: Run, net: Path) -> str:
    """The prefix of a converted pair."""
    assert run("convert", "net.onnx", "-o", "pair", "-q").exit_code == 0
    return "pair"


@pytest.mark.parametrize(("report", "status"), [(GOOD, 0), (BAD, 1), (NONE, 1)])
def test_the_report_is_shown_and_gives_the_exit_status(
    run: Run, pair: str, verifier: list[Any], report: Report, status: int
) -> None:
    verifier.append(report)
    for words in (["verify", pair, "net.onnx"], ["convert", "net.onnx", "-o", "new", "--verify"]):
        result = run(*words)
        assert (result.exit_code, bool(result.stderr)) == (status, status != 0)
        assert result.stdout.endswith(f"\n\n{report}\n")
        assert run(*words, "--quiet").exit_code == status
        assert json.loads(run(*words, "--json").stdout)["verification"] == report.to_dict()


def test_a_failed_verification_is_said_though_the_command_is_quiet(run: Run, pair: str, verifier: list[Any]) -> None:
    verifier.append(BAD)
    result = run("verify", pair, "net.onnx", "--quiet")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (f"{BAD}\nError: pair.prototxt and pair.caffemodel failed verification against net.onnx.\n")


@pytest.mark.parametrize("prefix", ["pair", "pair.prototxt", "pair.caffemodel"])
def test_what_the_verifier_is_given(run: Run, pair: str, verifier: list[Any], folder: Path, prefix: str) -> None:
    verifier.append(GOOD)
    words = ["--bgr", "--mean", "1,2,3", "--std", "2", "--softmax", "--tolerance", "0.01", "--readers", "mnn, opencv"]
    assert run("verify", prefix, "net.onnx", *words).exit_code == 0
    model, source, options = verifier[1]
    assert (str(model), str(source)) == ("pair", "net.onnx")
    wanted = {
        "softmax": True,
        "to_bgr": True,
        "mean": (1, 2, 3),
        "std": (2,),
        "tolerance": 0.01,
        "readers": ("mnn", "opencv"),
    }
    assert {name: options[name] for name in wanted} == wanted


def test_a_conversion_verifies_its_own_model(run: Run, net: Path, verifier: list[Any]) -> None:
    verifier.append(GOOD)
    assert run("convert", "net.onnx", "-o", "new", "--verify", "--softmax").exit_code == 0
    model, source, options = verifier[1]
    assert isinstance(model, Conversion) and model.parameter_count == 108
    assert (str(source), options) == ("net.onnx", {"files": Path("new"), "readers": None, "at_sizes": None})
    assert model.options == ConversionOptions(softmax=True)


def test_the_files_stay_when_the_verification_fails(run: Run, net: Path, folder: Path, verifier: list[Any]) -> None:
    verifier.append(BAD)
    result = run("convert", "net.onnx", "-o", "new", "--verify")
    assert result.stderr == "Error: the verification failed; new.prototxt and new.caffemodel are kept.\n"
    assert sorted(path.name for path in folder.iterdir()) == ["net.onnx", "new.caffemodel", "new.prototxt"]


def test_an_error_while_verifying_tells_that_the_files_are_written(run: Run, net: Path, verifier: list[Any]) -> None:
    verifier.append(ConversionError("OpenCV is broken."))
    result = run("convert", "net.onnx", "-o", "new", "--verify")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: new.prototxt and new.caffemodel are written, but could not be verified: OpenCV is broken.\n"
    )


def test_an_interruption_while_verifying_tells_that_the_files_are_written(
    run: Run, net: Path, verifier: list[Any]
) -> None:
    verifier.append(KeyboardInterrupt())
    result = run("convert", "net.onnx", "-o", "new", "--verify")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.strip() == "Interrupted while verifying; new.prototxt and new.caffemodel are complete."


@pytest.mark.parametrize(
    ("words", "samples"),
    [
        (["--samples", "3"], 3),
        (["--samples", "data.npz"], [Path("data.npz")]),
        (["--samples", "a.png", "--samples", "photos"], [Path("a.png"), Path("photos")]),
    ],
)
def test_samples_reach_the_verifier(
    run: Run, pair: str, verifier: list[Any], words: list[str], samples: int | list[Path]
) -> None:
    verifier.append(GOOD)
    assert run("verify", pair, "net.onnx", *words).exit_code == 0
    assert run("convert", "net.onnx", "-o", "new", "--verify", *words).exit_code == 0
    assert [options["samples"] for _, _, options in verifier[1:]] == [samples, samples]


def test_wrong_use_of_samples(run: Run, pair: str, verifier: list[Any]) -> None:
    result = run("verify", pair, "net.onnx", "--samples", "0")
    assert (result.exit_code, "expected at least 1 sample." in result.stderr) == (2, True)
    result = run("convert", "net.onnx", "-o", "new", "--samples", "2")
    assert (result.exit_code, "--samples goes with --verify." in result.stderr) == (2, True)
    assert not Path("new.prototxt").exists()


def test_what_verifying_needs_is_looked_for_before_the_conversion(
    run: Run, net: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    result = run("convert", "net.onnx", "-o", "new", "--verify")
    assert result.exit_code == 1
    assert result.stderr.strip().endswith("Try: pip install 'gluon2caffe[verify]'")
    assert sorted(path.name for path in folder.iterdir()) == ["net.onnx"]


def test_each_reader_has_its_own_tolerance_and_all_are_run_unless_chosen(
    run: Run, pair: str, verifier: list[Any]
) -> None:
    verifier.append(GOOD)
    assert run("verify", pair, "net.onnx").exit_code == 0
    assert (verifier[1][2]["tolerance"], verifier[1][2]["readers"]) == (None, None)


def test_readers_that_do_not_exist_are_wrong_usage(run: Run, pair: str) -> None:
    result = run("verify", pair, "net.onnx", "--readers", "mnn,tengine")
    assert result.exit_code == 2
    assert "no reader is called tengine; choose from caffe, mnn, ncnn, opencv, openvino, rockchip, sophgo." in " ".join(
        result.stderr.split()
    )
    result = run("convert", "net.onnx", "-o", "new", "--readers", "opencv")
    assert (result.exit_code, "--readers goes with --verify." in result.stderr) == (2, True)


def test_a_conversion_is_verified_on_the_readers_that_are_named(run: Run, net: Path, verifier: list[Any]) -> None:
    verifier.append(GOOD)
    assert run("convert", "net.onnx", "-o", "new", "--verify", "--readers", "opencv").exit_code == 0
    assert verifier[1][2]["readers"] == ("opencv",)
