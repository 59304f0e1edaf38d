"""docs/mxnet-operators.md says what the code does, and every operator of MXNet is accounted for."""

from typing import Any

from gluon2caffe.bridge.export.cleanup import LOSSES
from gluon2caffe.bridge.export.operators import TRANSLATORS
from gluon2caffe.bridge.export.operators.refused import refused_operators
from gluon2caffe.bridge.mxnet_files.registered import OPERATORS
from tests.operators.mxnet_page import PAGE, loss_rows, measure, refused_rows, render


def test_every_operator_is_translated_or_a_loss_or_refused_with_a_reason() -> None:
    kinds = (set(TRANSLATORS), set(LOSSES), set(refused_operators()))
    assert OPERATORS - set.union(*kinds) == set()
    assert set.union(*kinds) - OPERATORS == set()
    assert sum(map(len, kinds)) == len(OPERATORS)


def test_the_page_is_fresh(mx: Any) -> None:
    assert PAGE.read_text(encoding="utf-8") == render(measure(mx)), "run `make docs`"


def test_the_page_says_what_is_refused_and_why() -> None:
    lines = set(PAGE.read_text(encoding="utf-8").splitlines())
    assert lines.issuperset([*refused_rows().values(), *loss_rows().values()]), "run `make docs`"
