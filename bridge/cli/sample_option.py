"""`--samples`: what a verification is run on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
Samples = int | list[Path]


def parse_samples(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> Samples | None:
    """Read all `--samples` options: None for none, one number as how many to draw, else paths."""
    if not texts:
        return None
    if len(texts) == 1 and texts[0].isdecimal():
        if int(texts[0]) < 1:
            raise click.BadParameter("expected at least 1 sample.")
        return int(texts[0])
    return [Path(text) for text in texts]


def samples_option(command: Command) -> Command:
    """Add `--samples`: the keyword `samples`, as `parse_samples` gives it."""
    return click.option(
        "--samples",
        multiple=True,
        metavar="N|FILE|FOLDER",
        callback=parse_samples,
        help="Verify on this many random samples, on an .npy or .npz file, or on images and folders of images; images "
        "are resized to the input and keep their values of 0 to 255.  [default: 1]",
    )(command)
