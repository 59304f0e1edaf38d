"""The page docs/zoo.md, made from the measurements in docs/zoo.json.

`python -m tests.zoo.page` writes it.
"""

from __future__ import annotations

from typing import Any

from tests.zoo.measured import DOCS, Measurements

MEASUREMENTS = Measurements(DOCS / "zoo.json")
SIZES = Measurements(DOCS / "zoo-sizes.json")
PAGE = DOCS / "zoo.md"

HEAD = """# GluonCV's classifiers, measured

Every float classifier of pictures in GluonCV's zoo, converted and run on each reader. The error is the largest
|difference| from MXNet's own `net(x)`, divided by the largest |output|; a net agrees when it is at most 1e-4. Weights
are random but telling: batch statistics and affine terms away from 0 and 1. The files are exact at the input sizes of
the last columns, with any batch unless one is named: default files, and those made with `--any-size`. `make zoo`
measures, `python -m tests.zoo.sizes` finds the sizes by converting alone, `make docs` writes this page.

"""


def render(rows: list[dict[str, Any]], sizes: list[dict[str, Any]]) -> str:
    """The page: what was measured of each net, and at which sizes its files are exact."""
    exact = {row["name"]: row for row in sizes}
    readers = sorted({reader for row in rows for reader in row["errors"]})
    agreed = sum(row["passed"] for row in rows)
    lines = [HEAD + f"{agreed} of {len(rows)} nets agree.\n"]
    lines.append(
        "| net | input | layers | parameters | MB | " + " | ".join([*readers, "exact at", "with `--any-size`"]) + " |"
    )
    lines.append("|---|---|--:|--:|--:|" + "--:|" * len(readers) + "---|---|")
    for row in rows:
        errors = [_error(row, reader) for reader in readers] + _exact_at(exact.get(row["name"]))
        size = "×".join(map(str, row["input"][1:]))
        megabytes = f"{row['caffemodel_bytes'] / 1e6:.1f}"
        lines.append(
            f"| {row['name']} | {size} | {row['layers']} | {row['parameters']:,} | {megabytes} | {' | '.join(errors)} |"
        )
    return "\n".join(lines) + "\n"


def _exact_at(row: dict[str, Any] | None) -> list[str]:
    """Where the default files are exact, and those for any size."""
    if row is None:
        return ["not found out", "not found out"]
    places = [row["free"], row["any"] or f"refused: {row['bound_by']} nodes bind the size"]
    return [place.removesuffix(", any batch") for place in places]


def _error(row: dict[str, Any], reader: str) -> str:
    if reader in row["errors"]:
        return f"{row['errors'][reader]:.1e}"
    return "failed" if reader in row["failed"] else "not run"


if __name__ == "__main__":
    PAGE.write_text(render(MEASUREMENTS.load(), SIZES.load()))
