"""What the user is told when a command does not end well, and with which exit status."""

from __future__ import annotations

import json
import re
import traceback
from dataclasses import fields
from typing import Any

import click

from gluon2caffe.bridge.cli.streams import flush_output
from gluon2caffe.onnx2caffe.errors import ConversionError, UnsupportedModelError

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
NOTHING_WRITTEN = "Interrupted; nothing was written."

# A keyword argument in a message of the library, with its value if that is one word.
_KEYWORD = re.compile(r"""\b(\w+)=(?:['"](\w+)['"])?""")


class Stopped(KeyboardInterrupt):
    """The process was asked to end by a signal other than Ctrl-C's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class InterruptedAfterWriting(KeyboardInterrupt):
    """Ctrl-C or the like at a time when the files were complete already; `message` says so."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message, self.status = message, status


def tell(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Say what went wrong, on stderr or as a JSON object on stdout; return the exit status.

    Args:
        error: what ended the command.
        as_json: print {"error": {...}} instead of text.
        debug: show the traceback on stderr first.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if debug and not isinstance(error, click.ClickException):
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    message, status = _message(error), status_of(error)
    if as_json and _printed(json.dumps({"error": _as_dict(error, message)}, indent=2)):
        return status
    if isinstance(error, click.ClickException):
        error.show()
    elif status > 128:
        click.echo(message, err=True)
    else:
        print_error(message)
    return status


def _printed(text: str) -> bool:
    """Whether stdout took the text: a full disk, and a program that stopped reading, do not."""
    try:
        click.echo(text)
        flush_output()
    except OSError:
        return False
    return True


def print_error(message: str) -> None:
    """Print one message on stderr."""
    click.echo(click.style("Error:", fg="red", bold=True) + f" {message}", err=True)


def status_of(error: BaseException) -> int:
    """The exit status for an exception: 2 wrong usage, 128 + signal for an interruption, else 1."""
    if isinstance(error, click.ClickException):
        return error.exit_code
    interruption = _interruption(error)
    if interruption is None:
        return FAILED
    if isinstance(interruption, InterruptedAfterWriting):
        return interruption.status
    return 128 + interruption.number if isinstance(interruption, Stopped) else INTERRUPTED


def _interruption(error: BaseException) -> BaseException | None:
    # click turns a KeyboardInterrupt into an Abort that is raised from it.
    if isinstance(error, click.Abort):
        return error.__cause__ or error
    return error if isinstance(error, KeyboardInterrupt) else None


def _message(error: BaseException) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    interruption = _interruption(error)
    if interruption is not None:
        return interruption.message if isinstance(interruption, InterruptedAfterWriting) else NOTHING_WRITTEN
    if isinstance(error, ConversionError):
        return with_options(str(error))
    if isinstance(error, MemoryError):
        return "There is not enough memory for this net."
    if isinstance(error, OSError):  # what the system refuses is seldom the program's fault
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}. (--debug shows where this came up.)"
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    return (
        f"Internal error ({what}). This is a bug in gluon2caffe: please report it with what the same command prints "
        "with --debug."
    )


def with_options(message: str) -> str:
    """The message, and how the options that it names as Python keywords are written on the command line."""
    named = [_as_option(*found.groups()) for found in _KEYWORD.finditer(message)]
    listed = ", ".join(dict.fromkeys(filter(None, named)))
    return f"{message} (On the command line: {listed}.)" if listed else message


def _as_option(keyword: str, value: str | None) -> str:
    from gluon2caffe.bridge.options import ConversionOptions, flag_values, flags

    if keyword == "classes":
        return "--classes N"
    option = next((each for each in fields(ConversionOptions) if each.name == keyword), None)
    named = [] if option is None else [flag for flag, each in flag_values(keyword).items() if each == value]
    if named:
        return named[0]
    return "" if option is None else f"{flags(keyword)} {value or option.metadata['metavar']}".strip()


def _as_dict(error: BaseException, message: str) -> dict[str, Any]:
    kind = "Interrupted" if _interruption(error) is not None else type(error).__name__
    described: dict[str, Any] = {"kind": kind, "message": message}
    if isinstance(error, UnsupportedModelError):
        described["refusals"] = [vars(refusal) for refusal in error.refusals]
    if isinstance(error, ConversionError) and error.cut is not None:
        described["cut"] = {"outputs": list(error.cut.outputs), "left": list(error.cut.left)}
    return described
