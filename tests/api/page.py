"""The page docs/api.md: every public name, and the options of a conversion. Written by `python -m tests.api.page`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import gluon2caffe
from gluon2caffe import extend
from gluon2caffe.bridge.options import flags, option_table, option_types

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

HEAD = """# Public names

Written by `make docs` from the code; a test fails when it is stale. What is listed here is
[stable](stability.md); everything else inside the package may change in any version. The [reference](reference.md) has
the whole docstrings.

All of them are imported from `gluon2caffe`, and typed: `mypy --strict` passes on code that uses them, and finds a
misspelt option or choice.
"""


def page() -> str:
    """The whole page."""
    names = {name: getattr(gluon2caffe, name) for name in gluon2caffe.__all__}
    errors = [name for name, value in names.items() if inspect.isclass(value) and issubclass(value, Exception)]
    calls = [name for name, value in names.items() if inspect.isroutine(value)]
    types = [name for name, value in names.items() if inspect.isclass(value) and name not in errors]
    data = [name for name in names if name not in {*errors, *calls, *types}]
    assert sorted(data) == ["PROFILES", "TargetName"]
    parts = [HEAD]
    for title, listed in (("Calls", calls), ("Classes", types), ("Errors", errors)):
        parts.append(_table(title, {name: names[name] for name in listed}))
    parts.append(
        "## Data\n\n| name | |\n|---|---|\n"
        "| `PROFILES` | Name of each target -> its `Profile`. |\n"
        "| `TargetName` | The names of the targets, as a `Literal`. |\n"
        "| `__version__` | The version, as a text. |\n"
    )
    parts.append(_options())
    parts.append(
        _table(
            "Operators of one's own",
            {name: getattr(extend, name) for name in extend.__all__},
            "From `gluon2caffe.extend`, whose docstring has an example. These follow the inside of the converter more "
            "closely: before 1.0 a minor version may change them without keeping the old name.\n\n",
        )
    )
    return "\n".join(parts)


def _table(title: str, names: dict[str, Any], text: str = "") -> str:
    rows = "\n".join(f"| `{name}` | {_summary(value)} |" for name, value in names.items())
    return f"## {title}\n\n{text}| name | |\n|---|---|\n{rows}\n"


def _options() -> str:
    lines = ["## Options of a conversion", "", "| name | command line | default | meaning |", "|---|---|---|---|"]
    for name, default, text in option_table():
        lines.append(f"| `{name}` | `{flags(name)}` | `{default}` | {text} |")
    assert len(lines) == 4 + len(option_types())
    return "\n".join(lines) + "\n"


def _summary(value: Any) -> str:
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
