"""The page docs/operators.md: what is lowered, for which target, and what is left out.

`python -m tests.operators.page` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import onnx

from gluon2caffe.onnx2caffe.decomposed import DECOMPOSED
from gluon2caffe.onnx2caffe.left_out import LEFT_OUT
from gluon2caffe.onnx2caffe.targets import PROFILES, Profile
from gluon2caffe.onnx2caffe.targets.profile import Limits
from tests.operators.measure import Taken, measure, operators

PAGE = Path(__file__).parents[2] / "docs" / "operators.md"

HEAD = """# ONNX operators and Caffe targets

Every ONNX operator that is lowered to Caffe layers, exactly: to the rounding of float32. The first column of numbers
holds the opset versions since which the operator has a form of its own here; each form reads all later versions up to
the next. The cells are measured: every test case of the operator is lowered for every target. **yes** means that the
target takes all of them, "12 of 16" that it takes so many (what it does not take is refused with the reason; the limits
of the targets are below), and **no** that it takes none. The cases run batches of two and blobs of up to six axes, so a
target without a batch axis takes fewer than it would of usual models. `make docs` writes this page; it was made with
onnx {version}.

"""


def render(table: dict[str, Taken]) -> str:
    """The page."""
    parts = [HEAD.format(version=onnx.__version__) + "\n".join(support_rows(table).values())]
    parts.append(
        "## Decomposed\n\nOperators that are replaced by others before lowering.\n\n"
        + "\n".join(rows_of(DECOMPOSED, "replaced by").values())
    )
    parts.append(
        "## Unsupported\n\nOperators that are refused. Cut a net before them with `outputs=[...]`.\n\n"
        + "\n".join(rows_of(LEFT_OUT, "why").values())
    )
    parts.append("## What each target takes\n\n" + "\n".join(map(target_section, PROFILES.values())).rstrip())
    return "\n\n".join(parts) + "\n"


def support_rows(table: dict[str, Taken]) -> dict[str, str]:
    """Operator -> line of the first table; the table's head has an empty name."""
    head = "| operator | since | " + " | ".join(PROFILES) + " |\n|---|---|" + "---|" * len(PROFILES)
    rows = {"": head}
    for operator, versions in operators().items():
        if operator in table:
            cells = [_cell(table[operator], target) for target in PROFILES]
            rows[operator] = f"| {operator} | {', '.join(map(str, versions))} | {' | '.join(cells)} |"
    return rows


def _cell(row: Taken, target: str) -> str:
    taken = row.taken[target]
    return "yes" if taken == row.cases else f"{taken} of {row.cases}" if taken else "no"


def rows_of(texts: Mapping[str, str], title: str) -> dict[str, str]:
    """Operator -> line of a table of operators and texts; the table's head has an empty name."""
    head = f"| operator | {title} |\n|---|---|"
    return {"": head} | {name: f"| {name} | {text} |" for name, text in sorted(texts.items())}


def target_section(profile: Profile) -> str:
    """What a target takes, as data: its layers, fields and limits, the faults its files avoid, and the sources."""
    lines = [f"### `{profile.name}`: {profile.title}\n", f"Layers: {', '.join(sorted(profile.layers))}.\n"]
    missing = [f"{kind}: {', '.join(sorted(names))}" for kind, names in sorted(profile.without.items())]
    if missing:
        lines.append(f"Fields it does not take: {'; '.join(missing)}.\n")
    limits = [
        f"{each.name} = {_value(value)}"
        for each in fields(Limits)
        if (value := getattr(profile.limits, each.name)) != each.default
    ]
    if limits:
        lines.append(f"Limits (`onnx2caffe/targets/profile.py` says what they mean): {', '.join(limits)}.\n")
    if profile.quirks:
        lines.append("Faults of its readers that its files avoid:\n")
        lines.append("\n".join(f"- {each.reader} {each.versions} {each.fault.value}" for each in profile.quirks) + "\n")
    if not profile.measured:
        lines.append("Nothing of this was run: no reader was at hand.\n")
    lines.append("From:\n\n" + "\n".join(f"- {source}" for source in profile.sources) + "\n")
    return "\n".join(lines)


def _value(value: object) -> str:
    return ", ".join(map(str, sorted(value))) if isinstance(value, frozenset) else str(value)


if __name__ == "__main__":
    PAGE.write_text(render(measure()), encoding="utf-8")
