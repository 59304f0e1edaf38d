"""The standard streams of the command, made fit for whatever is printed."""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress

# What the texts use beyond ASCII, for terminals that have nothing else.
_PLAIN = {"×": "x", "·": "*", "…": "...", "–": "-", "—": "-", "²": "2", "→": "->", "≤": "<=", "“": '"', "”": '"'}


def prepare_streams() -> None:
    """Open streams that are closed, and let stdout and stderr print any text.

    A file that is opened while the number of a standard stream is free gets that number, and what a library prints.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    codecs.register_error("gluon2caffe-plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="gluon2caffe-plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def flush_output() -> None:
    """Print what waits in stdout; where that cannot be done, drop it, so that the interpreter does not try again.

    Raises:
        OSError: it cannot be done, as on a full disk.
    """
    try:
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115
        raise
