"""The table of what a drawn graph can grow by: one entry per kind of operator or pattern."""

from collections.abc import Callable
from dataclasses import dataclass

from draft import Draft

Grow = Callable[[Draft, str], object]


@dataclass(frozen=True)
class Kind:
    """`grow` adds one operator or a pattern of several to a draft, reading the value it is given.

    `ranks` are the ranks that value may have; `since` is the first opset that has the operator, `until` the last.
    """

    name: str
    grow: Grow
    ranks: tuple[int, ...]
    since: int
    until: int

    def fits(self, rank: int, opset: int) -> bool:
        """Whether it can be added behind a value of this rank."""
        return rank in self.ranks and self.since <= opset <= self.until


KINDS: dict[str, Kind] = {}
ANY_RANK = (1, 2, 3, 4, 5, 6)


def kind(name: str, *, ranks: tuple[int, ...] = ANY_RANK, since: int = 7, until: int = 999) -> Callable[[Grow], Grow]:
    """Enter a function into the table."""

    def enter(grow: Grow) -> Grow:
        KINDS[name] = Kind(name, grow, ranks, since, until)
        return grow

    return enter
