"""The outermost layer of the command: whatever happens inside ends in a readable message and an exit status."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from gluon2caffe.bridge.cli import failures
from gluon2caffe.bridge.cli.streams import flush_output


class Program(click.Group):
    """A group of commands, each of which returns its exit status (None for 0)."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and exit; without `standalone_mode` return the status and let exceptions through."""
        words = list(sys.argv[1:] if args is None else args)
        if not standalone_mode:
            return super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            with _ended_in_order():
                status = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
                flush_output()
        except BaseException as error:
            status = failures.tell(error, as_json="--json" in words, debug="--debug" in words)
        sys.exit(status or 0)


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let `kill` and a closed terminal end the program as Ctrl-C does, so that no temporary file stays behind."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise failures.Stopped(number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    # A program started with nohup goes on ignoring SIGHUP.
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) is signal.SIG_DFL}
    try:
        for number in before:
            signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
