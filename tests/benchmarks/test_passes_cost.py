"""The invariants cost little of a conversion; passes take time in proportion to the nodes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.measure_passes import CHAINS
from tests.own_process import measured


def test_invariants(pytestconfig: pytest.Config, mx: Any) -> None:
    if not pytestconfig.getoption("--benchmarks"):
        pytest.skip("benchmarks run with --benchmarks")
    row = measured("tests.benchmarks.measure_passes", "invariants", "resnet50_v1", minutes=10)
    print(row)
    assert 0 < row["share"] <= 0.05, row


@pytest.mark.parametrize("chain", CHAINS)
def test_ten_times_the_nodes_take_ten_times_as_long(chain: str, pytestconfig: pytest.Config) -> None:
    if not pytestconfig.getoption("--benchmarks"):
        pytest.skip("benchmarks run with --benchmarks")
    row = measured("tests.benchmarks.measure_passes", "growth", chain, minutes=10)
    print(row)
    assert row["time_ratio"] <= 12, row
