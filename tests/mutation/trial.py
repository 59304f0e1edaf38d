"""Tries one mutation after the other, each in a fork of a process that has imported what is slow to import.

`python -m tests.mutation.trial < jobs > results`: a job is a line of JSON with file, index and cases. The fork imports
the module with the fault in it in place of its file, and runs the cases until one fails.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any

from tests.mutation.operators import planted
from tests.own_process import ROOT

LONGEST_SECONDS = 240
CAUGHT, SURVIVED, HUNG = "caught", "survived", "hung"


class Planting(importlib.abc.MetaPathFinder):
    """Finds one module with a fault in it."""

    def __init__(self, file: str, index: int | None) -> None:
        self.name = "gluon2caffe." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        self.path, self.index = ROOT / file, index

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of the module, with a loader that plants the fault."""
        if name != self.name:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin, self)
        return spec


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, planting: Planting) -> None:
        super().__init__(name, path)
        self._planting = planting

    def get_code(self, fullname: str) -> CodeType | None:
        """Compile the module with the fault in it."""
        source = self._planting.path.read_text(encoding="utf-8")
        if self._planting.index is None:
            return compile(source, str(self._planting.path), "exec")
        return compile(planted(source, self._planting.index), str(self._planting.path), "exec")


def try_one(job: dict[str, Any]) -> str:
    """Fork, plant, run the cases; return how it ended."""
    child = os.fork()
    if child == 0:
        _run(job)
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return SURVIVED if os.waitstatus_to_exitcode(status) == 0 else CAUGHT
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return HUNG


def _run(job: dict[str, Any]) -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    status = 1
    try:
        import pytest

        sys.meta_path.insert(0, Planting(job["file"], job["index"]))
        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:warnings", "--assert=plain"]
        status = int(pytest.main([*options, *job["cases"]]))
    finally:
        os._exit(status)


def main() -> None:
    """Answer jobs until there are no more."""
    os.chdir(ROOT)
    for name in ("pytest", "hypothesis", "numpy", "onnx", "onnxruntime", "onnx_graphsurgeon", "google.protobuf"):
        importlib.import_module(name)
    for line in sys.stdin:
        start = time.monotonic()
        end = try_one(json.loads(line))
        print(json.dumps({"end": end, "seconds": round(time.monotonic() - start, 1)}), flush=True)


if __name__ == "__main__":
    main()
