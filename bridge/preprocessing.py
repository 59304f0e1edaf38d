"""What a source is fed, where the converted net does the preprocessing of its input."""

from __future__ import annotations

from typing import Any

import numpy as np

from gluon2caffe.bridge.options import Preprocessing


def apply_preprocessing(x: np.ndarray[Any, np.dtype[np.float32]], wanted: Preprocessing | None) -> Any:
    """What the source is fed for the raw input `x` (N, C, H, W), float32."""
    if wanted is None:
        return x
    rgb = x[:, ::-1] if wanted.to_bgr else x
    mean = np.array(wanted.mean or (0.0,), np.float64).reshape(1, -1, 1, 1)
    std = np.array(wanted.std or (1.0,), np.float64).reshape(1, -1, 1, 1)
    return ((rgb - mean) / std).astype(np.float32)
