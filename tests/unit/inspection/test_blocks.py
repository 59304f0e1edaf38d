"""Gluon blocks by the prefixes of their names; stand-ins have what is looked at."""

from __future__ import annotations

import pytest

from gluon2caffe.bridge.inspection.blocks import Block, block_of, blocks_by_prefix


class Dense:
    def __init__(self, prefix: str, **children: Dense) -> None:
        self.prefix = prefix
        self._children = children


class Sequence(Dense):
    pass


# The outer and the inner `stage` have one prefix, as Gluon gives it to blocks made without a name scope.
NET = Sequence(
    "net0_",
    features=Sequence(
        "net0_stage1_",
        **{"0": Sequence("net0_stage1_", body=Dense("net0_stage1_dense1_")), "1": Dense("net0_stage1_dense11_")},
    ),
    symbols=Dense(""),
)


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("net0_stage1_dense1_fwd", "features.0.body (Dense)"),
        ("net0_stage1_dense11_fwd", "features.1 (Dense)"),
        ("net0_stage1__plus0", "features (Sequence)"),
        ("net0_stage10_fwd", "the net (Sequence)"),
        ("other0_fwd", "None"),
    ],
)
def test_the_innermost_block_of_a_name(name: str, block: str) -> None:
    assert str(block_of(name, blocks_by_prefix(NET))) == block


def test_of_two_blocks_with_one_prefix_the_outer_is_kept() -> None:
    blocks = blocks_by_prefix(NET)
    assert blocks["net0_stage1_"] == Block("features", "Sequence")
    assert blocks["net0_"] == Block("", "Sequence")
