"""Which readers a verification runs where none is named: those that the target's files are made for."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from gluon2caffe.bridge.verification import readers


@dataclass(frozen=True)
class Fake:
    """A reader and its kind in one."""

    name: str
    title: str
    optional: bool
    ready: bool = True
    available: bool = True
    reason: str = ""

    def find(self) -> list[object]:
        """Return a reader called like the title, where it is ready."""
        return [Fake(self.title, self.title, self.optional)] if self.ready else []

    def absence(self) -> str:
        """Return why there is none."""
        return "not set up"


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = [
        Fake("opencv", "OpenCV", False),
        Fake("mnn", "MNN", True),
        Fake("ncnn", "ncnn", True, ready=False),
        Fake("sophgo", "Sophgo", True),
    ]
    monkeypatch.setattr(readers, "KINDS", {fake.name: fake for fake in fakes})


def _left(name: str, target: str) -> str:
    return f"files for the target {target!r} are not made for it. Try: --readers {name}"


@pytest.mark.parametrize(
    ("target", "ran", "missing"),
    [
        ("ssd", ["OpenCV"], {"MNN": _left("mnn", "ssd"), "Sophgo": _left("sophgo", "ssd")}),
        ("mnn", ["MNN"], {"OpenCV": _left("opencv", "mnn"), "Sophgo": _left("sophgo", "mnn")}),
        (
            "ncnn",
            ["OpenCV"],
            {"ncnn": "not set up", "MNN": _left("mnn", "ncnn"), "Sophgo": _left("sophgo", "ncnn")},
        ),
        ("tensorrt", ["OpenCV"], {"MNN": _left("mnn", "tensorrt"), "Sophgo": _left("sophgo", "tensorrt")}),
    ],
)
def test_the_targets_own_reader_or_the_usual_ones(target: str, ran: list[str], missing: dict[str, str]) -> None:
    found = readers.readers_for(target)
    assert [reader.name for reader in found] == ran
    assert found.missing == missing
