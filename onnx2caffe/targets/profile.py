"""The form of a target profile."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """A Caffe reader: the layer types it has and where that was found.

    `layers` are Caffe layer type names; `source` says where the list comes from.
    """

    name: str
    title: str
    layers: frozenset[str]
    source: str

    def has(self, *kinds: str) -> bool:
        """Whether the reader has all these layer types."""
        return self.layers.issuperset(kinds)
