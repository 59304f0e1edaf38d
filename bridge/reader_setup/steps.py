"""One step of a set-up: a command that is announced, logged and timed, and that fails with its own last words."""

import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gluon2caffe.bridge.verification.readers.process import clean_environment


class SetupError(Exception):
    """A way to set up a reader that does not work here; the message says why."""


@dataclass(frozen=True)
class Steps:
    """The commands of one way, run one after the other in its folder.

    Attributes:
        way: name of the way; printed before each line.
        folder: its folder; everything it makes lies in there, with the output of all commands in ``setup.log``.
    """

    way: str
    folder: Path

    def say(self, text: str) -> None:
        """Print one line of progress."""
        print(f"[{self.way}] {text}", flush=True)

    def run(self, what: str, command: Sequence[str | Path], progress: str = "", **environment: str) -> None:
        """Run a command.

        Args:
            what: what it does, for the line that is printed.
            command: the program and its arguments.
            progress: print the lines of its output that start with this; empty prints none.
            environment: variables to set for it.

        Raises:
            SetupError: it cannot be started or fails.
        """
        self.say(what)
        start = time.monotonic()
        words = [str(word) for word in command]
        log_path = self.folder / "setup.log"
        words_of_error, last = "", ""
        with log_path.open("a", encoding="utf-8") as log:
            print(f"\n$ {shlex.join(words)}", file=log, flush=True)
            try:
                process = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=clean_environment() | environment,
                    text=True,
                    errors="replace",
                )
            except OSError as error:
                raise SetupError(f"{what}: {words[0]} cannot be started: {error.strerror}") from error
            with process:
                for line in process.stdout or ():
                    print(line, end="", file=log)
                    if progress and line.startswith(progress):
                        self.say(f"  {line.strip()}")
                    last = line.strip() or last
                    if not words_of_error and re.search(r"\berror:", line, re.IGNORECASE):
                        words_of_error = line.strip()
        if process.returncode:
            raise SetupError(f"{what} failed: {words_of_error or last} (all of it: {log_path})")
        seconds = time.monotonic() - start
        if seconds >= 5:
            self.say(f"  done in {seconds:.0f} s")

    def make_environment(self, python: Path, packages: Sequence[str]) -> Path:
        """Make a virtual environment in ``venv`` with these packages, if any, and return its interpreter.

        Raises:
            SetupError: that does not work with this Python.
        """
        venv = self.folder / "venv"
        self.run(f"making a virtual environment with {python}", [python, "-m", "venv", venv])
        interpreter = venv / "bin" / "python"
        if packages:
            names = ", ".join(packages)
            self.run(f"installing {names}", [interpreter, "-m", "pip", "install", "--quiet", *packages])
        return interpreter

    def download(self, interpreter: Path, package: str, *options: str) -> Path:
        """Fetch one file of a package from the package index and return its path.

        Raises:
            SetupError: it cannot be had.
        """
        folder = self.folder / "download"
        pip: list[str | Path] = [
            interpreter,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            *options,
            "--dest",
            folder,
            package,
        ]
        self.run(f"downloading {package}", pip)
        return next(iter(folder.iterdir()))
