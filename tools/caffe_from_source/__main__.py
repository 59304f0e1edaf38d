"""Build Caffe with the SSD layers from source: `python -m tools.caffe_from_source`."""

import sys
from pathlib import Path

import click

from gluon2caffe.bridge.reader_setup.set_up import set_up_all
from gluon2caffe.bridge.verification.readers.environment import CAFFE_VARIABLE, caffe_folder
from tools.caffe_from_source.build import SourceRecipe


@click.command()
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help=f"Default: {CAFFE_VARIABLE}, else .caffe"
)
@click.option("--install-packages", is_flag=True, help="Install missing Debian packages (as root).")
@click.option("--jobs", type=int, default=0, help="Compilers at once (default: one per core).")
def main(folder: Path | None, install_packages: bool, jobs: int) -> None:
    """Build Caffe with the SSD layers in a folder of its own, in 3 to 15 minutes, unless it is ready there."""
    folder = (folder or caffe_folder()).absolute()
    readers = set_up_all(folder, [SourceRecipe(install_packages, jobs)])
    if not readers:
        print(f"No Caffe is ready in {folder}.")
        sys.exit(1)
    print(f"Ready in {folder}: {readers[0].name} {readers[0].version}.")


if __name__ == "__main__":
    main(prog_name="python -m tools.caffe_from_source")
