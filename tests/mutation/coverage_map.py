"""Which test cases run which lines: what coverage noted under each case's name."""

from __future__ import annotations

import ast
import difflib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.own_process import ROOT

DATA = ROOT / "build" / "mutation" / "coverage"
SOURCES = DATA.with_name("sources")
"""The files as they were when coverage ran: lines move with every edit."""
ROOMS = ("bridge", "onnx2caffe", "ssd_heads")
TESTS = (
    "tests/unit/lowering",
    "tests/unit/normalize",
    "tests/unit/model",
    "tests/unit/onnx_door",
    "tests/unit/mxnet_files",
    "tests/unit/sizes",
    "tests/unit/ssd_heads",
    "tests/regression",
    "tests/quirks",
    "tests/property/test_found.py",
)
MOST_CASES = 12
"""Cases that a mutation is tried on: those that run its line, and where more do, some evenly spread among them."""


MOST_OTHERS = 60
"""Further cases that a survivor is tried on."""


@dataclass
class CoverageMap:
    """File, from the root -> line -> the cases that run it."""

    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)

    def cases(self, file: str, line: int) -> list[str]:
        """The cases to try for a mutation; of a line that runs at import, those that run anything of its file."""
        return self._spread(self._all(file, line), MOST_CASES)

    def others(self, file: str, line: int) -> list[str]:
        """More cases, for a mutation that survives those."""
        first = set(self.cases(file, line))
        return self._spread([case for case in self._all(file, line) if case not in first], MOST_OTHERS)

    def _all(self, file: str, line: int) -> list[str]:
        then = lines_then(file).get(line, 0) if (SOURCES / file).exists() else line
        found = self.lines.get(file, {}).get(then)
        return found or ([] if self.is_inside(file, line) else self.files.get(file, []))

    @staticmethod
    def is_inside(file: str, line: int) -> bool:
        """Whether a line belongs to a function: without a case it is not run, while the others run at import."""
        path = ROOT / file
        tree = ast.parse(path.read_text(encoding="utf-8") if path.exists() else "")
        functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
        return any(node.lineno <= line <= (node.end_lineno or 0) for node in functions)

    @staticmethod
    def _spread(cases: list[str], most: int) -> list[str]:
        if len(cases) <= most:
            return cases
        return [cases[int(place * len(cases) / most)] for place in range(most)]


@cache
def lines_then(file: str) -> dict[int, int]:
    """Line of a file as it is -> the line that it was when coverage ran; what is new since is in no case."""
    now, then = ((folder / file) for folder in (ROOT, SOURCES))
    old, new = ((path.read_text(encoding="utf-8").splitlines() if path.exists() else []) for path in (then, now))
    blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {b + k + 1: a + k + 1 for a, b, length in blocks for k in range(length)}


def environment() -> Mapping[str, str]:
    """The environment of the tests: one thread, and OpenCV alone, which starts fast."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "GLUON2CAFFE_CAFFE_FOLDER": os.devnull}


def measure() -> None:
    """Run the tests once, each case noted by name (`tests.mutation.contexts`)."""
    DATA.parent.mkdir(parents=True, exist_ok=True)
    for room in ROOMS:
        only = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(ROOT / room, SOURCES / room, ignore=only, dirs_exist_ok=True)
    command = [sys.executable, "-m", "coverage", "run", f"--data-file={DATA}", f"--source={','.join(ROOMS)}"]
    command += ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.mutation.contexts", *TESTS]
    subprocess.run(command, cwd=ROOT, env=environment(), check=False)


def load(data_file: Path = DATA) -> CoverageMap:
    """Read what was noted."""
    from coverage import CoverageData

    data = CoverageData(basename=str(data_file))
    data.read()
    made = CoverageMap()
    for path in data.measured_files():
        file = str(Path(path).relative_to(ROOT))
        by_line = {
            line: sorted(case for case in cases if case) for line, cases in data.contexts_by_lineno(path).items()
        }
        made.lines[file] = {line: cases for line, cases in by_line.items() if cases}
        made.files[file] = sorted({case for cases in by_line.values() for case in cases})
    return made
