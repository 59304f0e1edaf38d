"""The values of initializers, loaded when first asked for: from the message, from the .onnx file or from one beside it.

Files beside the model may lie in its folder or below it only, wherever links lead.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from gluon2caffe.bridge.onnx_source.file import LARGE, Extent
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.surgeon import LazyValues

Array = np.ndarray[Any, np.dtype[Any]]

_TYPE_NAMES = {number: name.lower() for name, number in onnx.TensorProto.DataType.items()}
# What numpy holds as it is and conversions know: the others (bfloat16, float8, int4, string, complex, ...) are refused.
_NUMPY_TYPES = {
    number: np.dtype(name)
    for number, name in _TYPE_NAMES.items()
    if name.startswith(("int", "uint", "bool")) and not name.endswith(("int2", "int4"))
} | {
    onnx.TensorProto.FLOAT: np.dtype(np.float32),
    onnx.TensorProto.FLOAT16: np.dtype(np.float16),
    onnx.TensorProto.DOUBLE: np.dtype(np.float64),
}


class StoredValues(LazyValues):  # type: ignore[misc]
    """The values of one initializer; `load` gives them as an array."""

    def __init__(self, proto: onnx.TensorProto, extent: Extent | None) -> None:
        """Take `proto` without data and where its data lie, or with data in it and None."""
        self._proto, self._extent = proto, extent
        self.name, self.shape = proto.name, tuple(proto.dims)
        known = _NUMPY_TYPES.get(proto.data_type)
        # graphsurgeon takes the number of a type that numpy does not have.
        self.dtype: Any = proto.data_type if known is None else known
        self.is_numeric = known is not None
        self.nbytes = math.prod(self.shape) * (known.itemsize if known is not None else 1)

    def load(self) -> Array:
        """The values, in an array of their own where they come from a file, else a view into the message.

        Raises:
            SourceError: the type is of no use to Caffe, or the data are not as many as the shape says.
        """
        if not self.is_numeric:
            kind = _TYPE_NAMES.get(self._proto.data_type, f"the unknown type {self._proto.data_type}")
            raise SourceError(f"The values of {self.name!r} are {kind}: Caffe has no such numbers.")
        if self._extent is not None:
            return _read(self._extent, self.dtype, self.shape, self.name)
        try:
            return np.asarray(numpy_helper.to_array(self._proto))
        except (ValueError, TypeError) as error:
            raise self._misfit() from error

    def check_length(self) -> None:
        """Raise SourceError where there cannot be as many numbers as the shape says; none of them is touched."""
        if not self.is_numeric:
            return
        if self._extent is None and math.prod(self.shape) > self._proto.ByteSize():
            raise self._misfit()
        if self._extent is not None and self._extent.length != self.nbytes:
            raise SourceError(
                f"{self.name!r} has the shape {list(self.shape)} in {self.dtype}, {self.nbytes:,} bytes, but "
                f"{self._extent.length:,} bytes of data."
            )

    def _misfit(self) -> SourceError:
        return SourceError(f"The data of {self.name!r} do not fit its shape {list(self.shape)}.")


def _read(extent: Extent, dtype: np.dtype[Any], shape: tuple[int, ...], name: str) -> Array:
    # Not np.empty: it asks the kernel for huge pages, and where memory is fragmented putting those together takes
    # several times as long as the reading.
    values: Array = np.frombuffer(bytearray(extent.length), dtype.newbyteorder("<")).reshape(shape)
    if values.size:
        try:
            with extent.path.open("rb", buffering=0) as file:
                file.seek(extent.offset)
                into, done = values.reshape(-1).view(np.uint8).data, 0
                while done < extent.length and (got := file.readinto(into[done:])):
                    done += got
        except OSError as error:
            raise SourceError(f"{extent.path} cannot be read: {error.strerror or error}.") from error
        if done < extent.length:
            raise SourceError(f"{extent.path} is too short: the values of {name!r} break off.")
    return values if dtype.byteorder in "=|" else values.astype(dtype)


def stored(proto: onnx.TensorProto, extent: Extent | None, folder: Path | None) -> StoredValues:
    """The values of `proto`, whose data lie at `extent`, in itself, or in another file below `folder`.

    Raises:
        SourceError: the other file is missing, too short or outside the folder, or the shape is not one.
    """
    if any(length < 0 for length in proto.dims):
        raise SourceError(f"{proto.name!r} has the shape {list(proto.dims)}: a length cannot be negative.")
    if extent is None and proto.data_location == onnx.TensorProto.EXTERNAL:
        extent = _external(proto, folder)
    values = StoredValues(proto, extent)
    values.check_length()
    return values


def is_large(proto: onnx.TensorProto) -> bool:
    """Whether the tensor is a weight rather than a shape, an axis or a scale, by the shape it declares."""
    return 4 * math.prod(proto.dims) >= LARGE


def _external(proto: onnx.TensorProto, folder: Path | None) -> Extent:
    entries = {entry.key: entry.value for entry in proto.external_data}
    location = entries.get("location", "")
    if folder is None:
        raise SourceError(
            f"The values of {proto.name!r} are in a file beside the model ({location}): hand in the path of the .onnx "
            "file, or a model loaded with its external data."
        )
    path = _safe_path(proto.name, location, folder)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries.get("length") or size - offset)
    except ValueError:
        raise SourceError(f"Where the values of {proto.name!r} lie in {location} is not given in numbers.") from None
    if offset < 0 or length < 0 or offset + length > size:
        raise SourceError(
            f"The values of {proto.name!r} should be {length:,} bytes from byte {offset:,} of {location}, which has "
            f"{size:,} bytes."
        )
    return Extent(path, offset, length)


def _safe_path(name: str, location: str, folder: Path) -> Path:
    refused = f"The values of {name!r} are said to be in {location!r}"
    windows, posix = PureWindowsPath(location), PurePosixPath(location)
    absolute = posix.is_absolute() or windows.is_absolute() or bool(windows.drive or windows.root)
    if not location or absolute or ".." in windows.parts or "\0" in location:
        raise SourceError(f"{refused}: only files in the folder of the model are read.")
    try:
        path, root = (folder / location).resolve(), folder.resolve()
    except (OSError, RuntimeError) as error:
        raise SourceError(f"{refused}, which cannot be found: {error}.") from error
    if not path.is_relative_to(root):
        raise SourceError(f"{refused}, a link that leads out of the folder of the model: only files in it are read.")
    if not path.is_file():
        raise SourceError(f"{refused}, but there is no such file beside the model.")
    return path
