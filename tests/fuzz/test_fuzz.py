"""A bounded slice of `make fuzz`, and how its parent takes a child that crashes or hangs."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.fuzz import __main__ as fuzz
from tests.fuzz.child import HANG_STATUS
from tests.fuzz.outcomes import RESULT, Case, Tally
from tests.fuzz.page import PAGE, render
from tests.own_process import ROOT

CASES = 150


def test_a_slice_finds_no_fault() -> None:
    pytest.importorskip("onnxruntime")
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz", "--cases", str(CASES), "--minutes", "8"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    count, faults = done.stdout.splitlines()[-1].split(" cases in ")
    assert int(count) >= CASES * 0.6
    assert faults.endswith(" 0 faults")


def test_a_case_that_ends_its_process_is_a_fault_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def child(title: str, seed: int, count: int, skip: int) -> tuple[list[dict[str, Any]], int, str]:
        last = {0: 1, 2: 2, 3: 4}[skip]
        told = [{"number": number, "end": "agrees", "words": ""} for number in range(skip, last)]
        return (told, *{1: (-11, "Segmentation fault"), 2: (HANG_STATUS, "Timeout (0:02:00)!"), 4: (0, "")}[last])

    monkeypatch.setattr(fuzz, "_run_child", child)
    ends = [(case.number, case.end) for case in fuzz.run_batch("graphs", 5, 4)]
    assert ends == [(0, "agrees"), (1, "crash"), (2, "hang"), (3, "agrees")]


def test_the_record_and_its_page(tmp_path: Any) -> None:
    tally = Tally()
    for end in ("agrees", "agrees", "refused"):
        tally.add(Case("graphs", 0, 0, end))
    tally.add(Case("ONNX files, damaged", 50, 3, "crash", "words"))
    tally.save(tmp_path / "fuzz.json", {"date": "2026-01-01", "seed": 4, "minutes": 1})
    page = render(json.loads((tmp_path / "fuzz.json").read_text()))
    assert "4 cases with seed 4" in page
    assert "| graphs | 3 | 2 | 1 | 0 | 0 | 0 | 0 |" in page
    assert "- the process ended: ONNX files, damaged, seed 50, case 3" in page
    assert "None: no wrong numbers" not in page


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(json.loads(RESULT.read_text(encoding="utf-8"))), "run `make docs`"
