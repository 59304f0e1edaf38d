"""What a command prints at its end: a short table for people, or one JSON object for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gluon2caffe.bridge.cli import failures
from gluon2caffe.bridge.cli.options import OutputOptions

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gluon2caffe.bridge.verification.report import Report

# Wide enough for any path: rich would break lines at 80 columns when the output goes to a file or a pipe.
_WIDTH_OF_A_PIPE = 1000


@dataclass(frozen=True)
class Summary:
    """What a command did.

    Attributes:
        source: what it started from.
        inputs: name -> shape.
        outputs: name -> shape.
        counts: of layers, parameters and the like, by their names in lower case.
        files: the files it wrote, or read.
        seconds: how long it took.
        exact_at: the input sizes at which the files compute what the source does.
        feed: what the net takes, and the call that gives it that, line by line.
        notes: what the user should know.
        report: the verification, where there was one.
        when_failed: what to say when that did not pass.
        details: what else a program may want to know; only in the JSON object.
    """

    source: str
    files: Sequence[Path]
    seconds: float
    inputs: Mapping[str, Sequence[int]] = field(default_factory=dict)
    outputs: Mapping[str, Sequence[int]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    exact_at: str = ""
    feed: Sequence[str] = ()
    notes: Sequence[str] = ()
    report: Report | None = None
    when_failed: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def show(summary: Summary, output: OutputOptions) -> int:
    """Print the summary as the user asked, and return the exit status.

    A quiet command prints only what went wrong, unless it is asked for JSON. The status is 1 where the verification did
    not pass, which is said on stderr too.
    """
    report = summary.report
    failed = report is not None and not report.passed
    if output.json:
        click.echo(json.dumps(as_dict(summary), indent=2, allow_nan=False))
    else:
        if not output.quiet:
            print_lines(rows(summary))
        if report is not None and (failed or not output.quiet):
            click.echo(str(report) if output.quiet else f"\n{report}", err=output.quiet)
        if failed:
            failures.print_error(summary.when_failed)
    return failures.FAILED if failed else 0


def as_dict(summary: Summary) -> dict[str, Any]:
    """The summary as plain values."""
    return {
        "source": summary.source,
        "inputs": {name: list(shape) for name, shape in summary.inputs.items()},
        "outputs": {name: list(shape) for name, shape in summary.outputs.items()},
        **summary.counts,
        "files": [{"path": str(path), "bytes": path.stat().st_size} for path in summary.files],
        "seconds": round(summary.seconds, 3),
        "notes": list(summary.notes),
        **summary.details,
        "verification": None if summary.report is None else summary.report.to_dict(),
    }


def rows(summary: Summary) -> list[tuple[str, str]]:
    """Label and text of each line of the table."""
    lines = [
        ("Source", [summary.source]),
        ("Input", [tensor_text(name, shape) for name, shape in summary.inputs.items()]),
        ("Output", [tensor_text(name, shape) for name, shape in summary.outputs.items()]),
        *((name.capitalize(), [f"{count:,}"]) for name, count in summary.counts.items()),
        ("Exact at", [summary.exact_at] if summary.exact_at else []),
        ("Files", [f"{path}  {size_text(path.stat().st_size)}" for path in summary.files]),
        ("Time", [f"{summary.seconds:.1f} s"]),
        ("Feed it", list(summary.feed)),
        ("Notes", grouped(summary.notes)),
    ]
    return [(label if index == 0 else "", text) for label, texts in lines for index, text in enumerate(texts)]


def grouped(notes: Sequence[str]) -> list[str]:
    """The notes with those that say the same of several layers joined; a note has the form `layer: text`."""
    alike: dict[str, list[str]] = {}
    for note in notes:
        alike.setdefault(note.partition(": ")[2] or note, []).append(note)
    return [
        f"{text} ({len(group)} layers, the first is {group[0].partition(': ')[0]})" if len(group) > 1 else group[0]
        for text, group in alike.items()
    ]


def tensor_text(name: str, shape: Sequence[object]) -> str:
    """A tensor's name and its shape."""
    return f"{name}  {'×'.join(map(str, shape)) or 'scalar'}"


def size_text(count: int) -> str:
    """A number of bytes in the unit that suits it: 1 kB is 1000 bytes."""
    if count < 1000:
        return f"{count} bytes"
    size = count / 1000
    for unit in ("kB", "MB"):
        if size < 999.95:
            return f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def print_lines(lines: Sequence[tuple[str, str]]) -> None:
    """Print lines of a label and a text each."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, text in lines:
        table.add_row(Text(label, style="bold"), Text(text))
    print_table(table)


def print_table(table: RenderableType) -> None:
    """Print a table of rich's on stdout, as wide as the terminal is; lines are not broken in a file or a pipe."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE
    Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False).print(table)
