"""The faults that are planted, how they are tried, and the page about them."""

import ast
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.mutation.coverage_map import MOST_CASES, CoverageMap
from tests.mutation.operators import mutations, planted
from tests.own_process import ROOT

SOURCE = '''
KINDS = frozenset({"Conv", "Gemm"})

def size(x: int, *, low: int = 0) -> int:
    """Say 1 + 1."""
    if x < low or not x:
        raise ValueError(f"{x + 1} is below")
    return max(x, 2.5) - sorted([x], key=abs)[0]
'''
CHANGES = [
    (2, "'Conv' is left out of a set", False),
    (2, "'Gemm' is left out of a set", False),
    (4, "0 becomes 1", False),
    (6, "`if x < low or not x` becomes `if False`", False),
    (6, "`if x < low or not x` becomes `if True`", False),
    (7, "`raise ValueError(f'{x + 1} is below')` is left out", True),
    (6, "or becomes and", True),
    (6, "`x < low` is left out of or", True),
    (6, "`not x` is left out of or", True),
    (6, "< becomes <=", True),
    (6, "not is left out", True),
    (8, "- becomes +", False),
    (8, "max() becomes min()", False),
    (8, "2.5 becomes 5.0", False),
    (8, "sorted() becomes list()", False),
    (8, "`key=` is left out of sorted()", False),
    (8, "0 becomes 1", False),
]


def test_every_kind_of_fault_and_where_it_is() -> None:
    assert [(each.line, each.words, each.guard) for each in mutations(SOURCE)] == CHANGES


def test_each_fault_changes_the_code_in_its_own_way() -> None:
    texts = [ast.unparse(planted(SOURCE, index)) for index in range(len(CHANGES))]
    assert len({*texts, ast.unparse(ast.parse(SOURCE))}) == len(CHANGES) + 1
    assert "if x < low or not x:\n        pass\n" in texts[5]
    assert "if x < low and (not x):" in texts[6]
    assert "if False or not x:" in texts[7]
    assert "if x < low or not not x:" in texts[10]


def test_the_cases_of_a_line_or_of_its_file() -> None:
    many = [f"case{number:03}" for number in range(400)]
    known = CoverageMap({"a.py": {3: ["one", "two"], 4: many}}, {"a.py": ["one", "two", "three"]})
    assert known.cases("a.py", 3) == ["one", "two"]
    assert known.others("a.py", 3) == []
    assert known.cases("a.py", 1) == ["one", "two", "three"]  # run at import
    assert known.cases("b.py", 1) == []
    assert len(known.cases("a.py", 4)) == MOST_CASES
    assert not set(known.cases("a.py", 4)) & set(known.others("a.py", 4))


def test_a_fault_is_caught_and_none_is_not() -> None:
    file, case = "onnx2caffe/node.py", "tests/regression/test_guards.py::test_axes_outside_a_tensor_are_refused"
    found = mutations((ROOT / file).read_text(encoding="utf-8"))
    (guard,) = [each for each in found if each.words == "`if not -rank <= value < rank` becomes `if False`"]
    jobs = [{"file": file, "index": index, "cases": [case]} for index in (guard.index, None)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation.trial"],
        cwd=ROOT,
        input="".join(json.dumps(job) + "\n" for job in jobs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert [json.loads(line)["end"] for line in done.stdout.splitlines()] == ["caught", "survived"], done.stderr


def _row(end: str, words: str = "0 becomes 1", guard: bool = False) -> dict[str, Any]:
    return {"file": "ssd_heads/a.py", "index": 0, "line": 7, "words": words, "guard": guard, "end": end, "seconds": 1}


def test_the_score_counts_what_changes_behaviour(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.mutation import harmless, page

    monkeypatch.setitem(harmless.HARMLESS, ("ssd_heads/a.py", "1 becomes 2"), "It is never read.")
    rows = [_row("caught"), _row("hung"), _row("caught", guard=True), _row("survived", guard=True)]
    rows.append(_row("survived", "1 becomes 2"))
    record = {"date": "2026-01-01", "commit": "abc", "seed": 3, "per_file": 2, "all": 99, "rows": rows}
    text = page.render(record)
    assert "5 of 99 possible faults (2 drawn from each file, seed\n3)" in text
    assert "| ssd_heads | 5 | 2 | 1 | 1 | 1 | 67 % |" in text
    assert "| guards and refusals | 2 | 1 | 0 | 1 | 0 | 50 % |" in text
    assert "- `ssd_heads/a.py:7`: 1 becomes 2. It is never read." in text
    assert "- `ssd_heads/a.py:7`: 0 becomes 1\n" in text


def test_the_page_is_fresh() -> None:
    from tests.mutation.page import PAGE, RESULT, render

    assert PAGE.read_text(encoding="utf-8") == render(json.loads(RESULT.read_text(encoding="utf-8"))), "run `make docs`"
