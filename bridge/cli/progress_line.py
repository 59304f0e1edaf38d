"""The progress of a command, as a terminal shows it while the command runs."""

from __future__ import annotations

import io
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import click

from gluon2caffe.bridge.cli.options import OutputOptions
from gluon2caffe.bridge.progress import listening

if TYPE_CHECKING:
    from rich.progress import Progress

    from gluon2caffe.onnx2caffe.graph_pass import PassRun


class ProgressLine:
    """Shows the current step if stderr is a terminal, and takes the time."""

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task("Starting")
        self._start = time.perf_counter()

    def begin(self, name: str) -> None:
        """Show that the step `name` begins."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=name, refresh=True)

    def seconds(self) -> float:
        """The time since the command began its work."""
        return time.perf_counter() - self._start


class _StepLog(ProgressLine):
    """A line on stderr for each step as it begins, with the time since the start, and for each pass that ran."""

    def begin(self, name: str) -> None:
        """Print the step."""
        click.echo(f"{self.seconds():8.3f} s  {name}", err=True)

    def passed(self, run: PassRun) -> None:
        """Print the pass, how long it took, and whether it did anything."""
        click.echo(f"{'':12}{run.seconds:8.4f} s  {run.name}{'' if run.changed else ' (no change)'}", err=True)


@contextmanager
def shown_progress(output: OutputOptions) -> Iterator[ProgressLine]:
    """Show the steps of the block, including those that the library announces.

    Only if stderr is a terminal. What libraries print goes to stderr, since stdout is for the result; with --quiet it
    is dropped.
    """
    with ExitStack() as stack:
        line = None
        if sys.stderr.isatty() and not output.quiet and not output.json and not output.verbose:
            line = stack.enter_context(_progress_line())
        if output.quiet:
            stack.enter_context(redirect_stderr(io.StringIO()))
        stack.enter_context(redirect_stdout(sys.stderr))
        if not output.debug:
            # They are about code the user does not see, such as numpy's about MXNet.
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")
        progress = _StepLog() if output.verbose else ProgressLine(line)
        stack.enter_context(listening(progress.begin))
        if isinstance(progress, _StepLog):
            from gluon2caffe.onnx2caffe.graph_pass import listening_to_passes

            stack.enter_context(listening_to_passes(progress.passed))
        yield progress


def _progress_line() -> Progress:
    """One line that names the step and counts the seconds; it disappears when they are done."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}…", markup=False), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)
