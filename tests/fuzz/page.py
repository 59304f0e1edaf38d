"""Writes docs/fuzz.md from docs/fuzz.json: `make fuzz` has measured that, `make docs` renders it."""

from __future__ import annotations

import json
from typing import Any

from tests.fuzz.outcomes import FAULTS, HARMLESS, RESULT

PAGE = RESULT.with_suffix(".md")


def render(record: dict[str, Any]) -> str:
    """The page."""
    ends = [end for end in (*HARMLESS, *FAULTS) if any(end in counts for counts in record["ends"].values())]
    ends += [end for end in FAULTS if end not in ends]
    rows = [f"| kind | cases | {' | '.join(ends)} |", "|---|--:|" + "--:|" * len(ends)]
    for kind, counts in sorted(record["ends"].items()):
        cells = [str(counts.get(end, 0)) for end in ends]
        rows.append(f"| {kind} | {sum(counts.values())} | {' | '.join(cells)} |")
    faults = [
        f"- {FAULTS[case['end']]}: {case['kind']}, seed {case['seed']}, case {case['number']}"
        for case in record["faults"]
    ]
    found = "\n".join(faults) if faults else "None: no wrong numbers, no tracebacks, no crashes, no hangs."
    meanings = "\n".join(f"- {end}: {words}" for end, words in {**HARMLESS, **FAULTS}.items() if end in ends)
    mended = "\n".join(f"- {words}" for words in record.get("mended", [])) or "- none"
    return f"""# Fuzzing

`make fuzz N=10000` makes cases, converts each in a child process with limits of time and memory, and compares the files
with their source on every reader. This page is written from the last recorded run, of {record["date"]}:
{record["cases"]} cases with seed {record["seed"]}, {record["minutes"]} minutes.

{chr(10).join(rows)}

{meanings}

Graphs are drawn by the strategies in `tests/property`, and by [nnsmith](https://pypi.org/project/nnsmith/) where it is
installed. Damaged files are copies of nets and operators that packages bring along, and of the trained nets of the
examples, with bytes or values changed.

## Faults found by this run

{found}

## Found by runs before it, and mended

{mended}
"""


if __name__ == "__main__":
    PAGE.write_text(render(json.loads(RESULT.read_text(encoding="utf-8"))), encoding="utf-8")
