"""The user's own data as samples: arrays in .npy and .npz files, and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gluon2caffe.bridge.verification.prerequisites import needed_module
from gluon2caffe.onnx2caffe.errors import SourceError

FloatArray = npt.NDArray[np.float32]
Shapes = Mapping[str, tuple[int, ...]]

ARRAY_SUFFIXES = (".npy", ".npz")


def read_samples(paths: Sequence[str | PathLike[str]], shapes: Shapes, *, bgr: bool = False) -> dict[str, FloatArray]:
    """Return input -> float32 array, the samples along axis 0 in the order given.

    Args:
        paths: one ``.npy`` or ``.npz`` file, or images and folders of images. An ``.npz`` holds an array for each input
            under its name, or one array. Images are resized (bilinear) to the size that the net takes and keep their
            values of 0 to 255; those of a folder come in the order of their names.
        shapes: input -> the shape that the net takes.
        bgr: whether the net takes the channels of an image in BGR order, not RGB.

    Raises:
        SourceError: a file is missing, cannot be read or does not suit the net's inputs; Pillow is not installed.
    """
    files = [Path(fspath(path)).expanduser() for path in paths]
    for file in files:
        if not file.exists():
            raise SourceError(f"There is no file {file} to take samples from.")
    arrays = [file for file in files if file.suffix.lower() in ARRAY_SUFFIXES]
    if not arrays:
        return _read_images(_image_files(files), shapes, bgr)
    if len(files) > 1:
        raise SourceError(f"Several files of samples include {arrays[0].name}. Try: one .npz file, or images alone.")
    return _read_arrays(arrays[0], shapes)


def _read_arrays(file: Path, shapes: Shapes) -> dict[str, FloatArray]:
    try:
        # No pickles: a file of samples is data, and loading a pickle would run code.
        loaded = np.load(file, allow_pickle=False)
        found = {name: loaded[name] for name in loaded.files} if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
    except (OSError, ValueError, EOFError) as error:
        raise SourceError(f"{file} cannot be read as an array: {error}") from error
    if isinstance(found, dict) and found.keys() != shapes.keys():
        if len(found) != 1 or len(shapes) != 1:
            raise SourceError(
                f"{file} holds {', '.join(found) or 'nothing'}; the net's inputs are {', '.join(shapes)}."
            )
        found = next(iter(found.values()))
    if not isinstance(found, dict):
        if len(shapes) != 1:
            raise SourceError(
                f"{file} holds one array; the net's inputs are {', '.join(shapes)}. Try: an .npz file with an array "
                "for each input under its name."
            )
        found = {next(iter(shapes)): found}
    return {name: _as_batch(file, name, array, shapes[name]) for name, array in found.items()}


def _as_batch(file: Path, name: str, array: npt.NDArray[np.generic], shape: tuple[int, ...]) -> FloatArray:
    """The array as float32; one sample without its first axis gets that."""
    if array.dtype.kind not in "biuf":
        raise SourceError(f"{file}: the array for {name} is of type {array.dtype}, expected numbers.")
    made = np.ascontiguousarray(array, np.float32)
    return made[None] if made.ndim == len(shape) - 1 else made


def _image_files(paths: Sequence[Path]) -> list[Path]:
    """The images among the paths; of a folder, those whose suffix Pillow knows, by name."""
    image = needed_module("PIL.Image", "images as samples")
    known = image.registered_extensions()
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix.lower() in known and each.is_file())
            if not inside:
                raise SourceError(f"The folder {path} holds no images.")
            files += inside
        else:
            files.append(path)
    return files


def _read_images(files: Sequence[Path], shapes: Shapes, bgr: bool) -> dict[str, FloatArray]:
    if len(shapes) != 1:
        raise SourceError(
            f"The net's inputs are {', '.join(shapes)}: images go into one. Try: an .npz file with an array for each "
            "input under its name."
        )
    ((name, shape),) = shapes.items()
    layout = _layout(name, shape)
    return {name: np.stack([_pixels(file, shape, layout, bgr) for file in files])}


def _layout(name: str, shape: tuple[int, ...]) -> str:
    """NCHW or NHWC, by which axis can hold the channels of an image."""
    if len(shape) == 4 and shape[1] in (1, 3):
        return "NCHW"
    if len(shape) == 4 and shape[3] in (1, 3):
        return "NHWC"
    raise SourceError(
        f"Images do not fit input {name}: its shape is {shape}, expected (N, 3, H, W) or (N, 1, H, W). "
        "Try: an .npy file."
    )


def _pixels(file: Path, shape: tuple[int, ...], layout: str, bgr: bool) -> FloatArray:
    """One image as (C, H, W) or (H, W, C), float32 of 0 to 255."""
    image = needed_module("PIL.Image", "images as samples")
    operations = needed_module("PIL.ImageOps", "images as samples")
    channels, height, width = (shape[1], *shape[2:]) if layout == "NCHW" else (shape[3], *shape[1:3])
    try:
        with image.open(file) as opened:
            upright = operations.exif_transpose(opened).convert("L" if channels == 1 else "RGB")
            resized = upright.resize((width, height), image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, image.DecompressionBombError) as error:
        raise SourceError(f"{file} cannot be read as an image: {error}") from error
    pixels = np.asarray(resized, np.float32).reshape(height, width, channels)
    if bgr and channels == 3:
        pixels = pixels[..., ::-1]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1) if layout == "NCHW" else pixels)
