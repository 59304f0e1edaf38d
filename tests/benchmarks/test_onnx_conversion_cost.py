"""Converting a large .onnx file costs little more than reading it and writing its weights once."""

from __future__ import annotations

import pytest

from tests.own_process import measured


@pytest.mark.parametrize("form", ["raw", "floats", "beside", "folded"])
def test_time_and_memory(form: str, pytestconfig: pytest.Config) -> None:
    if not pytestconfig.getoption("--benchmarks"):
        pytest.skip("benchmarks run with --benchmarks")
    row = measured("tests.benchmarks.measure_onnx", form, minutes=10)
    print(row)
    assert row["file_bytes"] > 500e6, row
    assert row["time_ratio"] <= 2.5, row
    assert row["memory_ratio"] <= 2.2, row
