"""From the nodes of an MXNet symbol back to the Gluon blocks that they came from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Block:
    """A Gluon block: its class, and where it is in the net, as in `net.features[0]`: ``features.0``.

    The path of the net itself is empty.
    """

    path: str
    kind: str

    def __str__(self) -> str:
        return f"{self.path or 'the net'} ({self.kind})"


def blocks_by_prefix(net: Any) -> dict[str, Block]:
    """Prefix of a block's names -> the block; of several blocks with one prefix, the outermost."""
    found: dict[str, Block] = {}
    for prefix, block in _walk(net, ""):
        found.setdefault(prefix, block)
    return found


def block_of(name: str, blocks: dict[str, Block]) -> Block | None:
    """The innermost block whose prefix the name of a symbol's node begins with.

    None where no block has a prefix of that kind: the parts of a block that was itself made of a symbol keep the names
    they had there.
    """
    fitting = [prefix for prefix in blocks if prefix and name.startswith(prefix)]
    return blocks[max(fitting, key=len)] if fitting else None


def _walk(block: Any, path: str) -> Iterator[tuple[str, Block]]:
    yield block.prefix, Block(path, type(block).__name__)
    for name, child in block._children.items():
        yield from _walk(child, f"{path}.{name}" if path else name)
