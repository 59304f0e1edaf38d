"""Whatever goes wrong ends in one readable message and the right exit status, and leaves nothing behind."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import onnx.tools.update_model_dims
import pytest
from click.testing import Result
from onnx import numpy_helper

from gluon2caffe.bridge.cli import failures
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.targets import PROFILES

Run = Callable[..., Result]


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _fails(result: Result, message: str) -> None:
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {message}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convert", "absent.onnx"], "There is no file absent.onnx."),
        (["convert", "absent-symbol.json"], "There is no file absent-symbol.json."),
        (["convert", "folder/absent"], "There is no file folder/absent."),
        (["convert", "resnet18_v1", "absent.params"], "There is no file absent.params."),
        (["verify", "absent", "net.onnx"], "There is no file absent.prototxt."),
        (
            ["convert", "net.params"],
            "net.params holds parameters only. Name the symbol file first: net-symbol.json net.params.",
        ),
        (
            ["convert", "lone-symbol.json"],
            "lone-symbol.json needs its parameter file: give it as PARAMS, after the symbol file.",
        ),
        (
            ["convert", "twice-symbol.json"],
            "There are several parameter files beside twice-symbol.json: give one of them as PARAMS: "
            "twice-0000.params, twice-0010.params.",
        ),
        (
            ["convert", "net.prototxt"],
            "net.prototxt is Caffe's already. Try: gluon2caffe inspect net.prototxt, or gluon2caffe verify net SOURCE "
            "with what it was converted from.",
        ),
        (["convert", "net.onnx", "-o", "."], "the output prefix '.' has no file name: add one, as in net"),
    ],
)
def test_files_that_are_not_there(run: Run, net: Path, folder: Path, words: list[str], message: str) -> None:
    for name in (
        "net.prototxt",
        "net.params",
        "lone-symbol.json",
        "twice-symbol.json",
        "twice-0000.params",
        "twice-0010.params",
    ):
        (folder / name).touch()
    before = _files(folder)
    _fails(run(*words), message)
    assert _files(folder) == before


@pytest.mark.parametrize("command", ["convert", "onnx"])
def test_the_output_folder_is_checked_before_anything_is_read(run: Run, folder: Path, command: str) -> None:
    (folder / "broken.onnx").write_bytes(b"not ONNX")
    result = run(command, "broken.onnx", "-o", "absent/x")
    name = "x.prototxt" if command == "convert" else "x"
    _fails(result, f"cannot write {name}: the folder {folder / 'absent'} does not exist")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_an_unwritable_folder(run: Run, net: Path, folder: Path) -> None:
    (folder / "locked").mkdir(mode=0o555)
    _fails(
        run("convert", "net.onnx", "-o", "locked/x"),
        f"cannot write x.prototxt: the folder {folder / 'locked'} is not writable",
    )


@pytest.mark.parametrize("content", [b"", b"not ONNX at all", None], ids=["empty", "other", "half"])
def test_a_corrupt_onnx_file(run: Run, net: Path, folder: Path, content: bytes | None) -> None:
    whole = net.read_bytes()
    (folder / "bad.onnx").write_bytes(whole[: len(whole) // 2] if content is None else content)
    result = run("convert", "bad.onnx", "-o", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ") and "bad.onnx" in result.stderr and result.stderr.count("\n") == 1
    assert _files(folder) == ["bad.onnx", "net.onnx"]


def test_a_size_that_the_file_fixes(run: Run, net: Path) -> None:
    result = run("convert", "net.onnx", "-o", "x", "--input-shape", "1,3,16,8", "--json")
    told = json.loads(result.stdout)
    assert told["outputs"] == {"scores": [1, 4, 16, 8]}
    assert told["notes"] == [
        "the file fixes input data at 1×3×8×8, and was converted at 1×3×16×8: what its exporter computed from the "
        "size, such as the window of a pooling over all of a map, is still made for 1×3×8×8"
    ]


def test_a_shape_that_does_not_fit(run: Run, net: Path) -> None:
    _fails(
        run("convert", "net.onnx", "-o", "x", "--input-shape", "1,4,8,8"),
        "Node 'conv' (Conv): its weights are for 3 channels, but axis 1 of its input [1, 4, 8, 8] has 4.",
    )


@pytest.mark.parametrize(
    ("words", "asked", "option"),
    [
        (["--heads", "raw"], "heads='raw'", "--heads raw"),
        (["--priors", "constant"], "priors='constant'", "--priors constant"),
        (
            ["--heads", "raw", "--priors", "constant"],
            "heads='raw' and priors='constant'",
            "--heads raw, --priors constant",
        ),
    ],
)
@pytest.mark.parametrize("command", [["convert"], ["onnx", "-o", "x.onnx"], ["inspect"]])
def test_a_source_without_detection_heads(
    run: Run, net: Path, command: list[str], words: list[str], asked: str, option: str
) -> None:
    _fails(
        run(*command, "net.onnx", *words),
        f"{asked} {'need' if ' and ' in asked else 'needs'} a detector; no detection heads were found in net.onnx. "
        f"(On the command line: {option}.)",
    )


def test_non_finite_weights_are_taken_only_when_asked_for(run: Run, net: Path, folder: Path) -> None:
    model = onnx.load(net)
    weight = numpy_helper.to_array(model.graph.initializer[0]).copy()
    weight[0, 0, 0, 0] = np.nan
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(weight, "weight"))
    onnx.save(model, net)
    result = run("convert", "net.onnx", "-o", "x")
    assert result.exit_code == 1 and "'weight' contain NaN or infinity" in result.stderr
    assert result.stderr.endswith("(On the command line: --allow-non-finite.)\n")
    assert _files(folder) == ["net.onnx"]
    assert run("convert", "net.onnx", "-o", "x", "--allow-non-finite").exit_code == 0


def test_all_unsupported_nodes_are_listed(run: Run, refused: Path, folder: Path) -> None:
    result = run("convert", "refused.onnx", "-o", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: 2 nodes cannot be computed exactly by Caffe with the SSD layers:\n  - Sin ")
    assert "\n  - Acos " in result.stderr
    assert _files(folder) == ["refused.onnx"]


def test_unsupported_nodes_in_json(run: Run, refused: Path) -> None:
    result = run("convert", "refused.onnx", "-o", "x", "--json")
    assert (result.exit_code, result.stderr) == (1, "")
    error = json.loads(result.stdout)["error"]
    assert error["kind"] == "UnsupportedModelError"
    assert [refusal["operator"] for refusal in error["refusals"]] == ["Sin", "Acos"]
    assert error["refusals"][0].keys() == {"node", "operator", "shapes", "reason", "remedy"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convert"], "Missing argument 'SOURCE...'."),
        (
            ["convert", "net.onnx", "--target", "tf"],
            f"'tf' is not one of {', '.join(map(repr, PROFILES))}.",
        ),
        (["convert", "net.onnx", "--relu6", "no"], "'no' is not one of 'exact', 'layer', 'relu'."),
        (["convert", "net.onnx", "--input-shape", "1,3,x"], "'1,3,x' is not a shape such as 1,3,224,224"),
        (["convert", "net.onnx", "--input-shape", "1,0,8,8"], "'1,0,8,8' is not a shape such as"),
        (["convert", "net.onnx", "--input-shape", ":1,3"], "':1,3' is not a shape such as"),
        (["convert", "net.onnx", "--input-shape", "1,3", "--input-shape", "a:1"], "as NAME:N,C,H,W."),
        (["convert", "net.onnx", "--input-shape", "a:1", "--input-shape", "a:2"], "it is given twice for 'a'."),
        (["convert", "net.onnx", "--mean", "1,nan"], "'1,nan' is not a number for each channel"),
        (["convert", "net.onnx", "--std", "1,0"], "'--std': the net cannot divide by 0."),
        (["verify", "net", "net.onnx", "--tolerance", "nan"], "'--tolerance': nan is not a number of 0 or more."),
        (["convert", "net.onnx", "--outputs", "a,,b"], "'--outputs': it holds an empty name."),
        (
            ["convert", "net.onnx", "--random"],
            "--random goes with the name of a zoo net, not with a file such as net.onnx.",
        ),
        (["convert", "net.onnx", "net.params"], "PARAMS goes with a symbol .json file or a zoo net; net.onnx has its"),
        (["convert", "resnet18_v1", "--classes", "5"], "--classes needs --random or PARAMS"),
        (["convert", "resnet18_v1", "x.params", "--random"], "--random and PARAMS exclude each other."),
    ],
)
def test_wrong_usage(run: Run, net: Path, words: list[str], message: str) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr and result.stderr.startswith("Usage: gluon2caffe ")
    as_json = run(*words, "--json")
    assert as_json.exit_code == 2
    assert message in json.loads(as_json.stdout)["error"]["message"]


def test_an_option_that_does_not_exist_in_json(run: Run) -> None:
    result = run("convert", "net.onnx", "--json", "--turbo")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["kind"] == "NoSuchOption"


@pytest.mark.parametrize("debug", [False, True])
def test_a_bug_asks_to_be_reported(run: Run, net: Path, monkeypatch: pytest.MonkeyPatch, debug: bool) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("some_name")

    monkeypatch.setattr("gluon2caffe.bridge.convert.normalizing_passes", broken)
    result = run("convert", "net.onnx", "-o", "x", *(["--debug"] if debug else []))
    message = (
        "Error: Internal error (KeyError: 'some_name'). This is a bug in gluon2caffe: please report it with what the "
        "same command prints with --debug.\n"
    )
    assert (result.exit_code, result.stdout) == (1, "")
    if debug:
        assert result.stderr.startswith("Traceback (most recent call last):\n") and result.stderr.endswith(message)
    else:
        assert result.stderr == message


def test_no_traceback_for_a_user_s_mistake_even_with_another_exception_behind_it(run: Run, folder: Path) -> None:
    (folder / "bad.onnx").write_bytes(b"\xff" * 40)
    assert "Traceback" not in run("convert", "bad.onnx", "-o", "x").stderr
    assert run("convert", "bad.onnx", "-o", "x", "--debug").stderr.startswith("Traceback")


def test_what_the_system_refuses_is_not_called_a_bug(run: Run, net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "weights.bin")

    monkeypatch.setattr("gluon2caffe.bridge.convert.normalizing_passes", refused)
    message = "weights.bin: Permission denied. (--debug shows where this came up.)"
    _fails(run("convert", "net.onnx", "-o", "x"), message)


def test_too_little_memory(run: Run, net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("gluon2caffe.bridge.convert.normalizing_passes", hungry)
    _fails(run("convert", "net.onnx", "-o", "x"), "There is not enough memory for this net.")


def test_what_libraries_print_stays_out_of_the_result(run: Run, net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gluon2caffe.bridge.passes import normalizing_passes

    def chatty(*given: Any) -> Any:
        print("noise")
        return normalizing_passes(*given)

    monkeypatch.setattr("gluon2caffe.bridge.convert.normalizing_passes", chatty)
    result = run("convert", "net.onnx", "-o", "x", "--json")
    assert json.loads(result.stdout)["source"] == "net.onnx"
    assert result.stderr == "noise\n"
    assert run("convert", "net.onnx", "-o", "x", "-q").output == ""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SourceError("x"), 1),
        (ValueError("x"), 1),
        (click.UsageError("x"), 2),
        (KeyboardInterrupt(), 130),
        (failures.Stopped(15), 143),
        (failures.InterruptedAfterWriting("x", 130), 130),
    ],
)
def test_exit_status(error: BaseException, status: int) -> None:
    assert failures.status_of(error) == status


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "layer { x " * 1000 + "}" * 1000,
            "deep.prototxt is not a .prototxt this program can read: 1:11 : 'layer { x layer",
        ),
        (
            "layer { " + "layer { " * 100000,
            "deep.prototxt is not a .prototxt this program can read: it is nested too deep",
        ),
    ],
)
def test_a_prototxt_that_is_nested_deep(run: Run, folder: Path, text: str, message: str) -> None:
    (folder / "deep.prototxt").write_text(text)
    result = run("inspect", "deep.prototxt")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {message}") and len(result.stderr) < 400


def test_json_that_is_nested_deep(run: Run, folder: Path) -> None:
    (folder / "deep-symbol.json").write_text('{"nodes": ' + "[" * 100000 + "]" * 100000 + "}")
    (folder / "deep-0000.params").touch()
    result = run("convert", "deep-symbol.json", "-o", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: deep-symbol.json is not a complete MXNet symbol file (")
