"""The worked examples of CONTRIBUTING.md, each applied to a copy of the packages, do what their checks ask."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("bridge", "onnx2caffe", "ssd_heads")
_BLOCK = re.compile(r"^```(python|diff) (file|check)=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| \[(?:an? )(.+?)\]\(#.*?\) \| (\d)", re.MULTILINE)


@dataclass
class Example:
    """Files to write or change, in order, as (path, is a diff, text), and the program that shows that it works."""

    changes: list[tuple[str, bool, str]] = field(default_factory=list)
    check: str = ""


def _examples() -> dict[str, Example]:
    found: dict[str, Example] = {}
    example = Example()
    for language, what, name, text in _BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text()):
        if what == "file":
            example.changes.append((name, language == "diff", text))
        else:
            example.check = text
            found[name] = example
            example = Example()
    return found


EXAMPLES = _examples()


def _changed(text: str, diff: str, path: str) -> str:
    """`text` with each hunk of `diff` in it; the lines that a hunk takes for granted stand there once."""
    for hunk in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = [line for line in hunk.splitlines(keepends=True) if line.strip() or line.startswith("+")]
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(before) == 1, f"{path} holds {text.count(before)} times:\n{before}"
        text = text.replace(before, after)
    return text


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the packages as they are installed."""
    copy = tmp_path / "gluon2caffe"
    shutil.copytree(ROOT / "gluon2caffe", copy, ignore=shutil.ignore_patterns("__pycache__"))
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def _run(program: str, package: Path) -> subprocess.CompletedProcess[str]:
    """Run it out of the repository, whose own packages would be found first."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=package.parent,
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_does_what_it_says(name: str, package: Path) -> None:
    example = EXAMPLES[name]
    assert _run(example.check, package).returncode != 0, "the check passes without the example"
    for path, is_diff, text in example.changes:
        file = package / path
        assert file.is_file() == is_diff, path
        file.write_text(_changed(file.read_text(), text, path) if is_diff else text)
    result = _run(example.check, package)
    assert result.returncode == 0, result.stderr


def test_the_table_counts_the_files() -> None:
    counts = {what: int(count) for what, count in _ROW.findall((ROOT / "CONTRIBUTING.md").read_text())}
    assert counts.keys() >= EXAMPLES.keys()
    for name, example in EXAMPLES.items():
        assert len({path for path, _, _ in example.changes}) <= counts[name], name
