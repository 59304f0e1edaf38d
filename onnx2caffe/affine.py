"""Constants as a number, or as a vector over the channels."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def per_channel(values: Array, rank: int) -> Array | None:
    """The constant as a number () or a vector (C,) over axis 1 of a tensor of `rank` axes that it is broadcast to.

    None where it is neither, and where it has more axes than the tensor: then the result has more too, even if the
    constant holds one number.
    """
    if values.ndim > rank:
        return None
    if values.size == 1:
        return values.reshape(())
    aligned = (1,) * (rank - values.ndim) + values.shape
    if any(length != 1 for axis, length in enumerate(aligned) if axis != 1):
        return None
    return values.reshape(-1)
