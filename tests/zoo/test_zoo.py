"""Every family of classifiers converts and agrees with MXNet; with --full-zoo, every net, and the page is written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.own_process import measured
from tests.zoo import page
from tests.zoo.families import REPRESENTATIVES

MINUTES = 60


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "net_name" in metafunc.fixturenames:
        names = REPRESENTATIVES
        if metafunc.config.getoption("--full-zoo"):
            from gluon2caffe.bridge.zoo import classifier_names

            names = tuple(classifier_names())
        metafunc.parametrize("net_name", names)


def test_net_agrees(net_name: str, pytestconfig: pytest.Config, mx: Any) -> None:
    row = measured("tests.zoo.measure", net_name, minutes=MINUTES)
    if pytestconfig.getoption("--full-zoo"):
        page.MEASUREMENTS.store(row)
        page.PAGE.write_text(page.render(page.MEASUREMENTS.load(), page.SIZES.load()))
    assert not row["failed"]
    assert row["errors"]
    assert max(row["errors"].values()) <= 1e-4, row["errors"]


def test_the_page_shows_what_was_measured() -> None:
    assert page.PAGE.read_text() == page.render(page.MEASUREMENTS.load(), page.SIZES.load())


def test_every_classifier_was_measured_on_opencv_and_a_real_caffe(mx: Any) -> None:
    from gluon2caffe.bridge.zoo import classifier_names

    rows = {row["name"]: row for row in page.MEASUREMENTS.load()}
    assert sorted(rows) == classifier_names()
    assert len(rows) == 129
    for name, row in rows.items():
        assert len(row["errors"]) >= 2, name
        assert max(row["errors"].values()) <= 1e-4, name


def test_the_sizes_of_every_classifier_were_found_out() -> None:
    assert [row["name"] for row in page.SIZES.load()] == [row["name"] for row in page.MEASUREMENTS.load()]


@pytest.mark.parametrize("name", ["cifar_resnet20_v1", "resnet18_v1", "mobilenet0.25", "squeezenet1.1"])
def test_the_sizes_on_the_page_are_those_of_the_files(name: str, mx: Any) -> None:
    from tests.zoo.sizes import sizes_of

    (row,) = (row for row in page.SIZES.load() if row["name"] == name)
    assert sizes_of(name) == row
