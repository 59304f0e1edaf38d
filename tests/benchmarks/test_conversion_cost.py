"""A conversion costs little more than copying the weights out of MXNet and writing them once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.own_process import measured


@pytest.mark.parametrize(("net_name", "most_time"), [("vgg16", 3.0), ("resnet50_v1", 6.0)])
def test_time_and_memory(net_name: str, most_time: float, pytestconfig: pytest.Config, mx: Any) -> None:
    if not pytestconfig.getoption("--benchmarks"):
        pytest.skip("benchmarks run with --benchmarks")
    row = measured("tests.benchmarks.measure", net_name, minutes=10)
    print(row)
    assert row["time_ratio"] <= most_time, row
    assert row["memory_ratio"] <= 1.5, row
