"""Plants mutations and runs the cases that run their lines: `python -m tests.mutation --per-file 4`.

Writes docs/mutation.json, from which `make docs` makes docs/mutation.md. What survives and changes no behaviour is
listed with a word on it in `tests/mutation/harmless.py`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.mutation import coverage_map
from tests.mutation.coverage_map import CoverageMap
from tests.mutation.operators import Mutation, mutations
from tests.own_process import ROOT

RESULT = ROOT / "docs" / "mutation.json"
FILES = (
    "onnx2caffe/*.py",
    "onnx2caffe/lowering/*.py",
    "onnx2caffe/targets/*.py",
    "onnx2caffe/tidy/*.py",
    "ssd_heads/**/*.py",
    "bridge/normalize/**/*.py",
    "bridge/onnx_source/*.py",
    "bridge/mxnet_files/*.py",
)
GENERATED = ("caffe_pb2.py",)
Planted = tuple[str, Mutation]


def files() -> list[str]:
    """The files that are mutated, from the root."""
    found = {path for pattern in FILES for path in ROOT.glob(pattern) if path.name not in GENERATED}
    return sorted(str(path.relative_to(ROOT)) for path in found)


def sample(per_file: int, seed: int, *, refusals: bool = False) -> list[Planted]:
    """Some mutations of every file, drawn by the seed, in an order of the seed's; 0 per file for all.

    With `refusals`, only those that take out what is raised.
    """
    chosen: list[Planted] = []
    for file in files():
        every = mutations((ROOT / file).read_text(encoding="utf-8"))
        every = [each for each in every if each.refusal] if refusals else every
        drawn = random.Random(f"{seed}/{file}").sample(every, min(per_file, len(every))) if per_file else every
        chosen += [(file, mutation) for mutation in drawn]
    random.Random(seed).shuffle(chosen)
    return chosen


def tried(chosen: list[Planted], known: CoverageMap, jobs: int, minutes: float) -> Iterator[dict[str, Any]]:
    """Try the mutations in some processes at once; none begins after the time is over."""
    start, left, results = time.monotonic(), iter(chosen), []
    lock = threading.Lock()

    def work() -> None:
        command = [sys.executable, "-m", "tests.mutation.trial"]
        child = subprocess.Popen(
            command, cwd=ROOT, env=dict(coverage_map.environment()), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdin is not None and child.stdout is not None
        while time.monotonic() - start < 60 * minutes:
            with lock:
                item = next(left, None)
            if item is None:
                break
            file, mutation = item
            row = {"file": file, **vars(mutation)}
            cases = known.cases(file, mutation.line)
            for some in (cases, known.others(file, mutation.line)) if cases else ():
                # What some of the cases do not notice, the others may.
                if some and row.get("end", "survived") == "survived":
                    job = {"file": file, "index": mutation.index, "cases": some}
                    child.stdin.write(json.dumps(job).encode() + b"\n")
                    child.stdin.flush()
                    told = json.loads(child.stdout.readline())
                    # Many cases may take their time without one that hangs.
                    row |= {"end": "survived"} if told["end"] == "hung" and "end" in row else told
            if not cases:
                row |= {"end": "not run", "seconds": 0}
            with lock:
                results.append(row)
                print(f"{row['end']}: {file}:{mutation.line}: {mutation.words} ({len(cases)} cases)", flush=True)
        child.stdin.close()
        child.wait()

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield from sorted(results, key=lambda row: (row["file"], row["index"]))


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(prog="tests.mutation")
    parser.add_argument("--per-file", type=int, default=4, help="mutations drawn from each file; 0 for all")
    parser.add_argument("--refusals", action="store_true", help="take out what is raised, and nothing else")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no mutation after this time")
    parser.add_argument("--result", type=Path, default=RESULT)
    asked = parser.parse_args()
    if not coverage_map.DATA.exists():
        coverage_map.measure()
    chosen = sample(asked.per_file, asked.seed, refusals=asked.refusals)
    rows = list(tried(chosen, coverage_map.load(), asked.jobs, asked.minutes))
    every = sum(len(mutations((ROOT / file).read_text(encoding="utf-8"))) for file in files())
    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    ask = ["git", "rev-parse", "--short", "HEAD"]
    described = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=False)
    record = {
        "date": date,
        "commit": described.stdout.strip(),
        "seed": asked.seed,
        "per_file": asked.per_file,
        "all": every,
        "rows": rows,
    }
    asked.result.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
