"""How a reader is set up: the form of a recipe, and the recipe for readers that come as pinned packages."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gluon2caffe.bridge.reader_setup.pythons import Version, find_python
from gluon2caffe.bridge.reader_setup.steps import SetupError, Steps
from gluon2caffe.bridge.reader_setup.trial import what_is_wrong
from gluon2caffe.bridge.verification.readers.environment import ReadyEnvironment
from gluon2caffe.bridge.verification.readers.isolated import IsolatedKind, IsolatedReader
from gluon2caffe.bridge.verification.readers.reader import WorkerReader

PINS = Path(__file__).with_name("pins")
STAND_INS = Path(__file__).with_name("stand_ins")
_PIN = re.compile(r"^([\w.-]+)==([^\s\\;]+)", re.MULTILINE)


class Recipe(Protocol):
    """How to set up one environment."""

    @property
    def name(self) -> str:
        """Name of its folder."""

    @property
    def megabytes(self) -> int:
        """About how large the environment is, on disk."""

    def expected(self) -> dict[str, str]:
        """Return the packages and versions that a finished set-up has."""

    def install(self, steps: Steps) -> ReadyEnvironment:
        """Set it up in the folder of `steps`; raise SetupError where that does not work."""

    def reader(self, folder: Path, ready: ReadyEnvironment) -> WorkerReader:
        """Return the reader in a folder that was set up."""

    def what_is_wrong(self, reader: WorkerReader) -> str:
        """Try the reader and return what is wrong with it; empty when nothing is."""


@dataclass(frozen=True)
class PinnedRecipe:
    """A reader that is a set of packages, pinned by version and hash in ``pins/NAME.txt``.

    Attributes:
        kind: the reader.
        versions: the versions of Python that all of the packages are made for, best first.
        megabytes: see `Recipe`.
        finish: what is left to do in the folder with the packages.
    """

    kind: IsolatedKind
    versions: Sequence[Version]
    megabytes: int
    finish: Callable[[Path], None] = field(default=lambda packages: None)

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.kind.name

    @property
    def requirements(self) -> Path:
        """The file with the pins, in pip's form."""
        return PINS / f"{self.name}.txt"

    def expected(self) -> dict[str, str]:
        """Return the packages and versions that a finished set-up has."""
        return dict(_PIN.findall(self.requirements.read_text(encoding="utf-8")))

    def install(self, steps: Steps) -> ReadyEnvironment:
        """Set it up.

        Raises:
            SetupError: there is no Python of these versions, or a step fails.
        """
        python = find_python(self.versions)
        if python is None:
            raise SetupError(f"there is no {python_names(self.versions)} (with venv) on this machine")
        interpreter = steps.make_environment(python, [])
        options = ("install", "--quiet", "--no-deps", "--require-hashes", "-r", self.requirements)
        pip: list[str | Path] = [interpreter, "-m", "pip", *options]
        steps.run(f"installing {len(self.expected())} packages, about {self.megabytes} MB on disk", pip)
        self.finish(next(steps.folder.glob("venv/lib/python*/site-packages")))
        return ReadyEnvironment(self.name, self.kind.title, "venv/bin/python", (), self.expected())

    def reader(self, folder: Path, ready: ReadyEnvironment) -> WorkerReader:
        """Return the reader in a folder that was set up."""
        return IsolatedReader(self.kind, folder, ready)

    def what_is_wrong(self, reader: WorkerReader) -> str:
        """Run the trial net on the reader."""
        return what_is_wrong(reader)


def python_names(versions: Sequence[Version]) -> str:
    """Return the versions as text: Python 3.8, 3.9 or 3.10."""
    names = [f"{major}.{minor}" for major, minor in sorted(versions)]
    return f"Python {' or '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)}"


def stand_in(name: str, packages: Path, module: str) -> None:
    """Put one of our stand-ins into the folder of packages as a module."""
    (packages / module).mkdir()
    (packages / module / "__init__.py").write_text((STAND_INS / f"{name}.py").read_text(encoding="utf-8"))


def pins(versions: Mapping[str, str]) -> list[str]:
    """Return packages and versions in pip's form."""
    return [f"{name}=={version}" for name, version in versions.items()]
