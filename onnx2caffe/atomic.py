"""Files that are complete or absent: written under a temporary name, renamed when all are done."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gluon2caffe.onnx2caffe.errors import OutputError
from gluon2caffe.onnx2caffe.temporary import fresh_name, remove_leftovers

_FULL = (errno.ENOSPC, errno.EDQUOT)


def check_targets(*paths: str | os.PathLike[str]) -> None:
    """Check that files of these names can be created or replaced, without touching anything.

    Raises:
        OutputError: a folder does not exist or cannot be written, or a path is a folder, a device or a file
            without write permission.

    """
    for path in map(_real, paths):
        folder = _mode(path.parent)
        if folder is None:
            raise OutputError(f"cannot write {path.name}: the folder {path.parent} does not exist")
        if not stat.S_ISDIR(folder):
            raise OutputError(f"cannot write {path.name}: {path.parent} is not a folder")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise OutputError(f"cannot write {path.name}: the folder {path.parent} is not writable")
        file = _mode(path)
        if file is None:
            continue
        if stat.S_ISDIR(file):
            raise OutputError(f"cannot write {path}: it is a folder")
        if not stat.S_ISREG(file):
            raise OutputError(f"cannot write {path}: it is not an ordinary file")
        if not os.access(path, os.W_OK):
            raise OutputError(f"cannot write {path}: the file is there already and is write-protected")


@contextmanager
def atomic_files(*paths: str | os.PathLike[str], size: int = 0) -> Iterator[tuple[BinaryIO, ...]]:
    """Open one file per path for writing; when the block ends well they appear under their names, all together.

    When it does not, by any exception, no file is left behind and files that were there are as they were. The block
    is for writing alone: an OSError in it is taken to be about these files. What a killed process left in the folders
    is removed first.

    Args:
        paths: the files to write, put into place in this order. A link is followed: its target is replaced.
        size: bytes that will be written in all, if known; with too little room nothing is begun.

    Raises:
        OutputError: a file cannot be written; for a full disk it says how much room is needed and how much there is.

    """
    check_targets(*paths)
    targets = [_real(path) for path in paths]
    for folder in {target.parent for target in targets}:
        remove_leftovers(folder)
    if size:
        _check_room(targets[0].parent, size)
    temporary = [fresh_name(target) for target in targets]
    try:
        with ExitStack() as stack:
            yield tuple(stack.enter_context(_create(*pair)) for pair in zip(temporary, targets, strict=True))
        _rename_all(temporary, targets)
    except OSError as error:
        _remove(temporary)  # first, for what they take to be counted as free
        raise _explained(error, targets[0].parent, size) from error
    finally:
        _remove(temporary)


def _real(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(os.path.realpath(Path(path).expanduser()))
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, an unknown ~user, a null character
        raise OutputError(f"{os.fspath(path)!r} cannot be the name of a file: {error}") from error


def _mode(path: Path) -> int | None:
    """Return the type and permission bits of a file, None when there is none."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def _create(temporary: Path, target: Path) -> BinaryIO:
    # A plain open gives the permissions of the umask, which mkstemp would not; a replaced file hands on its own.
    # There is no fsync: waiting for the disk doubles the time of writing, on a fast one, and protects from nothing
    # but a power failure within seconds of a conversion that can be run again.
    file = temporary.open("xb")
    with suppress(OSError):
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    return file


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _rename_all(temporary: list[Path], targets: list[Path]) -> None:
    """Put the finished files into place; when that stops half way, put the old ones back.

    One rename is atomic, several are not: a crash of the machine between them leaves the earlier files new and
    the later ones old. The order of the files is therefore the caller's choice.
    """
    kept: list[tuple[Path, Path | None]] = []
    try:
        for source, target in zip(temporary, targets, strict=True):
            # Not among the leftovers: where the process ends now, it may be the only copy of the user's file.
            old = fresh_name(target, ".old") if target.exists() else None
            kept.append((target, old))
            if old:
                _keep(target, old)
            source.replace(target)
    except BaseException:
        for target, old in kept:
            with suppress(OSError):
                old.replace(target) if old else target.unlink()
        raise
    finally:
        for target, old in kept:
            with suppress(OSError):
                if old and target.exists():  # or the old file would be lost, had it not gone back
                    old.unlink()


def _keep(target: Path, old: Path) -> None:
    """Give a file a second name; on a file system without hard links, that name instead of its own."""
    try:
        old.hardlink_to(target)
    except OSError:
        target.replace(old)


def _check_room(folder: Path, size: int) -> None:
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < size:  # some network file systems report 0 of everything
        raise OutputError(f"not enough room in {folder}: {size:,} bytes are needed, {disk.free:,} are free")


def _explained(error: OSError, folder: Path, size: int) -> OutputError:
    if error.errno not in _FULL:
        return OutputError(f"cannot write to {folder}: {error.strerror or error}")
    needed = f"{size:,} bytes are needed, " if size else ""
    with suppress(OSError):
        return OutputError(f"the disk of {folder} is full: {needed}{shutil.disk_usage(folder).free:,} are free")
    return OutputError(f"the disk of {folder} is full")
