"""Writes docs/mutation.md from docs/mutation.json: `make mutation` has measured that, `make docs` renders it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.mutation.__main__ import RESULT
from tests.mutation.harmless import word_on

PAGE = RESULT.with_suffix(".md")
CAUGHT = ("caught",)
UNDECIDED = ("hung", "not run")


def render(record: dict[str, Any]) -> str:
    """The page."""
    rows: list[dict[str, Any]] = record["rows"]
    survivors = [row for row in rows if row["end"] == "survived"]
    undecided = [row for row in rows if row["end"] in UNDECIDED]
    harmless = [row for row in survivors if word_on(row)]
    open_ones = [row for row in survivors if not word_on(row)]
    guards = [row for row in rows if row["guard"]]
    drawn = f"{record['per_file']} drawn from each file" if record["per_file"] else "all"
    table = ["| folder | tried | caught | harmless | survived | undecided | score |", "|---|--:|--:|--:|--:|--:|--:|"]
    for folder in sorted({_folder(row) for row in rows}):
        table.append(_line(folder, [row for row in rows if _folder(row) == folder]))
    table.append(_line("guards and refusals", guards))
    table.append(_line("**all**", rows))
    return f"""# Mutation score

`make mutation` plants small faults in lowerings, passes, heads, targets, reading and writing — a comparison turned
round, a constant changed, a condition taken out, an element of a set left out — and runs the test cases that run the
line, on OpenCV. A fault that no case notices survives. The score is the part caught of those that change behaviour.

Measured on {record["date"]} at {record["commit"]}: {len(rows)} of {record["all"]} possible faults ({drawn}, seed
{record["seed"]}).

{chr(10).join(table)}

## Survivors that change no behaviour

{_list(harmless, with_words=True)}

## Survivors

{_list(open_ones, with_words=False)}

## Undecided

No case was known to run the line, or the cases did not end in their time. {record.get("remark", "")}

{_list(undecided, with_words=False)}
"""


def _folder(row: dict[str, Any]) -> str:
    return "/".join(str(row["file"]).split("/")[:2]) if row["file"].count("/") > 1 else str(row["file"]).split("/")[0]


def _line(title: str, rows: list[dict[str, Any]]) -> str:
    ends = Counter(_end(row) for row in rows)
    counted = ends["caught"] + ends["survived"]
    score = f"{100 * ends['caught'] / counted:.0f} %" if counted else ""
    cells = [len(rows), *(ends[end] for end in ("caught", "harmless", "survived", "undecided")), score]
    return f"| {title} | {' | '.join(map(str, cells))} |"


def _end(row: dict[str, Any]) -> str:
    if row["end"] in UNDECIDED:
        return "undecided"
    return "caught" if row["end"] in CAUGHT else "harmless" if word_on(row) else "survived"


def _list(rows: Iterable[dict[str, Any]], *, with_words: bool) -> str:
    lines = [
        f"- `{row['file']}:{row['line']}`: {row['words']}"
        + (f". {word_on(row)}" if with_words else "")
        + (" (no test case runs the line)" if row["end"] == "not run" else "")
        for row in rows
    ]
    return "\n".join(lines) or "None."


if __name__ == "__main__":
    PAGE.write_text(render(json.loads(RESULT.read_text(encoding="utf-8"))), encoding="utf-8")
