"""How a case of fuzzing can end, and the record of a run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.own_process import ROOT

RESULT = ROOT / "docs" / "fuzz.json"

HARMLESS = {
    "agrees": "the files compute what the source does",
    "refused": "a ConversionError says why it is not converted",
    "converted": "the files were written; what the damaged source computes cannot be told",
    "unread": "no reader here has the layers",
    "invalid": "onnx or onnxruntime do not take the model, or it computes no finite numbers",
    "ill-conditioned": "readers differ, and so does the source when its input is rounded",
}
FAULTS = {
    "wrong": "a reader computes other numbers, or a size is stated at which the files would differ",
    "traceback": "an exception that is no ConversionError",
    "crash": "the process ended",
    "hang": "the case took longer than its limit",
}


@dataclass
class Case:
    """One case: its kind, the seed that makes it again, its number under that seed, its end, and words on a fault."""

    kind: str
    seed: int
    number: int
    end: str
    words: str = ""


@dataclass
class Tally:
    """The cases of a run: how each kind ended how often, and every fault."""

    ends: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[Case] = field(default_factory=list)

    def add(self, case: Case) -> None:
        """Count a case."""
        assert case.end in HARMLESS or case.end in FAULTS, case.end
        self.ends.setdefault(case.kind, Counter())[case.end] += 1
        if case.end in FAULTS:
            self.faults.append(case)

    @property
    def count(self) -> int:
        """The cases so far."""
        return sum(counter.total() for counter in self.ends.values())

    def save(self, path: Path, about: dict[str, Any]) -> None:
        """Write the record."""
        ends = {kind: dict(sorted(counter.items())) for kind, counter in sorted(self.ends.items())}
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        about = {**about, "mended": before.get("mended", [])}  # written by hand, with each fix
        record = {**about, "cases": self.count, "ends": ends, "faults": [vars(case) for case in self.faults]}
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
