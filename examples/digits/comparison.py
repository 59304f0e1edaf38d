"""How close a reader of the Caffe files comes to MXNet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LARGEST_RELATIVE_ERROR = 1e-4


@dataclass(frozen=True)
class Comparison:
    """One reader's answers against MXNet's; the differences are those of scores, not of probabilities."""

    reader: str
    accuracy: float  # 0..1
    labels_that_differ: int
    largest_difference: float
    relative_difference: float  # the largest difference over the largest |score| of MXNet

    @property
    def agrees(self) -> bool:
        """Tell whether no label differs and the scores do not differ by more than float32 rounding explains."""
        return self.labels_that_differ == 0 and self.relative_difference <= LARGEST_RELATIVE_ERROR


def compare(reader: str, scores: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> Comparison:
    """Compare a reader's scores (N, classes) with MXNet's, given the true labels (N,).

    Raises:
        ValueError: the shapes differ.

    """
    if scores.shape != reference.shape:
        raise ValueError(f"{reader} gave scores of shape {scores.shape}, MXNet gave {reference.shape}")
    difference = float(np.abs(scores.astype(np.float64) - reference).max())
    return Comparison(
        reader=reader,
        accuracy=float(np.mean(scores.argmax(axis=1) == labels)),
        labels_that_differ=int((scores.argmax(axis=1) != reference.argmax(axis=1)).sum()),
        largest_difference=difference,
        relative_difference=difference / float(np.abs(reference).max()),
    )
