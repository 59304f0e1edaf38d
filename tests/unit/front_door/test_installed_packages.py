"""What a wheel holds: the rooms inside `gluon2caffe`, whole, and nothing else at the top."""

import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VERSION = metadata.version("gluon2caffe")
ROOMS = ("bridge", "onnx2caffe", "ssd_heads")


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files of the wheel that pip builds from a copy of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        "out",
        "./source",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (wheel,) = (folder / "out").glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_every_module_is_installed_inside_the_package(names: set[str]) -> None:
    for room in ROOMS:
        modules = {f"gluon2caffe/{path.relative_to(ROOT)}" for path in (ROOT / room).rglob("*.py")}
        assert modules <= names
    assert {f"gluon2caffe/{name}" for name in ("__init__.py", "__init__.pyi", "__main__.py", "py.typed")} <= names
    assert "gluon2caffe/onnx2caffe/caffe.proto" in names


def test_nothing_else_stands_at_the_top(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names} == {"gluon2caffe", f"gluon2caffe-{VERSION}.dist-info"}
