"""The kinds of heads are a registry: nothing outside the folder of a kind names it."""

import re
from pathlib import Path

import pytest

from gluon2caffe.ssd_heads import head_kinds, kind_of_block

ROOT = Path(__file__).parents[3]
KINDS = ROOT / "ssd_heads" / "kinds"


def test_every_module_of_the_folder_is_a_kind() -> None:
    modules = {path.stem for path in KINDS.iterdir() if path.stem not in ("__init__", "__pycache__")}
    assert {type(kind).__module__.split(".")[3] for kind in head_kinds()} == modules
    names = [kind.name for kind in head_kinds()]
    assert len(set(names)) == len(names) == len(modules)
    assert all(names)


def test_the_special_kinds_are_asked_before_the_general_ones() -> None:
    ranks = [kind.rank for kind in head_kinds()]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("source", ["net.onnx", ("a-symbol.json", "a.params"), None, object()])
def test_what_is_no_block_is_of_no_kind(source: object) -> None:
    assert kind_of_block(source) is None


def test_no_module_outside_names_a_kind() -> None:
    modules = {path.stem for path in KINDS.iterdir()} - {"__init__", "__pycache__"}
    named = re.compile(rf"ssd_heads\.kinds\.({'|'.join(sorted(modules))})\b")
    rooms = [
        path for room in ("bridge", "gluon2caffe", "onnx2caffe", "ssd_heads") for path in (ROOT / room).rglob("*.py")
    ]
    wrong = [str(path) for path in rooms if KINDS not in path.parents and named.search(path.read_text())]
    assert wrong == []
    assert named.search((KINDS / "gluon_ssd" / "__init__.py").read_text())
