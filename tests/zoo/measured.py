"""What was measured of the nets of the zoo: rows in a JSON file in docs/, from which a page is made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Measurements:
    """A JSON file of rows, each with the name of its net."""

    file: Path

    def load(self) -> list[dict[str, Any]]:
        """The rows measured so far, by name."""
        return json.loads(self.file.read_text()) if self.file.exists() else []

    def store(self, row: dict[str, Any]) -> None:
        """Put a row in the place of the old one of its name."""
        rows = {old["name"]: old for old in self.load()} | {row["name"]: row}
        self.file.write_text(json.dumps([rows[name] for name in sorted(rows)], indent=1) + "\n")
