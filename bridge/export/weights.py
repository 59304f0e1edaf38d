"""Copying parameters out of MXNet, once."""

from typing import Any

import numpy as np
import numpy.typing as npt

from gluon2caffe.onnx2caffe.errors import SourceError

FloatArray = npt.NDArray[np.float32]


def own_copy(name: str, array: Any, *, allow_non_finite: bool) -> FloatArray:
    """Return a writable C-contiguous float32 copy of an MXNet or numpy array.

    Raises:
        SourceError: it holds NaN or infinite values and they are not allowed.

    """
    # asnumpy() already hands out a fresh array, so that a float32 one is copied exactly once.
    values = array.asnumpy() if hasattr(array, "asnumpy") else np.array(array, dtype=np.float32)
    with np.errstate(over="ignore"):
        copy = np.require(values, np.float32, ("C", "W", "O"))
    if not allow_non_finite and not _is_finite(copy):
        count = int(copy.size - np.isfinite(copy).sum())
        raise SourceError(
            f"parameter {name} holds {count} NaN or infinite of {copy.size} values; "
            "the net was not trained or saved correctly, or pass allow_non_finite=True."
        )
    return copy


def _is_finite(values: FloatArray) -> bool:
    # A sum is one quick pass and finite only if every value is; an overflowing sum needs the exact look.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values.sum())) or bool(np.isfinite(values).all())
