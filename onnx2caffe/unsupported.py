"""What a lowering raises."""

from __future__ import annotations


class UnsupportedNodeError(Exception):
    """A node that cannot be computed exactly: why, and what the user can do."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
