"""The one family of exceptions a conversion can raise."""

from collections.abc import Sequence


class ConversionError(Exception):
    """A conversion that cannot be done; the message says what was met and what the user can do."""


class SourceError(ConversionError):
    """The source cannot be read, traced or exported."""


class UnsupportedModelError(ConversionError):
    """The model holds nodes that the target cannot compute exactly.

    The message lists all of them; `refusals` holds them one by one.
    """

    def __init__(self, message: str, refusals: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.refusals = tuple(refusals)


class OutputError(ConversionError):
    """The result cannot be written; nothing partial is left behind."""
