"""Run every lowering case on readers: `python -m tests.readers.measure [NAME ...]` writes docs/readers.json and .md.

Without names, on every reader that is ready. A reader that is not run keeps what was measured before.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections import Counter
from typing import Any

from gluon2caffe.bridge.verification.readers import KINDS, installed_readers
from gluon2caffe.bridge.verification.readers.caffe_reader import CaffeReader
from gluon2caffe.bridge.verification.readers.reader import WorkerReader
from gluon2caffe.onnx2caffe.targets import PROFILES
from tests.readers import page
from tests.readers.cases import LoweringCase, lowering_cases
from tests.readers.outcome import Bench


def target_of(name: str, reader: WorkerReader) -> str:
    """The target whose files a reader is given: its own, where there is one."""
    if isinstance(reader, CaffeReader):
        return "ssd" if reader.has_ssd_layers else "bvlc"
    return name if name in PROFILES else "ssd"


def measure(reader: WorkerReader, target: str, cases: list[LoweringCase]) -> dict[str, Any]:
    """What the page says of a reader."""
    bench = Bench(reader, target)
    found = {case.name: bench.outcome(case) for case in cases}
    bench.close()
    operators: dict[str, Counter[str]] = {}
    for case in cases:
        for operator in case.operators:
            operators.setdefault(operator, Counter())[found[case.name].what] += 1
    agreed = [outcome.error for outcome in found.values() if outcome.what == "agreed"]
    return {
        "version": reader.version,
        "target": target,
        "date": datetime.date.today().isoformat(),
        "tolerance": reader.tolerance,
        "counts": dict(Counter(outcome.what for outcome in found.values())),
        "largest": float(f"{max(agreed, default=0.0):.1e}"),
        "operators": {name: dict(counts) for name, counts in sorted(operators.items())},
        "wrong": {
            name: outcome.text or float(f"{outcome.error:.1e}")
            for name, outcome in found.items()
            if outcome.what == "wrong"
        },
        "failed": {name: outcome.text[:200] for name, outcome in found.items() if outcome.what == "failed"},
    }


def main() -> int:
    """Measure and write; the exit status is 1 where a reader computes a wrong number, or one asked for is not ready."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*KINDS, []], help="readers; default: all that are ready")
    names = parser.parse_args().names
    cases = list(lowering_cases())
    measured = page.load()
    missing = 0
    for name in names or KINDS:
        ready = installed_readers([name])
        for reader, reason in ready.missing.items():
            missing += bool(names)
            print(f"{reader} SKIPPED: {reason}", file=sys.stderr)
        for reader in ready:
            assert isinstance(reader, WorkerReader)
            row = measure(reader, target_of(name, reader), cases)
            measured = {**page.load(), reader.name: row}  # another process may have written meanwhile
            print(f"{reader.name} {reader.version}, target {row['target']}: {row['counts']}", flush=True)
            for case, figure in row["wrong"].items():
                print(f"  wrong: {case}: {figure}", flush=True)
            page.store(measured)
    page.PAGE.write_text(page.render(page.load(), page.load_trained()), encoding="utf-8")
    return int(missing > 0 or any(row["wrong"] for row in measured.values()))


if __name__ == "__main__":
    sys.exit(main())
