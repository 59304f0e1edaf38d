"""docs/readers.md says what was measured."""

from __future__ import annotations

from tests.readers import page

MEASURED = page.load()


def test_the_page_says_what_was_measured() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.render(MEASURED, page.load_trained()), (
        "run `python -m tests.readers.page`"
    )


def test_the_page_counts() -> None:
    row = {
        "version": "1.2",
        "target": "mnn",
        "date": "2026-01-02",
        "tolerance": 1e-4,
        "counts": {"agreed": 1001, "wrong": 1, "failed": 1, "refused": 2},
        "largest": 2e-6,
        "operators": {"Abs": {"agreed": 1001}, "Add": {"wrong": 1, "failed": 1}, "Clip": {"refused": 2}},
        "wrong": {"sum: of two": 0.5},
        "failed": {"sum: of three": "a | b"},
    }
    text = page.render({"A": row}, {})
    assert "| A | 1.2 | `mnn` | 2026-01-02 | 1,001 | 1 | 1 | 0 | 2 | 2.0e-06 | 1e-04 |" in text
    assert "| Abs | 1001 |\n| Add | 0 of 2 |\n| Clip | – |\n" in text
    assert "## What A gets wrong or fails on\n\n- wrong: sum: of two (0.5)\n- failed: sum: of three: `a / b`\n" in text


def test_the_trained_nets_are_as_good_on_every_reader_as_in_mxnet() -> None:
    trained = page.load_trained()
    assert [name for name, row in trained.items() if not page.is_as_good(row, trained["MXNet"])] == []
