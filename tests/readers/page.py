"""The page docs/readers.md, made from what was measured, docs/readers.json.

`python -m tests.readers.page` writes the page; `python -m tests.readers.measure` measures first.
"""

from __future__ import annotations

import json
from typing import Any

from tests.zoo.page import DOCS

MEASUREMENTS = DOCS / "readers.json"
TRAINED = DOCS / "trained.json"
PAGE = DOCS / "readers.md"
COLUMNS = {
    "agreed": "agreed",
    "wrong": "wrong",
    "failed": "reader failed",
    "lacking": "layers missing",
    "refused": "refused",
}

HEAD = """# Every operator on every reader

Each test case of the lowerings is converted for a target and run on that target's reader, which is asked for the
outputs as its users ask it. **Agreed**: every output is within the tolerance, relative to its largest value, of what
onnxruntime computes from the ONNX model. **Wrong**: the reader loads the files and computes something else. **Reader
failed**: it does not load them, or fails while it runs. **Layers missing**: they have layers that it does not have.
**Refused**: the converter refuses the case for this target, with the reason.

`make readers` measures on the readers that are ready and writes this page; `gluon2caffe readers setup NAME` makes one
ready.

"""


def load() -> dict[str, Any]:
    """Reader -> what was measured on it; empty before the first time."""
    return json.loads(MEASUREMENTS.read_text(encoding="utf-8")) if MEASUREMENTS.exists() else {}


def store(measured: dict[str, Any]) -> None:
    """Write what was measured."""
    MEASUREMENTS.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load_trained() -> dict[str, Any]:
    """Reader -> how the trained nets do on it; MXNet is the first."""
    return json.loads(TRAINED.read_text(encoding="utf-8")) if TRAINED.exists() else {}


def store_trained(measured: dict[str, Any]) -> None:
    """Write that."""
    TRAINED.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def is_as_good(row: dict[str, Any], mxnet: dict[str, Any]) -> bool:
    """Whether a reader has MXNet's accuracy and mean average precision, of those nets that it takes at all."""
    digits, scenes = row["digits"], row["scenes"]
    return ("refused" in digits or digits["accuracy"] == mxnet["digits"]["accuracy"]) and (
        "refused" in scenes or abs(scenes["precision"] - mxnet["scenes"]["precision"]) < 1e-3
    )


def render(measured: dict[str, Any], trained: dict[str, Any]) -> str:
    """The page."""
    head = f"| reader | version | target | measured | {' | '.join(COLUMNS.values())} | largest error | tolerance |"
    rows = [head, "|---|---|---|---|" + "--:|" * (len(COLUMNS) + 2)]
    for name, row in measured.items():
        counts = " | ".join(f"{row['counts'].get(what, 0):,}" for what in COLUMNS)
        versions = f"{name} | {row['version']} | `{row['target']}` | {row['date']}"
        rows.append(f"| {versions} | {counts} | {row['largest']:.1e} | {row['tolerance']:.0e} |")
    parts = [HEAD + "\n".join(rows), *([_trained(trained)] if trained else []), _operators(measured)]
    parts += [section for name, row in measured.items() if (section := _faults(name, row))]
    return "\n\n".join(parts) + "\n"


def _trained(trained: dict[str, Any]) -> str:
    """The classifier of digits and the detector of scenes on all held-out data."""
    mxnet = trained["MXNet"]
    lines = [
        "## Two trained nets\n",
        f"The classifier and the detector of the demo, on {mxnet['digits']['pictures']} held-out digits and"
        f" {mxnet['scenes']['pictures']} held-out scenes, beside MXNet. `make readers` measures it.\n",
        "| run by | target | accuracy | labels that differ | error | mAP | boxes | score error | corner error |",
        "|---|---|" + "--:|" * 7,
    ]
    for name, row in trained.items():
        digits, scenes = row["digits"], row["scenes"]
        cells = [name, f"`{row['target']}`" if "target" in row else ""]
        if "refused" in digits:
            cells += [digits["refused"], "", ""]
        else:
            differ = digits.get("labels_that_differ", "")
            cells += [f"{digits['accuracy']:.2%}", str(differ), _small(digits.get("relative"))]
        if "refused" in scenes:
            cells += [f"– ({scenes['refused']})", "", "", ""]
        else:
            corner = _small(scenes.get("corner"))
            cells += [f"{scenes['precision']:.2%}", str(scenes["boxes"]), _small(scenes.get("score"))]
            cells.append(f"{corner} px" if corner else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _small(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


def _operators(measured: dict[str, Any]) -> str:
    """How many cases of each operator ran and agreed."""
    names = sorted({operator for row in measured.values() for operator in row["operators"]})
    lines = [
        "## By operator\n",
        "How many of the operator's cases ran and agreed, of those that the target takes; – where it takes none.\n",
        f"| operator | {' | '.join(measured)} |\n|---|{'---|' * len(measured)}",
    ]
    for name in names:
        cells = [_cell(row["operators"].get(name, {})) for row in measured.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(counts: dict[str, int]) -> str:
    taken = sum(counts.values()) - counts.get("refused", 0) - counts.get("lacking", 0)
    agreed = counts.get("agreed", 0)
    return "–" if not taken else str(agreed) if agreed == taken else f"{agreed} of {taken}"


def _faults(name: str, row: dict[str, Any]) -> str:
    lines = [f"- wrong: {case} ({figure})" for case, figure in row["wrong"].items()]
    lines += [f"- failed: {case}: {_code(text)}" for case, text in row["failed"].items()]
    return f"## What {name} gets wrong or fails on\n\n" + "\n".join(lines) if lines else ""


def _code(text: str) -> str:
    return "`" + text.replace("`", "'").replace("|", "/") + "`"


if __name__ == "__main__":
    PAGE.write_text(render(load(), load_trained()), encoding="utf-8")
