"""Differential fuzzing: `python -m tests.fuzz --cases 10000`.

Each batch of cases runs in a child process with limits of memory and time; one that crashes or hangs costs that case.
Exit status 1 where there was a fault. With `--record` the result is written to docs/fuzz.json, from which `make docs`
makes docs/fuzz.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.fuzz.child import HANG_STATUS
from tests.fuzz.outcomes import FAULTS, RESULT, Case, Tally
from tests.fuzz.plan import batches
from tests.own_process import ROOT


def run_batch(title: str, seed: int, count: int) -> Iterator[Case]:
    """Run the cases of a batch, in as many processes as it takes."""
    done = 0
    while done < count:
        told, status, words = _run_child(title, seed, count, done)
        for line in told:
            yield Case(title, seed, line["number"], line["end"], line["words"])
        done += len(told)
        if status == 0:
            return  # a strategy may give fewer than it was asked for
        if done < count:
            yield Case(title, seed, done, "hang" if status == HANG_STATUS and "Timeout" in words else "crash", words)
            done += 1


def _run_child(title: str, seed: int, count: int, skip: int) -> tuple[list[dict[str, object]], int, str]:
    """What a child told, its exit status, and the end of what it said on stderr."""
    command = [sys.executable, "-m", "tests.fuzz.child", title, str(seed), str(count), str(skip)]
    path = os.pathsep.join(str(ROOT / folder) for folder in (".", "tests", "tests/property"))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryFile() as errors:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, check=False)
        errors.seek(0)
        words = errors.read().decode("utf-8", "replace")
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.endswith(b"}")]
    status = f"ended with status {done.returncode}\n" if done.returncode else ""
    return lines, done.returncode, status + words[-2500:]


def main() -> int:
    """Fuzz, and print and write what came of it."""
    parser = argparse.ArgumentParser(prog="tests.fuzz")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 1) // 2))
    parser.add_argument("--minutes", type=float, default=600.0, help="begin no batch after this time")
    parser.add_argument("--record", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    asked = parser.parse_args()
    tally, start = Tally(), time.monotonic()
    with ThreadPoolExecutor(asked.jobs) as pool:

        def run(batch: tuple[str, int, int]) -> list[Case]:
            return [] if time.monotonic() - start > 60 * asked.minutes else list(run_batch(*batch))

        for cases in pool.map(run, batches(asked.cases, asked.seed)):
            for case in cases:
                tally.add(case)
                if case.end in FAULTS:
                    print(f"{case.end}: {case.kind}, seed {case.seed}, case {case.number}\n{case.words}\n", flush=True)
    seconds = time.monotonic() - start
    for kind, ends in sorted(tally.ends.items()):
        print(f"{kind}: {', '.join(f'{count} {end}' for end, count in sorted(ends.items()))}")
    print(f"{tally.count} cases in {seconds:.0f} s, {len(tally.faults)} faults")
    if asked.record:
        date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        tally.save(RESULT, {"date": date, "seed": asked.seed, "minutes": round(seconds / 60)})
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
