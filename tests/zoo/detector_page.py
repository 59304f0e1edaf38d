"""The page docs/detectors.md, made from the measurements in docs/detectors.json.

`python -m tests.zoo.detector_page` writes it.
"""

from __future__ import annotations

from typing import Any

from tests.zoo.measured import DOCS, Measurements

MEASUREMENTS = Measurements(DOCS / "detectors.json")
PAGE = DOCS / "detectors.md"

HEAD = """# GluonCV's SSDs, measured

Every float SSD in GluonCV's zoo, converted and run on each reader, and its intermediate in onnxruntime. The weights are
random but telling: the class scores spread so that about 300 pairs of a box and a class pass the threshold and
suppression has work to do. Each detection of MXNet's `net(x)` is looked for among the reader's; the columns hold the
largest difference of two scores and, in pixels, of two corners. A net agrees when all are found, nothing else stands
among them, scores are within 1e-4 and corners within 0.05 pixel. `make zoo` measures, `make docs` writes this page.

"""


def render(rows: list[dict[str, Any]]) -> str:
    """The page."""
    readers = sorted({reader for row in rows for reader in row["scores"]})
    agreed = sum(row["passed"] for row in rows)
    lines = [HEAD + f"{agreed} of {len(rows)} nets agree.\n"]
    lines.append("| net | input | boxes | classes | layers | parameters | found | " + " | ".join(readers) + " |")
    lines.append("|---|---|--:|--:|--:|--:|--:|" + "---|" * len(readers))
    for row in rows:
        size = "×".join(map(str, row["input"][1:]))
        numbers = (f"{row[key]:,}" for key in ("boxes", "classes", "layers", "parameters", "detections"))
        cells = (row["name"], size, *numbers, *(_differences(row, reader) for reader in readers))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _differences(row: dict[str, Any], reader: str) -> str:
    if reader in row["problems"]:
        return row["problems"][reader]
    if reader in row["scores"]:
        return f"{row['scores'][reader]:.1e}, {row['corners'][reader]:.1e} px"
    return "failed" if reader in row["failed"] else "not run"


if __name__ == "__main__":
    PAGE.write_text(render(MEASUREMENTS.load()))
