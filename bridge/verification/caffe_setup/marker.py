"""The file that says a Caffe is ready: written last by the set-up, read by whoever looks for a reader.

It lies in the folder of its way (``.caffe/ssd-wheel/ready.json``) and holds what was installed, with versions. A folder
without it is a set-up that was interrupted.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER_VARIABLE = "GLUON2CAFFE_CAFFE_FOLDER"
DEFAULT_FOLDER = Path(".caffe")
MARKER = "ready.json"


@dataclass(frozen=True)
class ReadyCaffe:
    """A Caffe that was set up and tried.

    Attributes:
        way: how it was set up; the name of its folder.
        title: what to call it in reports.
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
        """Write the marker into the folder of this way, in one piece."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        unfinished = folder / (MARKER + ".new")
        unfinished.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
        unfinished.replace(folder / MARKER)


def caffe_folder() -> Path:
    """Return the folder that holds the Caffes of this project: ``GLUON2CAFFE_CAFFE_FOLDER``, else ``.caffe`` here."""
    return Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER).absolute()


def read_marker(folder: Path) -> ReadyCaffe | None:
    """Return what is ready in the folder of one way; None when nothing is, or its interpreter has gone."""
    try:
        fields: dict[str, Any] = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        ready = ReadyCaffe(**{**fields, "python_path": tuple(fields["python_path"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return ready if (folder / ready.python).exists() else None


def ready_caffes(folder: Path) -> dict[Path, ReadyCaffe]:
    """Return the folder of each way that is ready -> what is in it, in the order of their names."""
    try:
        found = {way: read_marker(way) for way in sorted(folder.iterdir()) if way.is_dir()}
    except OSError:
        return {}
    return {way: ready for way, ready in found.items() if ready}
