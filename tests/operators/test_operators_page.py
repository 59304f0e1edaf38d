"""docs/operators.md says what the code does, for all operators that the installed onnx and the page have in common."""

import onnx.defs
import pytest

from gluon2caffe.onnx2caffe.decomposed import DECOMPOSED
from gluon2caffe.onnx2caffe.left_out import LEFT_OUT
from gluon2caffe.onnx2caffe.targets import PROFILES
from tests.operators.measure import Taken, beyond_installed, measure, operators
from tests.operators.page import PAGE, rows_of, support_rows, target_section


@pytest.fixture(scope="module")
def measured() -> dict[str, Taken]:
    return measure()


def _lines() -> list[str]:
    return PAGE.read_text(encoding="utf-8").splitlines()


def test_page_is_fresh(measured: dict[str, Taken]) -> None:
    lines = set(_lines())
    unknown = beyond_installed()
    stale = {
        name: row
        for name, row in support_rows(measured).items()
        if name not in unknown and not lines.issuperset(row.splitlines())
    }
    assert stale == {}, "run `make docs`"
    rows = [*rows_of(LEFT_OUT, "why").values(), *rows_of(DECOMPOSED, "replaced by").values()]
    assert lines.issuperset(line for row in rows for line in row.splitlines()), "run `make docs`"


def test_page_lists_no_operator_that_is_gone(measured: dict[str, Taken]) -> None:
    listed = {
        line.split(" | ")[0][2:] for line in _lines() if line.startswith("| ") and not line.startswith("| operator")
    }
    assert listed - set(operators()) - set(LEFT_OUT) - set(DECOMPOSED) == set()


def test_every_operator_is_lowered_or_decomposed_or_unsupported_with_a_reason() -> None:
    known = {schema.name for schema in onnx.defs.get_all_schemas() if not schema.domain}
    assert known - set(operators()) - set(LEFT_OUT) - set(DECOMPOSED) == set()
    assert set(operators()) & set(LEFT_OUT) == set(operators()) & set(DECOMPOSED) == set(LEFT_OUT) & set(DECOMPOSED)
    assert set(operators()) & set(LEFT_OUT) == set()


def test_default_target_takes_every_case_but_those_of_region_pooling(measured: dict[str, Taken]) -> None:
    partly = {name for name, row in measured.items() if row.taken["ssd"] != row.cases and name in operators()}
    assert partly == {"MaxRoiPool"}


def test_page_says_what_each_target_takes_and_which_faults_its_files_avoid() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name, profile in PROFILES.items() if target_section(profile).rstrip() not in text] == []
