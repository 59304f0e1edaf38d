"""What lowerings rely on, recorded while they make layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol


class HasShape(Protocol):
    """A blob: its name and its shape at the size of the conversion."""

    @property
    def name(self) -> str:
        """Name of the blob."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""


LONGEST_WALK = 1 << 14
"""Lengths that are looked at one by one: a stride beyond that is none of a net that anybody feeds at several sizes."""


@dataclass(frozen=True)
class Reliance:
    """A length that a lowering relies on: that of `axis` of `blob`, less `times` that of `minus` where it is given.

    It holds for a length from `least` to `most` (0 for no limit) whose remainder by `modulus` is one of `remainders`;
    with modulus 0 the length itself must be one of them. `why` says which decision rests on it.
    """

    blob: str
    axis: int
    modulus: int
    remainders: frozenset[int]
    why: str
    least: int = 0
    minus: tuple[str, int] | None = None
    most: int = 0
    times: int = 1

    def holds(self, length: int) -> bool:
        """Whether it holds for a length."""
        rest = length % self.modulus if self.modulus else length
        return rest in self.remainders and length >= self.least and (not self.most or length <= self.most)


@dataclass
class SizeRecord:
    """Everything that the lowerings of one net rely on.

    Attributes:
        scope: the node that is being lowered.
        reliances: lengths of blobs.
        fixed: why the net holds for the input shapes of its conversion alone; empty where nothing says so.

    """

    scope: str = ""
    reliances: list[Reliance] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)

    def exact(self, blob: HasShape, axes: Iterable[int] | None = None, why: str = "fixed lengths") -> None:
        """Rely on the lengths of `axes` of `blob`, all of them by default."""
        for axis in range(len(blob.shape)) if axes is None else axes:
            self._add(Reliance(blob.name, axis, 0, frozenset({blob.shape[axis]}), why))

    def alike(
        self, blob: HasShape, axis: int, period: int, behaviour: Callable[[int], object], why: str, *, least: int = 1
    ) -> None:
        """Rely on `behaviour` of the length of `axis` being what it is now; it repeats with `period` from `least` on.

        `behaviour` is asked for the lengths of one period and for those below `least`. It may raise ValueError for a
        length that nothing fits. Where those are more than `LONGEST_WALK`, the length itself is relied on.
        """
        if least + period > LONGEST_WALK:
            self.exact(blob, [axis], why)
            return
        now = behaviour(blob.shape[axis])
        same = frozenset(size % period for size in range(least, least + period) if _like(behaviour, size, now))
        odd = [size for size in range(1, least) if size % period in same and not _like(behaviour, size, now)]
        if blob.shape[axis] % period not in same or blob.shape[axis] in odd:
            self.exact(blob, [axis], why)
        elif len(same) < period or odd:
            self._add(Reliance(blob.name, axis, period, same, why, max(odd, default=0) + 1))

    def at_least(self, blob: HasShape, axis: int, least: int, why: str) -> None:
        """Rely on a least length of `axis`."""
        if least > 1:
            self._add(Reliance(blob.name, axis, 1, frozenset({0}), why, least))

    def at_most(self, blob: HasShape, axis: int, most: int, why: str) -> None:
        """Rely on a greatest length of `axis`."""
        self._add(Reliance(blob.name, axis, 1, frozenset({0}), why, most=most))

    def difference(self, blob: HasShape, other: HasShape, axis: int, why: str) -> None:
        """Rely on by how much `axis` of `blob` is longer than that of `other`."""
        length = blob.shape[axis] - other.shape[axis]
        self._add(Reliance(blob.name, axis, 0, frozenset({length}), why, minus=(other.name, axis), least=length))

    def multiple(self, blob: HasShape, other: HasShape, axis: int, times: int, less: Iterable[int], why: str) -> None:
        """Rely on `axis` of `blob` being `times` as long as that of `other`, less one of some lengths."""
        rests = frozenset(-length for length in less)
        self._add(Reliance(blob.name, axis, 0, rests, why, least=min(rests), minus=(other.name, axis), times=times))

    def fix(self, why: str) -> None:
        """Say that the net holds for the input shapes of its conversion alone."""
        self.fixed.append(f"{self.scope}: {why}" if self.scope else why)

    def rename(self, old: str, new: str) -> None:
        """Follow a blob that gets another name."""
        for position, reliance in enumerate(self.reliances):
            minus = reliance.minus
            if minus is not None and minus[0] == old:
                reliance = replace(reliance, minus=(new, minus[1]))
            if reliance.blob == old:
                reliance = replace(reliance, blob=new)
            self.reliances[position] = reliance

    def _add(self, reliance: Reliance) -> None:
        self.reliances.append(replace(reliance, why=f"{self.scope}: {reliance.why}"))


def _like(behaviour: Callable[[int], object], size: int, now: object) -> bool:
    try:
        return behaviour(size) == now
    except ValueError:
        return False
