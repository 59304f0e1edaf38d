"""Scikit-learn's scanned digits as pictures that a CIFAR network takes, split once and for all."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from sklearn.datasets import load_digits

PICTURE_SIZE = 32
CHANNELS = 3
CLASSES = 10
HELD_OUT_EVERY = 4


@dataclass(frozen=True)
class DigitSet:
    """Pictures, float32 (N, 3, 32, 32) from 0 (paper) to 1 (ink), and their labels, int64 (N,) from 0 to 9."""

    pictures: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def load_digit_sets() -> tuple[DigitSet, DigitSet]:
    """Return the training digits and the held-out digits, always the same ones in the same order."""
    digits = load_digits()
    labels = digits.target.astype(np.int64)
    pictures = to_pictures(digits.images)
    held_out = held_out_mask(labels)
    return (
        DigitSet(pictures[~held_out], labels[~held_out]),
        DigitSet(pictures[held_out], labels[held_out]),
    )


def to_pictures(scans: np.ndarray) -> np.ndarray:
    """Scale scans (N, 8, 8) of 0..16 bilinearly to float32 pictures (N, 3, 32, 32) of 0..1, all channels equal.

    The scale is 4 and the scans hold whole sixteenths, so every weight and every product is exact in
    float32: the pictures have the same bits on every machine.
    """
    ink = scans.astype(np.float32) / 16
    size = (PICTURE_SIZE, PICTURE_SIZE)
    scaled = np.stack([cv2.resize(scan, size, interpolation=cv2.INTER_LINEAR) for scan in ink])
    return np.ascontiguousarray(np.repeat(scaled[:, np.newaxis], CHANNELS, axis=1))  # (N, 32, 32) -> (N, 3, 32, 32)


def held_out_mask(labels: np.ndarray) -> np.ndarray:
    """Mark every fourth digit of each class, in the order of the data set, as held out: bool (N,).

    Counting instead of drawing keeps the split the same whatever the versions of NumPy and scikit-learn,
    every class at a quarter, and every writer on both sides (the set is ordered by writer).
    """
    mask = np.zeros(len(labels), dtype=bool)
    for digit in range(CLASSES):
        (positions,) = np.nonzero(labels == digit)
        mask[positions[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]] = True
    return mask
