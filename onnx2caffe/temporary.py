"""Names of files that are not complete yet, and the removal of those that a killed process left."""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
from contextlib import suppress
from pathlib import Path

_HOST = re.sub(r"[^A-Za-z0-9]", "", socket.gethostname())[:24] or "host"
_NAME = re.compile(r"\.gluon2caffe-(?P<host>[A-Za-z0-9]+)-(?P<process>\d+)-[0-9a-f]{16}\.tmp")


def fresh_name(target: Path, ending: str = ".tmp") -> Path:
    """A new name in the folder of `target`, hence on the same disk, of a length that any file system takes."""
    return target.with_name(f".gluon2caffe-{_HOST}-{os.getpid()}-{secrets.token_hex(8)}{ending}")


def remove_leftovers(folder: Path) -> None:
    """Remove the incomplete files of processes of this machine that have ended.

    A process that was killed could not remove its own. Files of other machines, which share a network disk, stay.
    """
    with suppress(OSError):
        for path in folder.glob(".gluon2caffe-*.tmp"):
            found = _NAME.fullmatch(path.name)
            if found and found["host"] == _HOST and _has_ended(int(found["process"])):
                with suppress(OSError):
                    path.unlink()


def _has_ended(process: int) -> bool:
    if process == os.getpid():
        return False
    if sys.platform == "win32":
        return True  # a file that is open elsewhere cannot be removed there
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it runs for another user
        pass
    return False
