"""Small SSDs of the zoo agree with MXNet; with --full-zoo, every float SSD, and the page is written."""

from __future__ import annotations

from typing import Any

import pytest

from gluon2caffe.onnx2caffe.errors import SourceError
from tests.own_process import measured
from tests.zoo import detector_page

MINUTES = 30
# One of each kind of heads: fractional sizes are in all ssd_512, LiteAnchorGenerator in the lite one, and the layer
# L2Normalization and the multiplied input in those on VGG.
REPRESENTATIVES = ("ssd_300_mobilenet0.25_voc", "ssd_300_mobilenet1.0_lite_coco", "ssd_512_mobilenet1.0_voc")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "detector_name" in metafunc.fixturenames:
        names = REPRESENTATIVES
        if metafunc.config.getoption("--full-zoo"):
            from tests.zoo.detectors import detector_names

            names = tuple(detector_names())
        metafunc.parametrize("detector_name", names)


@pytest.fixture(scope="module")
def names() -> list[str]:
    """The float SSDs of the zoo."""
    from tests.zoo.detectors import detector_names

    try:
        return detector_names()
    except SourceError as error:
        pytest.skip(str(error))


def test_detector_agrees(detector_name: str, names: list[str], pytestconfig: pytest.Config) -> None:
    assert detector_name in names
    row = measured("tests.zoo.detectors", detector_name, minutes=MINUTES)
    if pytestconfig.getoption("--full-zoo"):
        detector_page.MEASUREMENTS.store(row)
        detector_page.PAGE.write_text(detector_page.render(detector_page.MEASUREMENTS.load()))
    agrees(row)
    assert set(row["scores"]) >= {"OpenCV", "onnxruntime"}


def agrees(row: dict[str, Any]) -> None:
    """Assert that all detections were found again, and that there were enough to tell."""
    assert row["passed"], row
    assert not row["failed"]
    assert not row["problems"]
    assert row["detections"] == 100
    assert row["detected_classes"] >= min(10, row["classes"])
    assert max(row["scores"].values()) <= 1e-4, row["scores"]
    assert max(row["corners"].values()) <= 0.05, row["corners"]


def test_the_page_shows_what_was_measured() -> None:
    assert detector_page.PAGE.read_text() == detector_page.render(detector_page.MEASUREMENTS.load())


def test_every_detector_was_measured_on_opencv_and_a_real_caffe(names: list[str]) -> None:
    rows = {row["name"]: row for row in detector_page.MEASUREMENTS.load()}
    assert sorted(rows) == names
    assert len(rows) == 23
    for row in rows.values():
        agrees(row)
        assert set(row["scores"]) > {"OpenCV", "onnxruntime"}
