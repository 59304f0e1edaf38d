"""Mutations that survive because they change no behaviour, with a word on each: what a person found on looking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HARMLESS: dict[tuple[str, str], str] = {}
"""(file, what is changed) -> why nothing can notice it."""


def word_on(row: Mapping[str, Any]) -> str:
    """Return why a mutation changes no behaviour; an empty text where it does, or nobody has looked."""
    return HARMLESS.get((row["file"], row["words"]), "")
