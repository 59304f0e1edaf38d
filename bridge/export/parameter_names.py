"""Which array of a parameter file is which parameter of a symbol, where the names are not quite the same."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy.typing as npt

from gluon2caffe.bridge.export.messages import shortened
from gluon2caffe.bridge.mxnet_files.graph import SymbolGraph

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class MatchedParameters:
    """Parameters by their names in the symbol.

    Attributes:
        params: the arrays that the symbol reads.
        open: variables of the symbol without an array: data inputs, labels, and what is missing.
        surplus: names of arrays that the symbol does not read.
        notes: what was renamed or left out.
    """

    params: dict[str, Array]
    open: list[str]
    surplus: list[str]
    notes: list[str] = field(default_factory=list)


def match_parameters(graph: SymbolGraph, stored: Mapping[str, Array]) -> MatchedParameters:
    """Find the array of every parameter; under another name only where the match is one to one.

    Gluon's BatchNorm calls ``running_mean`` what Module's calls ``moving_mean``, and a block inside another has a
    prefix that it has not alone.
    """
    variables = graph.variables
    params = {name: stored[name] for name in variables if name in stored}
    unmatched = [name for name in variables if name not in stored]
    surplus = [name for name in stored if name not in params]
    notes = []
    renamed = _renamed(unmatched, surplus)
    if renamed:
        params.update({name: stored[other] for name, other in renamed.items()})
        unmatched = [name for name in unmatched if name not in renamed]
        surplus = [name for name in surplus if name not in set(renamed.values())]
        pairs = [f"{other} as {name}" for name, other in renamed.items()]
        notes.append(f"{len(renamed)} parameters were taken under another name: {shortened(pairs, 3)}.")
    if surplus:
        notes.append(f"{len(surplus)} parameters that the symbol does not use were left out: {shortened(surplus, 3)}.")
    return MatchedParameters(params, unmatched, surplus, notes)


def near_names(missing: Iterable[str], surplus: list[str]) -> dict[str, str]:
    """Find the unused array whose name is nearest to each missing parameter's, where one is near."""
    found = {name: difflib.get_close_matches(name, surplus, n=1, cutoff=0.8) for name in missing}
    return {name: near[0] for name, near in found.items() if near}


def _running(name: str) -> str:
    return name.replace("moving_mean", "running_mean").replace("moving_var", "running_var")


def _moving(name: str) -> str:
    return name.replace("running_mean", "moving_mean").replace("running_var", "moving_var")


_SPELLINGS: Final[tuple[Callable[[str], str], ...]] = (_running, _moving)


def _renamed(unmatched: list[str], surplus: list[str]) -> dict[str, str]:
    """Pair names of the symbol with names of the file that differ in one known way, each with one partner."""
    available = set(surplus)
    pairs = {
        name: other for name in unmatched for other in {spelling(name) for spelling in _SPELLINGS} if other in available
    }
    pairs = pairs or _without_prefix(unmatched, surplus)
    return pairs if len(set(pairs.values())) == len(pairs) else {}


def _without_prefix(unmatched: list[str], surplus: list[str]) -> dict[str, str]:
    """Pair all names of the file with names that have one prefix before them, or the other way round."""
    for prefix in _prefixes(unmatched, surplus):
        pairs = {f"{prefix}{name}": name for name in surplus}
        if pairs.keys() <= set(unmatched):
            return pairs
    for prefix in _prefixes(surplus, unmatched):
        pairs = {name: f"{prefix}{name}" for name in unmatched if f"{prefix}{name}" in set(surplus)}
        if len(pairs) == len(surplus):
            return pairs
    return {}


def _prefixes(longer: list[str], shorter: list[str]) -> list[str]:
    """List what stands before one of the first names of `shorter` in names of `longer`; inputs may be among them."""
    return sorted({name[: -len(end)] for end in shorter[:4] for name in longer if name.endswith(f"_{end}")})
