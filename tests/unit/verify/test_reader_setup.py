import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gluon2caffe.bridge.cli.commands import commands
from gluon2caffe.bridge.cli.options import READER_NAMES
from gluon2caffe.bridge.reader_setup import bvlc_wheel, pythons, set_up, ssd_wheel
from gluon2caffe.bridge.reader_setup.pythons import find_python
from gluon2caffe.bridge.reader_setup.recipe import PinnedRecipe, python_names
from gluon2caffe.bridge.reader_setup.runtimes import MNN_RECIPE
from gluon2caffe.bridge.reader_setup.steps import SetupError, Steps
from gluon2caffe.bridge.reader_setup.trial import IMAGE, trial_model, what_is_wrong
from gluon2caffe.bridge.verification.readers import KINDS, CaffeReader, OpenCVReader
from gluon2caffe.bridge.verification.readers.caffe_reader import caffe_readers, reader_of
from gluon2caffe.bridge.verification.readers.environment import (
    MARKER,
    ReadyEnvironment,
    read_marker,
    ready_environments,
)
from gluon2caffe.bridge.verification.readers.reader import WorkerReader
from tools.caffe_from_source import __main__ as from_source
from tools.caffe_from_source import build as source
from tools.caffe_from_source import debian

# Computes the trial's answer without any Caffe.
STAND_IN = """
import numpy
__version__ = "9.9"
TEST = 1
def set_mode_cpu(): pass
class Blob:
    def __init__(self, *shape): self.data = numpy.zeros(shape, numpy.float32)
class Net:
    outputs = ["product"]
    def __init__(self, *files): self.blobs = {"data": Blob(1, 1, 2, 2), "product": Blob(1, 1)}
    def forward(self): self.blobs["product"].data[...] = VALUE
"""


@pytest.fixture(autouse=True)
def no_caffe_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAFFE_PYTHON", raising=False)
    monkeypatch.delenv("CAFFE_ROOT", raising=False)


class StandIn:
    """A recipe that installs the stand-in, and counts how often."""

    name = "ssd-wheel"
    megabytes = 1

    def __init__(self, value: str = "949") -> None:
        self.value = value
        self.runs = 0
        self.version = "1"

    def expected(self) -> dict[str, str]:
        return {"stand-in": self.version}

    def install(self, steps: Steps) -> ReadyEnvironment:
        self.runs += 1
        (steps.folder / "python/caffe").mkdir(parents=True)
        (steps.folder / "python/caffe/__init__.py").write_text(STAND_IN.replace("VALUE", self.value))
        (steps.folder / "bin").mkdir()
        # A link to it would leave its virtual environment, and with it numpy.
        interpreter = steps.folder / "bin/python"
        interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        interpreter.chmod(0o755)
        return ReadyEnvironment(self.name, "Stand-in", "bin/python", ("python",), self.expected())

    def reader(self, folder: Path, ready: ReadyEnvironment) -> WorkerReader:
        return reader_of(folder, ready)

    def what_is_wrong(self, reader: WorkerReader) -> str:
        return what_is_wrong(reader)


def run(*words: str) -> Result:
    return CliRunner().invoke(commands, ["readers", *words])


def set_up_caffe(folder: Path) -> Result:
    return run("setup", "caffe", "--folder", str(folder))


def test_the_trial_net_gives_its_answer_on_a_reader_that_is_known_to_work(tmp_path: Path) -> None:
    files = trial_model().save(tmp_path / "trial")
    assert OpenCVReader().run(*files, {"data": IMAGE})["product"].tolist() == [[949]]


def test_the_trial_passes_on_real_caffes(caffe: CaffeReader) -> None:
    assert what_is_wrong(caffe) == ""


def test_a_marker_is_read_back(tmp_path: Path) -> None:
    ready = ReadyEnvironment("ssd-wheel", "Caffe-SSD", "venv/bin/python", ("lib/python", "more"), {"numpy": "1.24.3"})
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
            ReadyEnvironment(way, f"Caffe {way}", "python", (), {}).write(tmp_path / way)
    assert [ready.way for ready in ready_environments(tmp_path).values()] == ["a", "b"]
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
    recipe = StandIn()
    monkeypatch.setitem(set_up.RECIPES, "caffe", (recipe,))
    closing = f"Ready in {tmp_path}: Stand-in 9.9."

    first = set_up_caffe(tmp_path)
    assert (first.exit_code, first.output.splitlines()[-1], recipe.runs) == (0, closing, 1)
    second = set_up_caffe(tmp_path)
    assert (second.exit_code, second.output, recipe.runs) == (0, f"[ssd-wheel] is ready\n{closing}\n", 1)

    (tmp_path / "ssd-wheel" / MARKER).unlink()  # interrupted
    assert set_up_caffe(tmp_path).exit_code == 0
    assert recipe.runs == 2

    (tmp_path / "ssd-wheel/python/caffe/__init__.py").write_text("broken")
    again = set_up_caffe(tmp_path)
    assert again.output.startswith("[ssd-wheel] was ready, but NameError: name 'broken' is not defined: once more\n")
    assert (again.exit_code, recipe.runs) == (0, 3)

    recipe.version = "2"  # another version is wanted now
    assert set_up_caffe(tmp_path).exit_code == 0
    assert recipe.runs == 4


