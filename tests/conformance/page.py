"""The page docs/conformance.md, made from what was measured, docs/conformance.json.

`python -m tests.conformance.page` writes the page; `python -m tests.conformance.measure` measures first.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from tests.zoo.page import DOCS

MEASUREMENTS = DOCS / "conformance.json"
PAGE = DOCS / "conformance.md"
OUTCOMES = ("passed", "excluded", "failed")

HEAD = """# ONNX's conformance tests

ONNX comes with tests of every operator, `onnx.backend.test`: a model, what it is fed and what it must give. Here each
is converted and run on {readers}.

A test **passes** when every reader that has the layers gives what is expected, to ONNX's own tolerance of 1e-3 of each
value, or to 1e-6 of the largest. It is **excluded** when the converter refuses the
model with an error that says why; every such test is run too, and must be refused. Made with onnx {onnx}.

The tests feed weights like any other input, while a Caffe net is made for its weights. A model that is refused with all
its inputs computed is tried again with all but one of them as weights: {weights} of the passed tests are of this kind.

| | passed | excluded | failed |
|---|--:|--:|--:|
| **all tests** | **{passed}** | **{excluded}** | **{failed}** |
"""


def load() -> dict[str, Any]:
    """What was measured: versions, readers, and a row for each test."""
    return json.loads(MEASUREMENTS.read_text())


def store(version: str, readers: list[str], rows: dict[str, dict[str, Any]]) -> None:
    """Write what was measured, a test on each line."""
    lines = [f"  {json.dumps(test)}: {json.dumps(row, ensure_ascii=False)}" for test, row in rows.items()]
    head = f'{{"onnx": {json.dumps(version)},\n "readers": {json.dumps(readers)},\n "tests": {{\n'
    MEASUREMENTS.write_text(head + ",\n".join(lines) + "\n }\n}\n")


def counts(rows: Iterable[dict[str, Any]]) -> Counter[str]:
    """How many tests passed, are excluded and failed."""
    return Counter(row["outcome"] for row in rows)


def render(measured: dict[str, Any]) -> str:
    """The page."""
    rows = list(measured["tests"].values())
    by_operator: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_operator[row["operator"]].append(row)
    total = counts(rows)
    weights = sum("weights" in row for row in rows)
    readers = _sentence(measured["readers"])
    text = HEAD.format(
        readers=readers, onnx=measured["onnx"], weights=weights, **{name: total[name] for name in OUTCOMES}
    )
    lines = [text, "## Why tests are excluded\n", "| reason | tests |", "|---|--:|"]
    reasons = Counter(row["reason"] for row in rows if row["outcome"] == "excluded")
    idle = {row["reason"] for row in rows if row.get("run") is False}
    for reason, number in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
        lines.append(f"| {reason}{' (not run)' if reason in idle else ''} | {number} |")
    lines += ["\n## By operator\n", "| operator | passed | excluded | failed | why |", "|---|--:|--:|--:|---|"]
    for operator in sorted(by_operator, key=lambda name: (name.startswith("("), name)):
        mine = by_operator[operator]
        number = counts(mine)
        why = dict.fromkeys(row["reason"] for row in mine if row["outcome"] != "passed")
        lines.append(f"| {operator} | {' | '.join(str(number[name]) for name in OUTCOMES)} | {'; '.join(why)} |")
    return "\n".join(lines) + "\n"


def _sentence(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


if __name__ == "__main__":
    PAGE.write_text(render(load()))
