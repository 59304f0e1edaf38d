"""The environments that readers run in: where they lie, and the file that says that one is ready.

Each is a folder of its own with a virtual environment in it. Its marker (``ready.json``) is written last by the set-up,
and holds what was installed, with versions; a folder without it is a set-up that was interrupted.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READERS_VARIABLE = "GLUON2CAFFE_READERS"
CAFFE_VARIABLE = "GLUON2CAFFE_CAFFE_FOLDER"
CAFFE_FOLDER = Path(".caffe")
MARKER = "ready.json"


@dataclass(frozen=True)
class ReadyEnvironment:
    """An environment that was set up and tried.

    Attributes:
        way: how it was set up; the name of its folder.
        title: what to call the reader in reports.
        python: its interpreter, relative to its folder.
        python_path: the folders to put on its path, relative to its folder.
        installed: package -> version, of all that was pinned or built.
    """

    way: str
    title: str
    python: str
    python_path: tuple[str, ...]
    installed: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write the marker into the folder of this environment, in one piece."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        unfinished = folder / (MARKER + ".new")
        unfinished.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(folder / MARKER)


def readers_folder() -> Path:
    """Return the folder of this user's reader environments: ``GLUON2CAFFE_READERS``, else one in the cache folder."""
    named = os.environ.get(READERS_VARIABLE)
    if named:
        return Path(named).absolute()
    if sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        cache = Path.home() / "Library" / "Caches"
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "gluon2caffe" / "readers"


def caffe_folder() -> Path:
    """Return the folder that holds a clone's own Caffes: ``GLUON2CAFFE_CAFFE_FOLDER``, else ``.caffe`` here."""
    return Path(os.environ.get(CAFFE_VARIABLE) or CAFFE_FOLDER).absolute()


def read_marker(folder: Path) -> ReadyEnvironment | None:
    """Return what is ready in the folder of one environment; None when nothing is, or its interpreter has gone."""
    try:
        fields: dict[str, Any] = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        ready = ReadyEnvironment(**{**fields, "python_path": tuple(fields["python_path"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return ready if (folder / ready.python).exists() else None


def ready_environments(folder: Path) -> dict[Path, ReadyEnvironment]:
    """Return the folder of each environment that is ready -> what is in it, in the order of their names."""
    try:
        found = {way: read_marker(way) for way in sorted(folder.iterdir()) if way.is_dir()}
    except OSError:
        return {}
    return {way: ready for way, ready in found.items() if ready}
