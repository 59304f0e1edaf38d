"""The page docs/zoo.md, made from the measurements in docs/zoo.json.

`python -m tests.zoo.page` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
MEASUREMENTS = DOCS / "zoo.json"
PAGE = DOCS / "zoo.md"

HEAD = """# GluonCV's classifiers, measured

Every float classifier of pictures in GluonCV's zoo, converted and run on each reader. The error is the largest
|difference| from MXNet's own `net(x)`, divided by the largest |output|; a net agrees when it is at most 1e-4. Weights
are random but telling: batch statistics and affine terms away from 0 and 1. `make zoo` measures, `make docs` writes
this page.

"""


def load() -> list[dict[str, Any]]:
    """The rows measured so far, by name."""
    return json.loads(MEASUREMENTS.read_text()) if MEASUREMENTS.exists() else []


def store(row: dict[str, Any]) -> None:
    """Put a row in the place of the old one of its name."""
    rows = {old["name"]: old for old in load()} | {row["name"]: row}
    MEASUREMENTS.write_text(json.dumps([rows[name] for name in sorted(rows)], indent=1) + "\n")


def render(rows: list[dict[str, Any]]) -> str:
    """The page."""
    readers = sorted({reader for row in rows for reader in row["errors"]})
    agreed = sum(row["passed"] for row in rows)
    lines = [HEAD + f"{agreed} of {len(rows)} nets agree.\n"]
    lines.append("| net | input | layers | parameters | MB | " + " | ".join(readers) + " |")
    lines.append("|---|---|--:|--:|--:|" + "--:|" * len(readers))
    for row in rows:
        errors = [_error(row, reader) for reader in readers]
        size = "×".join(map(str, row["input"][1:]))
        megabytes = f"{row['caffemodel_bytes'] / 1e6:.1f}"
        lines.append(
            f"| {row['name']} | {size} | {row['layers']} | {row['parameters']:,} | {megabytes} | {' | '.join(errors)} |"
        )
    return "\n".join(lines) + "\n"


def _error(row: dict[str, Any], reader: str) -> str:
    if reader in row["errors"]:
        return f"{row['errors'][reader]:.1e}"
    return "failed" if reader in row["failed"] else "not run"


if __name__ == "__main__":
    PAGE.write_text(render(load()))
