"""Where a command writes: decided and checked before any long work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gluon2caffe.onnx2caffe.atomic import check_targets
from gluon2caffe.onnx2caffe.errors import OutputError

if TYPE_CHECKING:
    from gluon2caffe.onnx2caffe.model import SavedModel

_ENDINGS = (".prototxt", ".caffemodel")


def pair_at(prefix: str) -> SavedModel:
    """PREFIX.prototxt and PREFIX.caffemodel; a prefix that already has one of these endings is taken without it.

    Raises:
        OutputError: the prefix cannot be used.
    """
    from gluon2caffe.onnx2caffe.model import SavedModel

    return SavedModel.at(plain_prefix(prefix))


def plain_prefix(prefix: str) -> str:
    """The prefix without .prototxt or .caffemodel, which users add by habit."""
    ending = Path(prefix).suffix
    return prefix.removesuffix(ending) if ending in _ENDINGS else prefix


def check_writable(targets: Sequence[Path], sources: Sequence[Path]) -> None:
    """Check that the files can be written, and that none of them is a file that is read.

    Raises:
        OutputError: a folder is missing or not writable, or a file would replace the source.
    """
    check_targets(*targets)
    for target in targets:
        if target.exists() and any(target.samefile(source) for source in sources):
            raise OutputError(f"{target} is the source itself: name another file with -o.")
