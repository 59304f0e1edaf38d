"""Several sources in one call: what becomes of each, alone, in threads, in processes and on a Dask cluster."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result

import gluon2caffe
from gluon2caffe.bridge.cli.options import SourceArgs
from gluon2caffe.bridge.cli.source_args import listed_sources
from gluon2caffe.bridge.verification import against_source
from gluon2caffe.bridge.verification.report import Report, Row

Run = Callable[..., Result]


@pytest.fixture
def nets(net: Path, refused: Path, folder: Path) -> list[Path]:
    """Three files that convert, in a folder of theirs, beside one that cannot be converted."""
    (folder / "in").mkdir()
    for name in ("a", "b", "c"):
        (folder / "in" / f"{name}.onnx").write_bytes(net.read_bytes())
    (folder / "in" / "d.onnx").write_bytes(refused.read_bytes())
    return sorted((folder / "in").iterdir())


@contextmanager
def _dask() -> Iterator[Executor]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(2, 1, dashboard_address=None) as cluster, distributed.Client(cluster) as client:
        yield client.get_executor()


EXECUTORS: dict[str, Callable[[], Executor]] = {
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(2, multiprocessing.get_context("spawn")),
    "Dask": _dask,  # type: ignore[dict-item]
}


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=list(EXECUTORS))
def test_in_an_executor(nets: list[Path], folder: Path, executor: Callable[[], Executor]) -> None:
    (folder / "alone").mkdir()
    (folder / "together").mkdir()
    alone = gluon2caffe.convert_many(nets, folder / "alone", softmax=True)
    with executor() as pool:
        together = gluon2caffe.convert_many(nets, folder / "together", executor=pool, softmax=True)
    assert [each.source for each in together] == ["a.onnx", "b.onnx", "c.onnx", "d.onnx"]
    assert [each.converted for each in together] == [True, True, True, False]
    for one, other in zip(alone[:3], together[:3], strict=True):
        assert other.files == tuple(folder / "together" / path.name for path in one.files)
        assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in other.files]
        assert "Softmax" in one.files[0].read_text() and one.parameters == other.parameters == 108
    assert together[3].kind == "UnsupportedModelError" and together[3].error == alone[3].error
    assert together[3].error.startswith("2 nodes cannot be computed exactly by Caffe with the SSD layers:")


def test_what_is_wrong_with_all_is_said_at_once(nets: list[Path], folder: Path) -> None:
    with pytest.raises(gluon2caffe.ConversionError, match=r"unknown option 'softmx'\. Did you mean 'softmax'"):
        gluon2caffe.convert_many(nets, softmx=True)
    with pytest.raises(gluon2caffe.OutputError, match=r"cannot write to absent: it is not an existing folder\."):
        gluon2caffe.convert_many(nets, "absent")
    with pytest.raises(gluon2caffe.ConversionError, match="several sources would be written to the same files: a, b"):
        gluon2caffe.convert_many([*nets, ("x/a-symbol.json", "a.params"), "b.onnx"])
    assert not list(folder.glob("*.prototxt"))


def test_a_worker_that_dies_is_an_error_of_its_source(nets: list[Path]) -> None:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_die) as pool:
        (result,) = gluon2caffe.convert_many(nets[:1], executor=pool)
    assert (result.source, result.converted, result.kind) == ("a.onnx", False, "BrokenProcessPool")


def _die() -> None:
    import os

    os._exit(3)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_command_on_files_and_a_folder(run: Run, nets: list[Path], net: Path, folder: Path, jobs: str) -> None:
    result = run("convert", "net.onnx", "in", "absent.onnx", "-o", "out", "-j", jobs)
    assert result.exit_code == 1
    rows = [line.split()[:3] for line in result.stdout.splitlines()]
    assert rows == [
        ["Source", "Result", "Parameters"],
        ["net.onnx", "out/net.prototxt", "108"],
        ["a.onnx", "out/a.prototxt", "108"],
        ["b.onnx", "out/b.prototxt", "108"],
        ["c.onnx", "out/c.prototxt", "108"],
        ["d.onnx", "failed", rows[5][2]],
        ["absent.onnx", "failed", "0.0"],
    ]
    lines = result.stderr.splitlines()
    assert lines[0] == "Error: 2 of 6 sources could not be converted:"
    assert lines[1] == "  - d.onnx: 2 nodes cannot be computed exactly by Caffe with the SSD layers:"
    assert lines[-1] == "  - absent.onnx: There is no file absent.onnx."
    written = sorted(path.name for path in (folder / "out").iterdir())
    assert written == sorted(f"{name}.{end}" for name in ("net", "a", "b", "c") for end in ("caffemodel", "prototxt"))


def test_the_command_in_json_and_quietly(run: Run, nets: list[Path], folder: Path) -> None:
    result = run("convert", "in/a.onnx", "in/d.onnx", "--json")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)["results"]
    assert (first["source"], first["files"]) == ("a.onnx", ["a.prototxt", "a.caffemodel"])
    assert second["error"]["kind"] == "UnsupportedModelError"
    assert second["error"]["message"].startswith("2 nodes cannot be computed exactly by ")
    assert run("convert", "in/a.onnx", "in/b.onnx", "-q").output == ""


@pytest.mark.parametrize("option", [["--samples", "3"], ["--save-onnx"]])
def test_what_goes_with_one_source(run: Run, nets: list[Path], option: list[str]) -> None:
    result = run("convert", "in", *option)
    assert result.exit_code == 2
    assert "--save-onnx, --samples and --sizes go with one source." in result.stderr


def test_which_words_belong_together(folder: Path, nets: list[Path]) -> None:
    words = [
        "a-symbol.json",
        "a.params",
        "b.onnx",
        "c-symbol.json",
        "weights.bin",
        "resnet18_v1",
        "r.params",
        "x",
        "in",
    ]
    assert [(each.source, each.params) for each in listed_sources(words, False, None)] == [
        ("a-symbol.json", Path("a.params")),
        ("b.onnx", None),
        ("c-symbol.json", Path("weights.bin")),
        ("resnet18_v1", Path("r.params")),
        ("x", None),
        *((f"in/{name}.onnx", None) for name in "abcd"),
    ]
    assert listed_sources(["net.params"], True, 3) == [SourceArgs("net.params", None, True, 3)]


def test_all_are_verified_where_that_is_asked_for(run: Run, nets: list[Path], folder: Path) -> None:
    result = run("convert", *map(str, nets), "-o", "out", "--verify", "--readers", "opencv")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["Source", "Result", "Parameters", "Notes", "Verified", "Time"]
    assert [line.split()[0] for line in lines[1:]] == ["a.onnx", "b.onnx", "c.onnx", "d.onnx"]
    assert all(line.split()[-3] == "ok" and float(line.split()[-4]) < 1e-5 for line in lines[1:4])
    assert "ok" not in lines[4].split()
    assert "1 of 4 sources could not be converted:" in result.stderr


def test_what_does_not_agree_is_listed_and_kept(
    run: Run, nets: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Row("OpenCV", "scores", "scores", (1, 4, 8, 8), 0.5, 0.25, False)
    monkeypatch.setattr(against_source, "verify", lambda *_, **__: Report(1e-4, (row,)))
    result = run("convert", str(nets[0]), str(nets[1]), "-o", "out", "--verify", "--readers", "opencv", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["failed"] == 0
    assert [each["verification"]["passed"] for each in told["results"]] == [False, False]
    assert (folder / "out" / "a.caffemodel").exists()
    result = run("convert", str(nets[0]), str(nets[1]), "-o", "out", "--verify", "--readers", "opencv")
    assert "2 of 2 could not be shown to agree; files are kept:" in result.stderr
    assert "  - a.onnx: OpenCV scores: 0.25" in result.stderr
    assert "0.25 DIFFERS" in result.stdout
