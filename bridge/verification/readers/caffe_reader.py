"""A real Caffe as a reader, and where to find one.

In this order:

1. ``CAFFE_PYTHON``, an interpreter in which ``import caffe`` works, and/or ``CAFFE_ROOT``, a Caffe built in its source
   tree (``CAFFE_ROOT/python`` is put on the path). ``PYTHONPATH`` and ``LD_LIBRARY_PATH`` are passed on as they are.
   When either is set nothing else is looked for.
2. Those in the folder that ``GLUON2CAFFE_CAFFE_FOLDER`` names, or in ``.caffe`` in the current folder, where a clone of
   the repository keeps its own.
3. Those that ``gluon2caffe readers setup caffe`` made for this user.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from gluon2caffe.bridge.verification.readers.environment import (
    ReadyEnvironment,
    caffe_folder,
    read_marker,
    readers_folder,
    ready_environments,
)
from gluon2caffe.bridge.verification.readers.process import DEFAULT_TIMEOUT, WORKER, clean_environment
from gluon2caffe.bridge.verification.readers.reader import SSD_LAYERS, Reader, WorkerReader

CAFFE_WAYS = ("bvlc-wheel", "source", "ssd-wheel")
"""The folders of Caffes among this user's reader environments."""

NO_CAFFE = (
    "no Caffe found: run `gluon2caffe readers setup caffe`, or name a Python that has one by the environment variable "
    "CAFFE_PYTHON"
)

# All of Caffe's log goes to standard error, which the parent keeps in an unnamed file and looks at only when Caffe has
# died: the informative lines then tell at which layer. No log files appear in /tmp.
_LOG = {"GLOG_minloglevel": "0", "GLOG_logtostderr": "1"}


class CaffeReader(WorkerReader):
    """pycaffe in an interpreter of its own.

    Args:
        python: the interpreter.
        environment: its whole environment; None means this process's own.
        name: what to call it in reports.
        timeout: seconds one request may take.
    """

    def __init__(
        self,
        python: str | Path,
        environment: Mapping[str, str] | None = None,
        name: str = "Caffe",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        environment = dict(os.environ if environment is None else environment, **_LOG)
        super().__init__(name, (str(python), str(WORKER), "caffe"), environment, timeout)
        self.python = str(python)

    @property
    def has_ssd_layers(self) -> bool:
        """Whether it has the layers of the SSD branch."""
        return self.layer_types() >= SSD_LAYERS

    def layer_by_layer(self) -> "CaffeReader":
        """Return the reader itself: Caffe computes each layer as it stands."""
        return self


def caffe_readers() -> list[CaffeReader]:
    """Return the Caffes this machine should have, none of them started yet; empty when there is no sign of one."""
    own = users_own()
    if own is not None:
        return [own]
    ready = ready_environments(caffe_folder())
    if not ready:
        users = {readers_folder() / way: read_marker(readers_folder() / way) for way in CAFFE_WAYS}
        ready = {folder: marker for folder, marker in users.items() if marker}
    return [reader_of(folder, marker) for folder, marker in ready.items()]


def reader_of(folder: Path, ready: ReadyEnvironment) -> CaffeReader:
    """Return the reader for a Caffe that was set up in a folder."""
    environment = clean_environment([folder / path for path in ready.python_path])
    return CaffeReader(folder / ready.python, environment, name=ready.title)


def users_own() -> CaffeReader | None:
    """Return the Caffe that ``CAFFE_PYTHON`` and ``CAFFE_ROOT`` name; None when neither is set."""
    python, root = os.environ.get("CAFFE_PYTHON"), os.environ.get("CAFFE_ROOT")
    if not python and not root:
        return None
    environment = dict(os.environ)
    if root:
        path = [str(Path(root) / "python"), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    # A bare name such as "python2.7" is looked for on PATH; what is not found is reported by its own name.
    interpreter = shutil.which(python) or python if python else sys.executable
    return CaffeReader(interpreter, environment, name="Caffe (CAFFE_PYTHON)" if python else "Caffe (CAFFE_ROOT)")


class CaffeKind:
    """Real Caffes; there may be several, and each checks the others."""

    name = "caffe"
    title = "Caffe"
    optional = False
    apart = True

    def find(self) -> list[Reader]:
        """Return those that this machine should have; see `caffe_readers`."""
        return list(caffe_readers())

    def absence(self) -> str:
        """Return why there is none, and what to do about it."""
        return NO_CAFFE


KIND = CaffeKind()
