"""Going through large arrays that lie in a memory-mapped file without having them in memory all at once."""

import mmap
import sys
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_PAGE_OUT: Final = 21  # MADV_PAGEOUT of Linux 5.4, which Python does not name
_LARGE: Final = 2**26  # bytes; reading smaller arrays a second time costs more than their memory is worth
_PIECE: Final = 2**22  # values


def pieces(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield a C-contiguous array piece by piece, flat; one that is not large, or not in a memory map, as a whole.

    When a piece was used, the system may take its memory back. The values stay: pages are read from the file again
    when they are used again, and pages that were written to are kept.
    """
    owner = _memory_map(array) if array.nbytes >= _LARGE and sys.platform == "linux" else None
    flat = array.reshape(-1)
    if owner is None:
        yield flat
        return
    for start in range(0, flat.size, _PIECE):
        piece = flat[start : start + _PIECE]
        yield piece
        _page_out(owner, piece)


def _memory_map(array: npt.NDArray[Any]) -> mmap.mmap | None:
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return owner if isinstance(owner, mmap.mmap) else None


def _page_out(owner: mmap.mmap, piece: npt.NDArray[Any]) -> None:
    start = piece.ctypes.data - np.frombuffer(owner, np.uint8, 1).ctypes.data
    start -= start % mmap.PAGESIZE
    try:
        owner.madvise(_PAGE_OUT, start, piece.nbytes)
    except (OSError, ValueError):  # an older kernel, or a system that forbids it
        return
