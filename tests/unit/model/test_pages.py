"""Large arrays in memory maps are gone through in pieces, with all their values and little memory."""

import sys
from pathlib import Path

import numpy as np
import pytest

from gluon2caffe.onnx2caffe.pages import pieces

VALUES = 20 * 2**20  # 80 MB of float32


@pytest.fixture
def mapped(tmp_path: Path) -> np.ndarray:
    """A private map of a file, from which a view starts at no page's beginning; some values are written to."""
    (np.arange(VALUES + 7) % 1000).astype(np.float32).tofile(tmp_path / "values")
    view = np.memmap(tmp_path / "values", np.float32, mode="c")[7:].view(np.ndarray).reshape(4, -1)
    view[2, 3:1000] = -1
    return view


def _expected() -> np.ndarray:
    values = (np.arange(7, VALUES + 7) % 1000).astype(np.float32).reshape(4, -1)
    values[2, 3:1000] = -1
    return values


def test_pieces_are_the_whole_and_can_be_gone_through_again(mapped: np.ndarray) -> None:
    for _ in range(2):
        found = np.concatenate([piece.copy() for piece in pieces(mapped)])
        assert np.array_equal(found, _expected().ravel())
    assert len(list(pieces(mapped))) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked to take memory back")
def test_memory_of_pieces_that_were_used_is_given_back(mapped: np.ndarray) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    before, most = resident(), 0
    for piece in pieces(mapped):
        assert np.isfinite(piece.sum())
        most = max(most, resident() - before)
    assert most < 40 * 2**20


def test_other_arrays_are_left_whole() -> None:
    small, owned = np.arange(6).reshape(2, 3), np.zeros(VALUES, np.float32)
    assert [piece.tolist() for piece in pieces(small)] == [[0, 1, 2, 3, 4, 5]]
    assert [piece.size for piece in pieces(owned)] == [VALUES]