def test_what_was_set_up_is_listed_with_its_size_and_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(set_up.RECIPES, "caffe", (StandIn(),))
    monkeypatch.setenv("GLUON2CAFFE_READERS", str(tmp_path))
    monkeypatch.setenv("GLUON2CAFFE_CAFFE_FOLDER", str(tmp_path / "nowhere"))
    assert run("setup", "caffe").exit_code == 0
    (tmp_path / "ssd-wheel" / "weight").write_bytes(bytes(3_000_000))
    caffe = json.loads(run("--json").output)["readers"][1]
    assert caffe == {
        "name": "caffe",
        "reader": "Stand-in",
        "ready": True,
        "version": "9.9",
        "reason": "",
        "megabytes": 3,
    }
    lines = run().output.splitlines()
    assert [line.split() for line in lines if line.startswith("caffe")] == [
        ["caffe", "Stand-in", "9.9", "3", "MB", "ready"]
    ]
    assert lines[-1] == f"Folder: {tmp_path}"
    removed = run("remove", "caffe", "mnn").output
    assert removed.startswith("Removed caffe: 3.0 MB.\n")
    assert removed.endswith(f"mnn is not in {tmp_path}.\n")
    assert not (tmp_path / "ssd-wheel").exists()


def test_readers_that_are_not_set_up_say_how_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GLUON2CAFFE_READERS", str(tmp_path))
    monkeypatch.setenv("CAFFE2NCNN", "no-such-program")
    reasons = {line["name"]: line["reason"] for line in json.loads(run("--json").output)["readers"]}
    assert reasons["openvino"] == "not set up: run `gluon2caffe readers setup openvino`"
    assert reasons["ncnn"].startswith("caffe2ncnn not found: build it from ncnn's tools/caffe")


def test_each_reader_that_can_be_set_up_is_a_kind_of_reader() -> None:
    assert list(KINDS) == ["opencv", "caffe", "mnn", "ncnn", "openvino", "rockchip", "sophgo"]
    assert tuple(sorted(KINDS)) == READER_NAMES
    assert set(set_up.RECIPES) == {name for name, kind in KINDS.items() if kind.apart}
    refused = run("setup", "opencv")
    assert refused.exit_code == 2
    assert "opencv is not set up here; `pip install 'gluon2caffe[verify]'` brings it." in refused.output.replace(
        "\n", " "
    )


def test_pins_are_of_one_version_each_and_have_hashes() -> None:
    for recipes in set_up.RECIPES.values():
        for recipe in recipes:
            if isinstance(recipe, PinnedRecipe):
                lines = recipe.requirements.read_text().splitlines()
                packages = [line for line in lines if not line.startswith(("    --hash=sha256:", "#"))]
                assert len(packages) == len(recipe.expected()) > 1
                assert all(line.endswith(" \\") for line in packages)
    assert MNN_RECIPE.expected() == {"mnn": "3.6.1", "numpy": "1.26.4"}


def test_a_reader_that_computes_wrong_numbers_is_not_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(set_up.RECIPES, "caffe", (StandIn("948"),))
    result = set_up_caffe(tmp_path)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "[ssd-wheel] trying it",
        "[ssd-wheel] not possible: what was installed does not work: it computes [[948.0]] instead of [[949.0]]",
        "Not ready: caffe.",
    ]
    assert ready_environments(tmp_path) == {}


def test_recipes_that_do_not_work_give_their_reasons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in (ssd_wheel, bvlc_wheel):
        monkeypatch.setattr(module, "find_python", lambda versions: None)
    result = set_up_caffe(tmp_path)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "[ssd-wheel] not possible: there is no Python 3.10 (with venv) on this machine",
        "[bvlc-wheel] not possible: there is no Python 3.7, 3.8 or 3.9 (with venv) on this machine",
        "Not ready: caffe.",
    ]


def test_python_names() -> None:
    assert python_names([(3, 11)]) == "Python 3.11"
    assert python_names([(3, 10), (3, 8)]) == "Python 3.8 or 3.10"


def build(folder: Path) -> Result:
    return CliRunner().invoke(from_source.main, ["--folder", str(folder)])


def test_source_names_the_debian_packages_it_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(source, "missing_packages", lambda: ["cmake", "libglog-dev"])
    result = build(tmp_path)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "[source] not possible: these Debian packages are missing: cmake libglog-dev",
        f"No Caffe is ready in {tmp_path}.",
    ]


def test_source_wants_the_python_that_boost_is_made_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(source, "missing_packages", lambda: [])
    monkeypatch.setattr(source, "_boost_python", lambda version: iter([Path("x")] if version == (3, 12) else []))
    monkeypatch.setattr(source, "find_python", lambda versions, headers: None)
    assert (
        "[source] not possible: Boost.Python is made for Python 3.12,"
        " which is not here with its headers (Python.h) and venv" in build(tmp_path).output
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
    result = set_up_caffe(tmp_path)
    assert result.exit_code == 0
    assert result.output.startswith(f"Ready: Caffe (CAFFE_PYTHON) {caffe.version} at ")
