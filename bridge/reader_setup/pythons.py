"""Finds an interpreter of a given version on this machine."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from gluon2caffe.bridge.verification.readers.process import clean_environment

Version = tuple[int, int]


def find_python(versions: Sequence[Version], headers: bool = False) -> Path | None:
    """Return an interpreter of the first of these versions that is here and can make virtual environments, or None.

    Looked at are the running interpreter, those on PATH, and those that pyenv and uv keep.

    Args:
        versions: versions to take, best first.
        headers: whether Python.h must be there too.
    """
    for version in versions:
        for python in _candidates(version):
            if _usable(python, version, headers):
                return python
    return None


def _candidates(version: Version) -> Iterator[Path]:
    name = f"python{version[0]}.{version[1]}"
    if sys.version_info[:2] == version:
        yield Path(sys.executable)
    for folder in os.get_exec_path():
        # Not only the first: pyenv puts a shim of every version it has on PATH, most of which refuse to run.
        found = shutil.which(name, path=folder)
        if found:
            yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version[0]}.{version[1]}.*/bin/{name}"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python")
    yield from sorted(uv.glob(f"cpython-{version[0]}.{version[1]}.*/bin/{name}"))


def _usable(python: Path, version: Version, headers: bool) -> bool:
    # Debian's Python comes without ensurepip unless python3-venv is installed.
    probe = (
        "import ensurepip, os, sys, sysconfig, venv;"
        "print(sys.version_info[:2], os.path.exists(os.path.join(sysconfig.get_paths()['include'], 'Python.h')))"
    )
    try:
        answer = subprocess.run(
            [str(python), "-c", probe], env=clean_environment(), capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    good = {f"{version} True"} if headers else {f"{version} True", f"{version} False"}
    return answer.returncode == 0 and answer.stdout.strip() in good
