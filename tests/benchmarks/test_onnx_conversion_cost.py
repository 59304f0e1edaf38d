"""Converting a large .onnx file costs little more than reading it and writing its weights once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("form", ["raw", "floats", "beside", "folded"])
def test_time_and_memory(form: str, pytestconfig: pytest.Config) -> None:
    if not pytestconfig.getoption("--benchmarks"):
        pytest.skip("benchmarks run with --benchmarks")
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.measure_onnx", form],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    row = json.loads(done.stdout)
    print(row)
    assert row["file_bytes"] > 500e6, row
    assert row["time_ratio"] <= 2.5, row
    assert row["memory_ratio"] <= 2.2, row
