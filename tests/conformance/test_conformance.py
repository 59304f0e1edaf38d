"""ONNX's conformance tests, each as docs/conformance.json has it."""

from __future__ import annotations

import onnx
import pytest

from tests.conformance import page
from tests.conformance.cases import Conformance, conformance_tests
from tests.conformance.exclusions import BUGS, EXCLUSIONS, NOT_RUN, not_run, reason_of
from tests.conformance.outcome import Outcome, outcome_of

MEASURE = "`python -m tests.conformance.measure` measures anew"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    groups = ("passed", "excluded", "failed", "unmeasured")
    if not set(groups) & set(metafunc.fixturenames):
        return
    measured = page.load()
    rows = measured["tests"] if measured["onnx"] == onnx.__version__ else {}
    found: dict[str, list[Conformance]] = {group: [] for group in groups}
    for case in conformance_tests():
        if not not_run(case.id):
            found[rows[case.id]["outcome"] if case.id in rows else "unmeasured"].append(case)
    for group in set(groups) & set(metafunc.fixturenames):
        metafunc.parametrize(group, found[group], ids=lambda case: case.id)


def test_passes(passed: Conformance) -> None:
    outcome = _outcome(passed)
    assert outcome.what == "passed", f"{outcome.what}: {outcome.text}"


def test_is_refused_for_the_reason_given(excluded: Conformance) -> None:
    outcome = _outcome(excluded)
    assert outcome.what == "refused", f"{outcome.what} {outcome.text}, though excluded; {MEASURE}"
    assert reason_of(excluded.id, outcome.text) == page.load()["tests"][excluded.id]["reason"], outcome.text


def test_fails_by_a_known_bug(failed: Conformance) -> None:
    assert failed.id in BUGS, f"{failed.id} fails, and no bug is named in exclusions.BUGS"
    outcome = _outcome(failed)
    assert outcome.what == "failed", f"{failed.id} is {outcome.what}: take it out of exclusions.BUGS; {MEASURE}"


def test_computes_what_is_expected_or_refuses(unmeasured: Conformance) -> None:
    outcome = _outcome(unmeasured)
    assert outcome.what in ("passed", "refused"), outcome.text


def test_the_page_shows_what_was_measured() -> None:
    assert page.PAGE.read_text() == page.render(page.load())


def test_every_conformance_test_was_measured() -> None:
    measured = page.load()
    if measured["onnx"] != onnx.__version__:
        pytest.skip(f"docs/conformance.json was made with onnx {measured['onnx']}, this is {onnx.__version__}")
    assert sorted(measured["tests"]) == sorted(case.id for case in conformance_tests())


def test_every_exclusion_is_the_reason_of_a_test() -> None:
    given = {row["reason"] for row in page.load()["tests"].values() if row["outcome"] == "excluded"}
    assert {row.reason for row in EXCLUSIONS} == given


def test_only_what_the_table_names_is_not_run() -> None:
    left_out = {test for test, row in page.load()["tests"].items() if row.get("run") is False}
    assert left_out == {test for row in EXCLUSIONS if row.expected == NOT_RUN for test in row.tests}


def _outcome(case: Conformance) -> Outcome:
    outcome = outcome_of(case)
    if outcome.what == "not run":
        pytest.skip(outcome.text)
    return outcome
