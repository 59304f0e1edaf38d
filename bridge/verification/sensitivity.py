"""How far rounding alone moves what a net computes: its outputs when its inputs move by as much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Outputs = Mapping[str, FloatArray]

INPUT_MOVE = 2.0**-20
"""How far an input value is moved, as a part of the largest: what rounding makes of a sum of 256 products in float32.

Each addition rounds by up to 2^-24 of the sum, and errors of random sign grow as the square root of their number:
16·2^-24. Two programs that add the products of one convolution in another order are this far apart behind it.
"""


@dataclass(frozen=True)
class Sensitivity:
    """How far an output moved.

    Attributes:
        absolute: the largest |change|.
        mean_square: the mean of the squared changes. Where a few values jump, as at a threshold, the largest change
            alone would excuse a fault in all of them.
    """

    absolute: float
    mean_square: float

    def explains(self, absolute: float, mean_square: float) -> bool:
        """Return whether a difference of this size is no larger than the net's own."""
        return absolute <= self.absolute and mean_square <= self.mean_square


def moved(inputs: Outputs, random: np.random.Generator) -> dict[str, FloatArray]:
    """Return the inputs with every value moved up or down, at random, by `INPUT_MOVE` of the largest of its input."""
    return {
        name: (
            array + INPUT_MOVE * np.abs(array).max(initial=0.0) * random.choice([-1.0, 1.0], size=array.shape)
        ).astype(np.float32)
        for name, array in inputs.items()
    }


def measure(
    compute: Callable[[Outputs], Sequence[FloatArray]],
    inputs: Outputs,
    expected: Sequence[FloatArray],
    *,
    moves: int,
    seed: int = 0,
) -> list[Sensitivity]:
    """Return how far each output moves at most.

    Args:
        compute: the source.
        inputs: input -> array.
        expected: what the source computes of `inputs`.
        moves: how often the inputs are moved and the source is run.
        seed: of the signs.
    """
    random = np.random.default_rng(seed)
    largest = [Sensitivity(0.0, 0.0)] * len(expected)
    for _ in range(moves):
        changed = compute(moved(inputs, random))
        largest = [_larger(held, after, before) for held, after, before in zip(largest, changed, expected, strict=True)]
    return largest


def _larger(held: Sensitivity, after: FloatArray, before: FloatArray) -> Sensitivity:
    if after.shape != before.shape or not after.size:
        return held
    apart = np.subtract(after, before, dtype=np.float64)
    return Sensitivity(
        max(held.absolute, float(np.abs(apart).max())), max(held.mean_square, float(np.square(apart).mean()))
    )
