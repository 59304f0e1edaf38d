"""Mutations that survive because they change no behaviour, with a word on each: what a person found on looking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HARMLESS: dict[tuple[str, str], str] = {
    ("bridge/normalize/push_transposes.py", "`name=` is left out of gs.Node()"): "A later pass names the node.",
    ("bridge/normalize/fold_affine.py", "`node.attrs.get('broadcast')` is left out of or"): (
        "Opsets that have the attribute are refused before."
    ),
}
"""(file, what is changed) -> why nothing can notice it."""


def word_on(row: Mapping[str, Any]) -> str:
    """Return why a mutation changes no behaviour; an empty text where it does, or nobody has looked."""
    return HARMLESS.get((row["file"], row["words"]), "")
