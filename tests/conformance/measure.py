"""`python -m tests.conformance.measure` runs every conformance test and writes docs/conformance.json and .md."""

from __future__ import annotations

import sys
from typing import Any

import onnx

from tests.agreement import close_workers, workers
from tests.conformance import page
from tests.conformance.backend import one_of_each_kind
from tests.conformance.cases import Conformance, conformance_tests
from tests.conformance.exclusions import BUGS, not_run, reason_of
from tests.conformance.outcome import outcome_of


def row_of(case: Conformance) -> dict[str, Any]:
    """What the page's data say of a test: operator, outcome ("passed", "excluded" or "failed"), reason."""
    row: dict[str, Any] = {"operator": case.operator}
    skipped = not_run(case.id)
    if skipped is not None:
        return row | {"outcome": "excluded", "run": False, "reason": skipped.reason}
    outcome = outcome_of(case)
    if outcome.what == "passed":
        return row | {"outcome": "passed"} | ({"weights": list(outcome.weights)} if outcome.weights else {})
    reason = reason_of(case.id, outcome.text) if outcome.what == "refused" else None
    if reason is not None:
        return row | {"outcome": "excluded", "reason": reason}
    return row | {"outcome": "failed", "reason": BUGS.get(case.id, outcome.text.strip().split("\n")[0])}


def main() -> int:
    """Measure and write; the exit status is 1 when a test fails by no known bug."""
    rows: dict[str, dict[str, Any]] = {}
    for case in conformance_tests():
        rows[case.id] = row_of(case)
        if rows[case.id]["outcome"] == "failed":
            print(f"{case.id}: {rows[case.id]['reason']}", file=sys.stderr)
    readers = sorted(reader.name for reader in one_of_each_kind(workers()))
    close_workers()
    page.store(onnx.__version__, readers, rows)
    page.PAGE.write_text(page.render(page.load()))
    counts = page.counts(rows.values())
    print(f"{counts['passed']} passed, {counts['excluded']} excluded, {counts['failed']} failed")
    return int(any(row["outcome"] == "failed" and test not in BUGS for test, row in rows.items()))


if __name__ == "__main__":
    sys.exit(main())
