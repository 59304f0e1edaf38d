"""What a file starts with, where it is not what its name says."""

from typing import Final

_BEGINNINGS: Final = (
    (b"version https://git-lfs", "it is a Git LFS pointer; fetch the real file with `git lfs pull`"),
    (b"<!DOCTYPE", "it is a web page; the download gave an error page"),
    (b"<html", "it is a web page; the download gave an error page"),
    (b"\x1f\x8b", "it is gzip-compressed; unpack it first"),
)


def mistaken_for(beginning: bytes) -> str | None:
    """Return what a file with this `beginning` is, if people commonly have that in place of an MXNet file."""
    return next((what for start, what in _BEGINNINGS if beginning.startswith(start)), None)
