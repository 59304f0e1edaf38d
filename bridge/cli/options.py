"""The options that the commands share, but those of the conversion.

Each decorator gathers its options into one object and hands that to the command.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

_READERS = Path(__file__).parents[1] / "verification" / "readers"
READER_NAMES = tuple(sorted(path.name.removesuffix("_reader.py") for path in _READERS.glob("*_reader.py")))
"""The names in `gluon2caffe.bridge.verification.readers.KINDS`, from its files, since to import it takes long."""

Command = TypeVar("Command", bound=Callable[..., Any])


def parse_names(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...] | None:
    """Read names separated by commas, from as many options as there are."""
    names = tuple(name.strip() for text in texts for name in text.split(","))
    if not all(names):
        raise click.BadParameter("it holds an empty name.")
    return names or None


def parse_readers(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...] | None:
    """Read names of readers separated by commas."""
    names = parse_names(context, option, texts)
    unknown = [name for name in names or () if name not in READER_NAMES]
    if unknown:
        raise click.BadParameter(f"no reader is called {', '.join(unknown)}; choose from {', '.join(READER_NAMES)}.")
    return names


@dataclass(frozen=True)
class SourceArgs:
    """The arguments that name a source.

    Attributes:
        source: a file, or the name of a zoo net.
        params: the parameter file that goes with it.
        random: random weights for a zoo net.
        classes: the number of classes of a zoo net, where it is not the usual one.
    """

    source: str
    params: Path | None
    random: bool
    classes: int | None


@dataclass(frozen=True)
class OutputOptions:
    """How much a command prints, and in what form."""

    quiet: bool
    json: bool
    verbose: bool
    debug: bool


def source_options(command: Command) -> Command:
    """SOURCE, PARAMS and what describes them: the keyword `source_args`."""
    options = [
        click.argument("source"),
        click.argument("params", required=False, type=click.Path(path_type=Path)),
        *_zoo_options(),
    ]
    return _gathering(command, options, "source_args", SourceArgs)


def sources_options(command: Command) -> Command:
    """One or several sources: the keywords `sources`, `random` and `classes`."""
    argument = click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
    for option in reversed([argument, *_zoo_options()]):
        command = option(command)
    return command


def _zoo_options() -> list[Callable[[Any], Any]]:
    return [
        click.option("--random", is_flag=True, help="Give a zoo net random weights instead of its pretrained ones."),
        click.option(
            "--classes",
            type=click.IntRange(min=1),
            metavar="N",
            help="Build a zoo net for N classes; with --random or PARAMS.",
        ),
    ]


def readers_option(command: Command) -> Command:
    """`--readers`: the keyword `readers`, names or None for all that are ready."""
    return click.option(
        "--readers",
        multiple=True,
        metavar="A,B",
        callback=parse_readers,
        help=f"Verify on these readers: {', '.join(READER_NAMES)}.  [default: the target's own if it is ready, else "
        "OpenCV and the Caffes]",
    )(command)


def output_options(command: Command) -> Command:
    """How much is printed: the keyword `output`."""
    options = [
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
        click.option("--json", is_flag=True, help="Print one JSON object, errors included, instead of text."),
        click.option("-v", "--verbose", is_flag=True, help="Print each step and pass with its time, on stderr."),
        click.option("--debug", is_flag=True, help="Show where in the program an error came up."),
    ]
    return _gathering(command, options, "output", OutputOptions)


def _gathering(command: Command, options: list[Callable[[Any], Any]], keyword: str, form: type[Any]) -> Command:
    """Add options to a command, and hand it their values as one object under `keyword`."""
    names = [field.name for field in fields(form)]

    @functools.wraps(command)
    def gathered(**values: Any) -> Any:
        values[keyword] = form(**{name: values.pop(name) for name in names})
        return command(**values)

    for option in reversed(options):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]
