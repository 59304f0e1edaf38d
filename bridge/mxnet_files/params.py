"""Reading `.params` files by memory map: what ``mx.nd.save`` writes since MXNet 0.7, and MXNet 2's npz.

Layout, little-endian: uint64 0x112, uint64 0, uint64 count, the arrays, uint64 count of names, and per name uint64
length and bytes. See `_array` for one array.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gluon2caffe.bridge.mxnet_files.content import mistaken_for
from gluon2caffe.bridge.mxnet_files.cursor import Cursor, DamagedFileError
from gluon2caffe.bridge.mxnet_files.npz import is_npz, npz_arrays
from gluon2caffe.onnx2caffe.errors import SourceError

Array = npt.NDArray[Any]

_LIST_MAGIC: Final = 0x112
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_MAX_RANK: Final = 32  # what numpy < 2 can hold
_BFLOAT16: Final = 12
_DTYPES: Final[dict[int, np.dtype[Any]]] = {
    0: np.dtype("<f4"),
    1: np.dtype("<f8"),
    2: np.dtype("<f2"),
    3: np.dtype("u1"),
    4: np.dtype("<i4"),
    5: np.dtype("i1"),
    6: np.dtype("<i8"),
    7: np.dtype("?"),
    _BFLOAT16: np.dtype("<u2"),
}
_DENSE, _ROW_SPARSE, _CSR = 0, 1, 2


@dataclass(frozen=True)
class Parameters:
    """The named arrays of a parameter file.

    Attributes:
        arrays: name without ``arg:`` and ``aux:`` -> array. Floating-point arrays are float32, integers as stored.
            Arrays stored densely are views of a private memory map: writing to one changes neither the file nor the
            others, and costs the memory of the pages written.
        notes: one sentence for each precision that became float32.
    """

    arrays: dict[str, Array]
    notes: list[str] = field(default_factory=list)


def read_params(path: str | PathLike[str]) -> Parameters:
    """Read a parameter file of any MXNet version.

    Raises:
        SourceError: the file is missing, damaged, of another kind, or its arrays have no names.
    """
    path = Path(path)
    try:
        content = np.memmap(path, np.uint8, mode="c") if path.stat().st_size else np.zeros(0, np.uint8)
    except OSError as error:
        raise SourceError(f"{path}: the parameter file cannot be read ({error.strerror}).") from error
    beginning = content[:32].tobytes()
    try:
        if what := mistaken_for(beginning):
            raise DamagedFileError(what)
        stored = dict(npz_arrays(path, content) if is_npz(beginning) else _named_arrays(Cursor(content), path))
    except DamagedFileError as error:
        raise SourceError(
            f"{path} is not a complete MXNet parameter file ({error}). Try: save or download it again."
        ) from error
    named = {key.removeprefix("arg:").removeprefix("aux:"): array for key, array in stored.items()}
    return _in_single_precision(named)


def _in_single_precision(arrays: dict[str, Array]) -> Parameters:
    """Convert float16, float64 and bfloat16 to float32."""
    converted: dict[str, Array] = {}
    kinds: dict[str, int] = defaultdict(int)
    for name, array in arrays.items():
        if isinstance(array, _Bfloat16):
            kinds["bfloat16"] += 1
            converted[name] = array.as_float32()
        elif array.dtype.kind == "f" and array.dtype != np.float32:
            kinds[array.dtype.name] += 1
            with np.errstate(over="ignore"):
                converted[name] = array.astype(np.float32)
        else:
            converted[name] = array
    notes = [f"{count} parameters in {kind} were converted to float32." for kind, count in kinds.items()]
    return Parameters(converted, notes)


class _Bfloat16(np.ndarray[Any, Any]):
    """The upper halves of float32 numbers, as uint16."""

    def as_float32(self) -> Array:
        wide = np.asarray(self).astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)


def _named_arrays(cursor: Cursor, path: Path) -> Iterator[tuple[str, Array]]:
    if cursor.uint64() != _LIST_MAGIC:
        raise DamagedFileError("it does not start with MXNet's magic number 0x112")
    cursor.uint64()
    arrays = [_array(cursor) for _ in range(cursor.count(4))]
    names = [cursor.text() for _ in range(cursor.count(8))]
    if not names and arrays:
        raise SourceError(f"{path} holds {len(arrays)} arrays without names; parameters need names.")
    if len(names) != len(arrays):
        raise DamagedFileError(f"{len(arrays)} arrays but {len(names)} names")
    return ((name, array) for name, array in zip(names, arrays, strict=True) if array is not None)


def _array(cursor: Cursor) -> Array | None:
    """Read one array: magic, storage type, shape, device, dtype, values.

    Before V1 the place of the magic number holds the number of axes, and sizes are uint32; before V2 there is no
    storage type. An array without axes is none before V3, where it is a number and none is told by -1 axes.
    """
    magic = cursor.uint32()
    storage = cursor.int32() if magic in (_V2, _V3) else _DENSE
    if storage == _CSR:
        raise DamagedFileError("an array is stored as csr; only dense and row_sparse parameters are read")
    if storage not in (_DENSE, _ROW_SPARSE):
        raise DamagedFileError(f"storage type {storage} does not exist")
    rows_shape = _shape(cursor) if storage == _ROW_SPARSE else None
    shape = _shape(cursor) if magic in (_V1, _V2, _V3) else _old_shape(cursor, magic)
    if shape is None or (not shape and magic != _V3):
        return None
    cursor.int32()  # device type
    cursor.int32()  # device id
    dtype_number = cursor.int32()
    if dtype_number not in _DTYPES:
        raise DamagedFileError(f"dtype number {dtype_number} does not exist")
    dtype = _DTYPES[dtype_number]
    values = cursor.array(dtype, shape) if rows_shape is None else _dense(cursor, dtype, shape, rows_shape)
    return values.view(_Bfloat16) if dtype_number == _BFLOAT16 else values


def _shape(cursor: Cursor) -> tuple[int, ...] | None:
    rank = cursor.int32()
    if rank == -1:
        return None
    if not 0 <= rank <= _MAX_RANK:
        raise DamagedFileError(f"an array of {rank} axes")
    return cursor.sizes("q", rank)


def _old_shape(cursor: Cursor, rank: int) -> tuple[int, ...]:
    if rank > _MAX_RANK:
        raise DamagedFileError(f"an array starts with {rank:#x}, which no version of the format has")
    return cursor.sizes("I", rank)


def _dense(cursor: Cursor, dtype: np.dtype[Any], shape: tuple[int, ...], rows_shape: tuple[int, ...] | None) -> Array:
    """Read a row_sparse array (index dtype and shape, the rows, their indices) into its dense form."""
    index_number = cursor.int32()
    index_shape = _shape(cursor)
    if index_number not in (4, 6) or index_shape is None or len(index_shape) != 1:
        raise DamagedFileError("the row indices of a row_sparse array are damaged")
    if rows_shape != (*index_shape, *shape[1:]):
        raise DamagedFileError(f"a row_sparse array of shape {shape} holds rows of shape {rows_shape}")
    rows = cursor.array(dtype, rows_shape)
    indices = cursor.array(_DTYPES[index_number], index_shape)
    if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < shape[0]:
        raise DamagedFileError("a row index of a row_sparse array is out of range")
    size = dtype.itemsize * prod(shape)
    if size > 2 * cursor.length:
        raise DamagedFileError(f"a row_sparse array would take {size} bytes, more than twice the file")
    dense = np.zeros(shape, dtype)
    dense[indices] = rows
    return dense
