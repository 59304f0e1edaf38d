"""Lays the packages out as they are installed, by links: `python .ci/typed_tree.py FOLDER`, for mypy."""

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("bridge", "onnx2caffe", "ssd_heads")


def lay_out(folder: Path) -> None:
    """Make `folder`/gluon2caffe anew."""
    package = folder / "gluon2caffe"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    for file in (ROOT / "gluon2caffe").iterdir():
        if file.is_file():
            (package / file.name).symlink_to(file)
    for room in ROOMS:
        (package / room).symlink_to(ROOT / room, target_is_directory=True)


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
