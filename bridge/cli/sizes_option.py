"""`--sizes`: other input sizes that a verification compares at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def parse_sizes(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[int, ...], ...] | None:
    """Read `225x231,320x416`: heights and widths, or whole shapes 2x3x225x231; None for none."""
    sizes = []
    for word in (word.strip() for text in texts for word in text.split(",")):
        try:
            size = tuple(int(length) for length in word.lower().replace("×", "x").split("x"))
        except ValueError:
            size = ()
        if len(size) < 2 or min(size) < 1:
            raise click.BadParameter(f"{word!r} is not a size: expected HEIGHTxWIDTH, such as 225x231.")
        sizes.append(size)
    return tuple(sizes) or None


def sizes_option(command: Command) -> Command:
    """Add `--sizes`: the keyword `at_sizes`, as `parse_sizes` gives it."""
    return click.option(
        "--sizes",
        "at_sizes",
        multiple=True,
        metavar="HxW,HxW",
        callback=parse_sizes,
        help="Verify at these input sizes too: OpenCV and the Caffes are reshaped.  [default: five sizes for files "
        "made with --any-size, else none]",
    )(command)
