"""Every family of classifiers converts and agrees with MXNet; with --full-zoo, every net, and the page is written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.zoo import page
from tests.zoo.families import REPRESENTATIVES

ROOT = Path(__file__).parents[2]
MINUTES = 60


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "net_name" in metafunc.fixturenames:
        names = REPRESENTATIVES
        if metafunc.config.getoption("--full-zoo"):
            from bridge.zoo import classifier_names

            names = tuple(classifier_names())
        metafunc.parametrize("net_name", names)


def test_net_agrees(net_name: str, pytestconfig: pytest.Config, mx: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.zoo.measure", net_name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60 * MINUTES,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    row = json.loads(done.stdout)
    if pytestconfig.getoption("--full-zoo"):
        page.store(row)
        page.PAGE.write_text(page.render(page.load()))
    assert not row["failed"]
    assert row["errors"]
    assert max(row["errors"].values()) <= 1e-4, row["errors"]


def test_the_page_shows_what_was_measured() -> None:
    assert page.PAGE.read_text() == page.render(page.load())


def test_every_classifier_was_measured_on_opencv_and_a_real_caffe(mx: Any) -> None:
    from bridge.zoo import classifier_names

    rows = {row["name"]: row for row in page.load()}
    assert sorted(rows) == classifier_names()
    assert len(rows) == 129
    for name, row in rows.items():
        assert len(row["errors"]) >= 2, name
        assert max(row["errors"].values()) <= 1e-4, name
