"""Several samples for a net whose batch size is one: taken apart, run one by one, put together."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def split_samples(
    inputs: Mapping[str, FloatArray], shapes: Mapping[str, tuple[int, ...]]
) -> list[dict[str, FloatArray]]:
    """Return the inputs of each run, as C-contiguous float32 arrays of the net's shapes.

    Args:
        inputs: input -> array, either of the net's shape, or with more samples along axis 0 where the net takes one.
        shapes: input -> shape that the net takes.

    Raises:
        ValueError: a missing or unknown input, a shape that does not fit, inputs with different numbers of samples.
    """
    if inputs.keys() != shapes.keys():
        raise ValueError(f"the net's inputs are {', '.join(shapes)}; given were {', '.join(inputs) or 'none'}")
    arrays = {name: np.require(array, np.float32, "C") for name, array in inputs.items()}
    if all(array.shape == shapes[name] for name, array in arrays.items()):
        return [arrays]
    for name, array in arrays.items():
        if shapes[name][:1] != (1,) or array.shape[1:] != shapes[name][1:]:
            raise ValueError(f"input {name} has the shape {array.shape}, the net takes {shapes[name]}")
    counts = {array.shape[0] for array in arrays.values()}
    if len(counts) != 1 or counts == {0}:
        raise ValueError(f"the inputs hold no samples, or different numbers of them: {sorted(counts)}")
    return [{name: array[i : i + 1] for name, array in arrays.items()} for i in range(counts.pop())]


def join_samples(runs: Sequence[Mapping[str, FloatArray]]) -> dict[str, FloatArray]:
    """Return the results of several runs joined along axis 0.

    Raises:
        ValueError: results whose other axes differ, such as detections of which there are more in one image.
    """
    if len(runs) == 1:
        return dict(runs[0])
    return {name: np.concatenate([run[name] for run in runs]) for name in runs[0]}
