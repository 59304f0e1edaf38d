"""Which batches of cases a run is made of."""

from __future__ import annotations

import random
from importlib.util import find_spec

from tests.fuzz.corpus import make_mxnet_files, make_onnx_files, mxnet_files

BATCH = 50

PARTS = {
    "graphs": 0.5,
    "graphs by nnsmith": 0.1,
    "ONNX files, damaged": 0.2,
    "symbol files, damaged": 0.1,
    "parameter files, damaged": 0.1,
}
"""Kind -> its part of all cases."""


def installed_kinds() -> dict[str, float]:
    """The kinds that can run here, with their parts; one that is missing gives its part to the others."""
    missing = set() if find_spec("nnsmith") else {"graphs by nnsmith"}
    make_onnx_files()
    if find_spec("mxnet"):
        make_mxnet_files()
    if not mxnet_files():
        missing |= {"symbol files, damaged", "parameter files, damaged"}
    able = {title: part for title, part in PARTS.items() if title not in missing}
    return {title: part / sum(able.values()) for title, part in able.items()}


def batches(cases: int, seed: int) -> list[tuple[str, int, int]]:
    """(kind, seed, count) of every batch; kinds take turns, so that a run that is stopped has some of each."""
    made = []
    for title, part in installed_kinds().items():
        left, number = round(cases * part), 0
        while left > 0:
            made.append((title, seed * 1_000_000 + number * BATCH, min(BATCH, left)))
            left, number = left - BATCH, number + 1
    random.Random(seed).shuffle(made)
    return made
