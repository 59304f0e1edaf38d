"""The page of input sizes shows what was measured."""

from tests.input_sizes.measure import MEASUREMENTS, NETS, RUNS
from tests.input_sizes.page import PAGE, render


def test_the_page_shows_what_was_measured() -> None:
    assert PAGE.read_text() == render(MEASUREMENTS.load(), RUNS)


def test_every_net_was_measured_on_opencv_and_a_real_caffe() -> None:
    rows = {row["name"]: row for row in MEASUREMENTS.load()}
    assert sorted(rows) == sorted(NETS)
    for row in rows.values():
        assert "OpenCV" in row["milliseconds"] and len(row["milliseconds"]) >= 2
        assert row["layers"]["any"] >= row["layers"]["free"] > 0
