"""The INT8 example: its page says what was measured, and 8 bits cost little."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("cv2")

from examples.int8 import page


def test_the_page_says_what_was_measured() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.render(page.load()), "run `python -m examples.int8.measure`"


def test_eight_bits_cost_little() -> None:
    measured = page.load()
    mxnet = measured["MXNet"]["float"]
    for name in ("Sophgo", "Rockchip"):
        row = measured[name]
        assert row["float"]["accuracy"] == mxnet["accuracy"]
        assert abs(row["float"]["precision"] - mxnet["precision"]) < 1e-3
        assert row["int8"]["accuracy"] > mxnet["accuracy"] - 0.01
        assert row["int8"]["precision"] > mxnet["precision"] - 0.01
