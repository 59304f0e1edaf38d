import pytest
from agreement import Case, table

import gluon2caffe
from gluon2caffe import UnsupportedModelError


def _det(shape: str) -> Case:
    return Case(f"(float[{shape}] x) => (float[] y) {{ y = Det(x) }}")


CASES = {shape: _det(shape) for shape in ("2,3,1,1", "4,2,2", "2,3,2,2", "3,3", "5,3,3", "1,2,2,3,3")}


@table(CASES)
def test_agrees(case: Case) -> None:
    case.check()


def test_larger_matrices_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match=r"determinant of 4×4 matrices: the sum of 4! products"):
        gluon2caffe.to_caffe(_det("2,4,4").model())
