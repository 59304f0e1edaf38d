"""Programs that run Caffe files, each in a child process.

A reader is added by two files: ``NAME_reader.py`` here with its `KIND`, and ``programs/NAME_program.py``. They are
found by being there. What sets readers up is in `gluon2caffe.bridge.reader_setup`, which nothing here imports.
"""

import pkgutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from gluon2caffe.bridge.verification.readers.caffe_reader import NO_CAFFE, CaffeReader, caffe_readers
from gluon2caffe.bridge.verification.readers.opencv_reader import OpenCVReader
from gluon2caffe.bridge.verification.readers.reader import SSD_LAYERS, Reader, Session
from gluon2caffe.bridge.verification.run_errors import ReaderError

__all__ = [
    "KINDS",
    "NO_CAFFE",
    "SSD_LAYERS",
    "CaffeReader",
    "InstalledReaders",
    "OpenCVReader",
    "Reader",
    "ReaderError",
    "ReaderKind",
    "Session",
    "caffe_readers",
    "installed_readers",
    "readers_for",
]


class ReaderKind(Protocol):
    """A program that reads Caffe files, whether it is on this machine or not."""

    @property
    def name(self) -> str:
        """What `--readers` and `gluon2caffe readers` call it."""

    @property
    def title(self) -> str:
        """What to call it in texts."""

    @property
    def optional(self) -> bool:
        """Whether nobody expects it to be here: it is not missed unless it is asked for."""

    @property
    def apart(self) -> bool:
        """Whether it runs in an environment of its own, not in this interpreter's."""

    def find(self) -> Sequence[Reader]:
        """Return those of this machine, none of them started yet."""

    def absence(self) -> str:
        """Return why `find` gives none, and what to do about it."""


def _found_kinds() -> dict[str, ReaderKind]:
    modules = [import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__)]
    kinds: Iterable[ReaderKind] = (module.KIND for module in modules if hasattr(module, "KIND"))
    return {kind.name: kind for kind in sorted(kinds, key=lambda kind: (kind.apart, kind.optional, kind.name))}


KINDS: dict[str, ReaderKind] = _found_kinds()
"""Every kind of reader by its name, in the order in which they run: what is at hand first."""


@dataclass(frozen=True)
class InstalledReaders:
    """The readers that can be used here; iterating gives those.

    Attributes:
        readers: those that start.
        missing: name -> why it cannot be used, for saying aloud what was skipped.
    """

    readers: tuple[Reader, ...]
    missing: dict[str, str]

    def __iter__(self) -> Iterator[Reader]:
        return iter(self.readers)


def installed_readers(names: Collection[str] | None = None) -> InstalledReaders:
    """Start every reader once and say which ones work (about two seconds, and one more for each optional reader).

    Args:
        names: the kinds to look for, of `KINDS`; None looks for all, and does not miss those that are optional.

    Raises:
        ReaderError: a name is none of a reader.
    """
    unknown = [name for name in names or () if name not in KINDS]
    if unknown:
        raise ReaderError(f"there is no reader {', '.join(unknown)}. Choose from {', '.join(KINDS)}.")
    readers: list[Reader] = []
    missing: dict[str, str] = {}
    for name in KINDS if names is None else names:
        kind = KINDS[name]
        found = kind.find()
        if not found and (names is not None or not kind.optional):
            missing[kind.title] = kind.absence()
        for reader in found:
            if reader.available:
                readers.append(reader)
            else:
                missing[reader.name] = reader.reason
    return InstalledReaders(tuple(readers), missing)


def readers_for(target: str) -> InstalledReaders:
    """Start the readers that files for a target are made for.

    That is the reader of the target's name where it is ready, else OpenCV and the Caffes. Others that are set up are
    among `missing`, with what to do to run them.
    """
    found = installed_readers([target]) if target in KINDS else InstalledReaders((), {})
    if not found.readers:
        usual = installed_readers([name for name, kind in KINDS.items() if not kind.optional])
        found = InstalledReaders(usual.readers, {**found.missing, **usual.missing})
    ran = {reader.name for reader in found}
    left = {
        reader.name: f"files for the target {target!r} are not made for it. Try: --readers {name}"
        for name, kind in KINDS.items()
        for reader in kind.find()
        if reader.name not in ran and reader.name not in found.missing
    }
    return InstalledReaders(found.readers, {**found.missing, **left})
