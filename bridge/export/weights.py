"""Parameters as writable float32 arrays: copied out of MXNet once, or used as they lie in a file's memory map."""

from typing import Any

import numpy as np
import numpy.typing as npt

from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.pages import pieces

FloatArray = npt.NDArray[np.float32]


def own_values(name: str, array: Any, *, allow_non_finite: bool, from_file: bool = False) -> FloatArray:
    """Return a writable C-contiguous float32 array of the values of an MXNet or numpy array.

    Args:
        name: of the parameter.
        array: the values; integers must be exact in float32.
        allow_non_finite: take NaN and infinity.
        from_file: `array` is a private view, which is used as it is where its form allows.

    Raises:
        SourceError: it holds NaN or infinite values and they are not allowed, or integers beyond float32.

    """
    values = _in_place(name, array) if from_file else _copied(array)
    if not allow_non_finite and not _is_finite(values):
        count = int(values.size - np.isfinite(values).sum())
        raise SourceError(
            f"parameter {name} holds {count} NaN or infinite of {values.size} values; "
            "the net was not trained or saved correctly, or pass allow_non_finite=True."
        )
    return values


def _in_place(name: str, array: npt.NDArray[Any]) -> FloatArray:
    values = np.require(array, np.float32, ("C", "A", "W"))
    if array.dtype.kind in "iu" and not np.array_equal(values.astype(np.float64), array.astype(np.float64)):
        raise SourceError(f"parameter {name} holds integers of {array.dtype} that float32 cannot hold exactly.")
    return values


def _copied(array: Any) -> FloatArray:
    # asnumpy() already hands out a fresh array, so that a float32 one is copied exactly once.
    values = array.asnumpy() if hasattr(array, "asnumpy") else np.array(array, dtype=np.float32)
    with np.errstate(over="ignore"):
        return np.require(values, np.float32, ("C", "W", "O"))


def _is_finite(values: FloatArray) -> bool:
    # A sum is one quick pass and finite only if every value is; an overflowing sum needs the exact look.
    with np.errstate(over="ignore", invalid="ignore"):
        return all(bool(np.isfinite(each.sum())) or bool(np.isfinite(each).all()) for each in pieces(values))
