"""One file per family of operators; importing this package fills the table `KINDS`."""

from strategies import (
    activation,
    arithmetic,
    gather_scatter,
    layout,
    linear,
    logic,
    normalization,
    pattern,
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
    "gather_scatter",
    "layout",
    "linear",
    "logic",
    "normalization",
    "pattern",
    "reduction",
    "resize",
    "window",
]
