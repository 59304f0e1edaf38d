"""Set up a real Caffe: ``python -m gluon2caffe.bridge.verification.caffe_setup``."""

import fcntl
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import click

from gluon2caffe.bridge.verification.caffe_setup import bvlc_wheel, source, ssd_wheel
from gluon2caffe.bridge.verification.caffe_setup.marker import FOLDER_VARIABLE, ReadyCaffe, caffe_folder, read_marker
from gluon2caffe.bridge.verification.caffe_setup.steps import SetupError, Steps
from gluon2caffe.bridge.verification.caffe_setup.trial import what_is_wrong
from gluon2caffe.bridge.verification.readers.caffe_reader import CaffeReader, reader_of, users_own

WAYS = {way.NAME: way for way in (ssd_wheel, bvlc_wheel, source)}


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Default: {FOLDER_VARIABLE}, else .caffe",
)
@click.option("--which", type=click.Choice([*WAYS, "auto"]), default="auto", show_default=True)
@click.option("--install-packages", is_flag=True, help="For source: install missing Debian packages (as root).")
@click.option("--jobs", type=int, default=0, help="For source: compilers at once (default: one per core).")
def main(folder: Path | None, which: str, install_packages: bool, jobs: int) -> None:
    r"""Set up a real Caffe in a folder of its own, for checking converted models on.

    \b
    ssd-wheel   Caffe with the SSD layers, wheel for Python 3.10 (300 MB to fetch, 400 MB on disk)
    bvlc-wheel  BVLC Caffe, wheel for Python 3.7 to 3.9
    source      Caffe with the SSD layers, built from source (3 to 15 minutes)
    auto        both wheels where their Pythons are here, since each checks the other; else source

    What is ready already is kept. Ends with status 0 when a Caffe is ready.
    """
    folder = (folder or caffe_folder()).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    ways: dict[str, Callable[[Steps], ReadyCaffe]] = {
        ssd_wheel.NAME: ssd_wheel.install,
        bvlc_wheel.NAME: bvlc_wheel.install,
        source.NAME: lambda steps: source.install(steps, install_packages, jobs),
    }
    own = users_own()
    if which == "auto" and own is not None:
        wrong = what_is_wrong(own)
        if not wrong:
            print(f"Ready: {own.name} {own.version} at {own.where}; nothing to set up.")
            return
        print(f"{own.name} does not work: {wrong}")
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        names = [ssd_wheel.NAME, bvlc_wheel.NAME] if which == "auto" else [which]
        readers = [reader for name in names if (reader := set_up(folder / name, name, ways[name]))]
        if which == "auto" and not readers:
            readers = [reader for reader in [set_up(folder / source.NAME, source.NAME, ways[source.NAME])] if reader]
    if not readers:
        print(f"No Caffe is ready in {folder}.")
        sys.exit(1)
    print(f"Ready in {folder}: {', '.join(describe(reader) for reader in readers)}.")


def set_up(folder: Path, name: str, install: Callable[[Steps], ReadyCaffe]) -> CaffeReader | None:
    """Set up one way in its folder, unless it is ready there, and return the reader; None if it does not work here."""
    steps = Steps(name, folder)
    ready = read_marker(folder)
    if ready and dict(ready.installed) == WAYS[name].expected():
        reader = reader_of(folder, ready)
        wrong = what_is_wrong(reader)
        if not wrong:
            steps.say("is ready")
            return reader
        steps.say(f"was ready, but {wrong}: once more")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        ready = install(steps)
        reader = reader_of(folder, ready)
        steps.say("trying it")
        wrong = what_is_wrong(reader)
        if wrong:
            raise SetupError(f"what was installed does not work: {wrong}")
    except SetupError as error:
        steps.say(f"not possible: {error}")
        return None
    ready.write(folder)
    return reader


def describe(reader: CaffeReader) -> str:
    """Return the name of a Caffe, its version and what it has."""
    layers = "with" if reader.has_ssd_layers else "without"
    return f"{reader.name} {reader.version} ({layers} the SSD layers)"


if __name__ == "__main__":
    main(prog_name="python -m gluon2caffe.bridge.verification.caffe_setup")
