"""A conversion costs little more than copying the weights out of MXNet and writing them once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("net_name", "most_time"), [("vgg16", 3.0), ("resnet50_v1", 6.0)])
def test_time_and_memory(net_name: str, most_time: float, pytestconfig: pytest.Config, mx: Any) -> None:
    if not pytestconfig.getoption("--benchmarks"):
        pytest.skip("benchmarks run with --benchmarks")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.measure", net_name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    row = json.loads(done.stdout)
    print(row)
    assert row["time_ratio"] <= most_time, row
    assert row["memory_ratio"] <= 1.5, row
