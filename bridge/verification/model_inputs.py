"""What a model is run on: arrays, files of the user's, or numbers drawn at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from gluon2caffe.bridge.conversion import Conversion
from gluon2caffe.bridge.verification.reference_onnx import input_types
from gluon2caffe.bridge.verification.sample_files import read_samples
from gluon2caffe.bridge.verification.samples import split_samples
from gluon2caffe.onnx2caffe.errors import ConversionError

FloatArray = npt.NDArray[np.float32]
Path = str | PathLike[str]
Samples = FloatArray | Mapping[str, FloatArray] | int | Path | Sequence[Path]
Shapes = Mapping[str, tuple[int, ...]]


def model_inputs(samples: Samples, model: Conversion, source: Any, seed: int) -> dict[str, FloatArray]:
    """Return input -> float32 array, one sample or several along axis 0.

    Args:
        samples: see `verify`.
        model: whose inputs and preprocessing say what it takes.
        source: whose input types say what may be drawn.
        seed: of the drawn samples.

    Raises:
        ConversionError: they cannot be read, or do not fit.
    """
    shapes = model.inputs
    if isinstance(samples, int):
        made = _drawn_samples(samples, shapes, source, seed)
    elif isinstance(samples, Mapping):
        made = {name: np.asarray(array, np.float32) for name, array in samples.items()}
    elif _are_paths(samples):
        files = [samples] if isinstance(samples, (str, PathLike)) else list(samples)
        bgr = model.preprocessing is not None and model.preprocessing.to_bgr
        made = read_samples(files, shapes, bgr=bgr)
    else:
        made = {_only_input(shapes): np.asarray(samples, np.float32)}
    try:
        split_samples(made, shapes)
    except ValueError as error:
        raise ConversionError(f"The samples do not fit: {error}.") from None
    return made


def _are_paths(samples: Any) -> bool:
    if isinstance(samples, (str, PathLike)):
        return True
    return isinstance(samples, (list, tuple)) and any(isinstance(each, (str, PathLike)) for each in samples)


def _only_input(shapes: Shapes) -> str:
    if len(shapes) != 1:
        raise ConversionError(f"The model has the inputs {', '.join(shapes)}: give samples by name.")
    return next(iter(shapes))


def _drawn_samples(count: int, shapes: Shapes, source: Any, seed: int) -> dict[str, FloatArray]:
    if count < 1:
        raise ConversionError(f"The number of samples is {count}, expected 1 or more.")
    return drawn(np.random.default_rng(seed), shapes, source, count)


def drawn(random: np.random.Generator, shapes: Shapes, source: Any, count: int = 1) -> dict[str, FloatArray]:
    """Input -> `count` samples one behind the other, of the type that the source takes."""
    types = input_types(source) if isinstance(source, (str, PathLike, onnx.ModelProto)) else {}
    samples = {
        name: [_drawn(random, shape, types.get(name, np.dtype(np.float32))) for _ in range(count)]
        for name, shape in shapes.items()
    }
    return {name: np.concatenate(arrays) for name, arrays in samples.items()}


def _drawn(random: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> FloatArray:
    """Normally distributed numbers; integers as of an image, or booleans, where the source takes these."""
    if dtype.kind in "iub":
        high = 1 if dtype.kind == "b" else min(255, np.iinfo(dtype).max)
        return random.integers(0, high, shape, endpoint=True).astype(np.float32)
    return random.normal(size=shape).astype(np.float32)
