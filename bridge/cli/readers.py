"""`gluon2caffe readers`: which readers there are, and setting them up and removing them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from gluon2caffe.bridge.cli.options import READER_NAMES, Command


@dataclass(frozen=True)
class Line:
    """What is said of a kind of reader: ready with its version, or why it is not; and the size of what was set up."""

    name: str
    reader: str
    ready: bool
    version: str
    reason: str
    megabytes: int | None


def _names_and_folder(meaning: str) -> Callable[[Command], Command]:
    """The arguments of the commands that set up and remove."""

    def add(command: Command) -> Command:
        command = click.option(
            "--folder",
            type=click.Path(path_type=Path, file_okay=False),
            help=f"{meaning}  [default: the user's cache folder, or what GLUON2CAFFE_READERS names]",
        )(command)
        names = click.argument(
            "names", nargs=-1, required=True, type=click.Choice(READER_NAMES), callback=_refuse_without_recipe
        )
        return names(command)

    return add


def _refuse_without_recipe(
    _context: click.Context, _argument: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse readers that are not set up by this command."""
    from gluon2caffe.bridge.reader_setup.set_up import RECIPES

    for name in names:
        if name not in RECIPES:
            raise click.BadParameter(
                f"{name} is not set up here; `pip install 'gluon2caffe[verify]'` brings it. Choose from "
                f"{', '.join(RECIPES)}."
            )
    return names


@click.group(invoke_without_command=True, short_help="List, set up and remove the readers that verify runs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.pass_context
def readers(context: click.Context, as_json: bool) -> int | None:
    """List the programs that `verify` can run Caffe files on, and say which are ready.

    OpenCV comes with the package's extra `verify`. The others run in environments of their own, which `readers setup`
    makes in the user's cache folder, or in the one that GLUON2CAFFE_READERS names.
    """
    if context.invoked_subcommand is not None:
        return None
    from gluon2caffe.bridge.verification.readers import KINDS

    lines = [line for name in KINDS for line in reader_lines(name)]
    if as_json:
        click.echo(json.dumps({"readers": [asdict(line) for line in lines]}, indent=2))
        return 0
    _print(lines)
    return 0


@readers.command(short_help="Set readers up.")
@_names_and_folder("Where to.")
def setup(names: tuple[str, ...], folder: Path | None) -> int:
    """Set readers up from pinned packages, each in an environment of its own. What is ready already is kept.

    They need Python of a given version: 3.8 for openvino, 3.10 for sophgo, 3.11 for rockchip; looked for are those on
    PATH and those of pyenv and uv. The exit status is 1 where one of them could not be set up.
    """
    from gluon2caffe.bridge.reader_setup.set_up import RECIPES, own_caffe, set_up_all
    from gluon2caffe.bridge.verification.readers.environment import readers_folder

    folder = (folder or readers_folder()).absolute()
    missing = []
    for name in names:
        own = own_caffe() if name == "caffe" else None
        if own is not None:
            click.echo(f"Ready: {own.name} {own.version} at {own.where}; nothing to set up.")
            continue
        found = set_up_all(folder, RECIPES[name])
        if found:
            click.echo(f"Ready in {folder}: {', '.join(f'{each.name} {each.version}' for each in found)}.")
        else:
            missing.append(name)
            click.echo(f"Not ready: {name}.")
    return 1 if missing else 0


@readers.command(short_help="Remove readers that were set up.")
@_names_and_folder("Where from.")
def remove(names: tuple[str, ...], folder: Path | None) -> int:
    """Remove the environments of readers."""
    from gluon2caffe.bridge.cli.show import size_text
    from gluon2caffe.bridge.reader_setup import set_up
    from gluon2caffe.bridge.verification.readers.environment import readers_folder

    folder = (folder or readers_folder()).absolute()
    for name in names:
        freed = set_up.remove(folder, set_up.RECIPES[name])
        click.echo(f"Removed {name}: {size_text(freed)}." if freed else f"{name} is not in {folder}.")
    return 0


def reader_lines(name: str) -> list[Line]:
    """One line for each reader of a kind; one that says why, where there is none."""
    from gluon2caffe.bridge.verification.readers import KINDS

    kind = KINDS[name]
    megabytes = _megabytes(name)
    found = kind.find()
    if not found:
        return [Line(name, kind.title, False, "", kind.absence(), megabytes)]
    return [Line(name, each.name, each.available, each.version, each.reason, megabytes) for each in found]


def _megabytes(name: str) -> int | None:
    """The size of what was set up in the user's folder; None where nothing was."""
    from gluon2caffe.bridge.reader_setup.set_up import RECIPES, size_of
    from gluon2caffe.bridge.verification.readers.environment import readers_folder

    size = sum(size_of(readers_folder() / recipe.name) for recipe in RECIPES.get(name, ()))
    return round(size / 1e6) if size else None


def _print(lines: list[Line]) -> None:
    from rich.table import Table

    from gluon2caffe.bridge.cli.show import print_table
    from gluon2caffe.bridge.verification.readers.environment import readers_folder

    table = Table(box=None, pad_edge=False)
    for heading in ("Name", "Reader", "Version", "Size", "State"):
        table.add_column(heading, justify="right" if heading == "Size" else "left", overflow="fold")
    for line in lines:
        size = "" if line.megabytes is None else f"{line.megabytes:,} MB"
        table.add_row(line.name, line.reader, line.version, size, "ready" if line.ready else line.reason)
    print_table(table)
    click.echo(f"\nFolder: {readers_folder()}")
