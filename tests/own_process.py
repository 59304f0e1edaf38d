"""Measuring in a process of its own, so that the memory of a large net is given back, and is that of the net alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def measured(module: str, *words: str, minutes: float) -> dict[str, Any]:
    """Run ``python -m module words`` and return the JSON object that it prints.

    The test fails with the last of what the process says on stderr where it ends otherwise than well.
    """
    command = [sys.executable, "-m", module, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60 * minutes, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    row: dict[str, Any] = json.loads(done.stdout)
    return row
