"""Reading numbers, names and arrays one after the other from the bytes of a file, never beyond their end."""

import struct
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt


class DamagedFileError(Exception):
    """A file that says something that cannot be so; the message says what."""


class Cursor:
    """A place in `content` (uint8) that moves forwards."""

    def __init__(self, content: npt.NDArray[np.uint8]) -> None:
        self._content = content
        self._bytes = content.data
        self._place = 0

    @property
    def length(self) -> int:
        """Size of the whole content in bytes."""
        return int(self._content.size)

    @property
    def left(self) -> int:
        """Number of bytes not read yet."""
        return self.length - self._place

    def uint64(self) -> int:
        """Read a number of eight bytes."""
        return self._numbers("<Q")[0]

    def uint32(self) -> int:
        """Read a number of four bytes."""
        return self._numbers("<I")[0]

    def int32(self) -> int:
        """Read a signed number of four bytes."""
        return self._numbers("<i")[0]

    def count(self, smallest: int) -> int:
        """Read how many things follow, each of at least `smallest` bytes."""
        number = self.uint64()
        if number * smallest > self.left:
            raise DamagedFileError(f"{number} entries are declared where {self.left} bytes are left")
        return number

    def sizes(self, kind: str, rank: int) -> tuple[int, ...]:
        """Read a shape whose sizes are packed as `kind` of the module struct."""
        shape = self._numbers(f"<{rank}{kind}")
        if any(size < 0 for size in shape):
            raise DamagedFileError(f"an array of shape {shape}")
        return shape

    def text(self) -> str:
        """Read a length and as many bytes of UTF-8."""
        try:
            return self._take(self.uint64()).tobytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedFileError("a parameter name is no text") from error

    def array(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Return a view of the next values, aligned or not."""
        values: npt.NDArray[Any] = self._take(prod(shape) * dtype.itemsize).view(np.ndarray)
        try:
            return values.view(dtype).reshape(shape)
        except ValueError as error:  # an empty array whose other sizes multiply beyond 64 bits
            raise DamagedFileError(f"an array of shape {shape}") from error

    def _numbers(self, form: str) -> tuple[int, ...]:
        place = self._place
        self._take(struct.calcsize(form))
        return struct.unpack_from(form, self._bytes, place)

    def _take(self, size: int) -> npt.NDArray[np.uint8]:
        if size > self.left:
            raise DamagedFileError(f"{size} bytes are declared where {self.left} are left")
        start = self._place
        self._place += size
        return self._content[start : start + size]
