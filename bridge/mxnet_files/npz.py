"""Parameters of MXNet 2, which saves them as an npz archive: one uncompressed `.npy` file for each array."""

import struct
import zipfile
from collections.abc import Iterator
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gluon2caffe.bridge.mxnet_files.cursor import Cursor, DamagedFileError

_LOCAL_HEADER = struct.Struct("<26xHH")  # of a file inside a zip archive: lengths of its name and extra field
_FORMAT: Any = np.lib.format  # untyped in numpy
_HEADER_READERS = {
    (1, 0): _FORMAT.read_array_header_1_0,
    (2, 0): _FORMAT.read_array_header_2_0,
}


def is_npz(beginning: bytes) -> bool:
    """Whether a file with this beginning is a zip archive."""
    return beginning.startswith(b"PK\x03\x04")


def npz_arrays(path: Path, content: npt.NDArray[np.uint8]) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield name and array, a view of `content`, for every member of the archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise DamagedFileError(f"the archive cannot be read: {error}") from error
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or not member.filename.endswith(".npy"):
            raise DamagedFileError(f"{member.filename} is not an uncompressed .npy file")
        yield member.filename.removesuffix(".npy"), _array(member, content)


def _array(member: zipfile.ZipInfo, content: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
    start = member.header_offset + _LOCAL_HEADER.size
    if start > content.size:
        raise DamagedFileError(f"{member.filename} lies beyond the end")
    name_length, extra_length = _LOCAL_HEADER.unpack(content[member.header_offset : start].tobytes())
    start += name_length + extra_length
    stored = content[start : start + member.file_size]
    shape, in_columns, dtype, header_length = _header(member.filename, stored)
    values = Cursor(stored[header_length:]).array(dtype, shape[::-1] if in_columns else shape)
    return values.T if in_columns else values


def _header(name: str, stored: npt.NDArray[np.uint8]) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Read shape, order, dtype and length of the header of an .npy file."""
    stream = BytesIO(stored[:65536].tobytes())
    try:
        version = _FORMAT.read_magic(stream)
        shape, in_columns, dtype = _HEADER_READERS[version](stream)
    except (KeyError, ValueError, EOFError, TypeError) as error:
        raise DamagedFileError(f"{name} is not an .npy file: {str(error).splitlines()[0]}") from error
    if dtype.kind not in "fiub" or any(size < 0 for size in shape) or prod(shape) * dtype.itemsize > stored.size:
        raise DamagedFileError(f"{name} declares {shape} of {dtype}, which it does not hold")
    return shape, in_columns, dtype, stream.tell()
