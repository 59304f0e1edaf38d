"""The page docs/zoo.md, made from the measurements in docs/zoo.json.

`python -m tests.zoo.page` writes it.
"""

from __future__ import annotations

from typing import Any

from tests.zoo.measured import DOCS, Measurements

MEASUREMENTS = Measurements(DOCS / "zoo.json")
PAGE = DOCS / "zoo.md"

HEAD = """# GluonCV's classifiers, measured

Every float classifier of pictures in GluonCV's zoo, converted and run on each reader. The error is the largest
|difference| from MXNet's own `net(x)`, divided by the largest |output|; a net agrees when it is at most 1e-4. Weights
are random but telling: batch statistics and affine terms away from 0 and 1. `make zoo` measures, `make docs` writes
this page.

"""


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
    PAGE.write_text(render(MEASUREMENTS.load()))
