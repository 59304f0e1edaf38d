"""Damaged copies of small models: each converts or ends in a ConversionError, and none hangs or brings Python down."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.onnx_door.mutations import TEXTS, altered, damaged, small_model

ROOT = Path(__file__).parents[3]
FEW, MANY = 200, 5000


@pytest.mark.parametrize("name", TEXTS)
def test_no_traceback_and_no_hang(name: str, pytestconfig: pytest.Config) -> None:
    count = MANY if pytestconfig.getoption("--fuzz") else FEW
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.onnx_door.mutations", name, "0", str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=count,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, "\n".join([*lines[-1:], *(line for line in lines if "FAILED" in line), done.stderr])
    ends = [line.split()[1].rstrip(":") for line in lines if not line.startswith("...")]
    assert len(ends) == count
    # Some damage leaves a model that is still one; most does not.
    assert 0.03 * count < ends.count("converted") < 0.6 * count
    assert ends.count("converted") + ends.count("refused") == count


def test_damage_is_the_same_every_time() -> None:
    content = small_model("classifier")
    assert [damaged(content, seed) for seed in range(20)] == [damaged(content, seed) for seed in range(20)]
    models = [altered(content, seed) for seed in range(20)]
    assert models == [altered(content, seed) for seed in range(20)]
    assert sum(model != content for model in models) > 15
