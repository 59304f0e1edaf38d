"""One file per family of operators; importing this package fills the table `KINDS`."""

from strategies import (
    activation,
    arithmetic,
    layout,
    linear,
    logic,
    normalization,
    pattern,
    picking,
    reduction,
    resize,
    window,
)
from strategies.kind import KINDS, Kind

__all__ = [
    "KINDS",
    "Kind",
    "activation",
    "arithmetic",
    "layout",
    "linear",
    "logic",
    "normalization",
    "pattern",
    "picking",
    "reduction",
    "resize",
    "window",
]
