"""Every registered lowering, in every form it has since some opset, is used by a case of some table in this folder."""

import importlib
from pathlib import Path

import onnx.defs
import pytest

from gluon2caffe.onnx2caffe import lowering as _all  # noqa: F401 - fills the registry
from gluon2caffe.onnx2caffe.registry import find_lowering, lowering, registered

MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_lower_*.py"))


def _forms_used() -> set[tuple[str, int]]:
    used = set()
    for name in MODULES:
        for case in importlib.import_module(name).CASES.values():
            for node in case.model().graph.node:
                versions = registered().get((node.domain, node.op_type))
                if versions is None:
                    continue
                since = onnx.defs.get_schema(node.op_type, case.opset, node.domain).since_version
                used.add((node.op_type, max(version for version in versions if version <= since)))
    return used


def test_every_form_of_every_operator_has_a_case() -> None:
    forms = {
        (operator, since) for (domain, operator), versions in registered().items() if not domain for since in versions
    }
    assert forms - _forms_used() == set()


@pytest.mark.parametrize(
    ("operator", "opset", "since"),
    [("Clip", 10, 1), ("Clip", 11, 11), ("Clip", 21, 11), ("Softmax", 12, 1), ("Softmax", 13, 13), ("Resize", 10, 10)],
)
def test_form_by_opset(operator: str, opset: int, since: int) -> None:
    versions = registered()["", operator]
    assert since in versions
    found = find_lowering(operator, "", opset)
    assert found is not None
    assert [v for v in versions if find_lowering(operator, "", v) is found or v == since][-1] == since


def test_no_form_before_the_first() -> None:
    assert find_lowering("HardSwish", "", 13) is None
    assert find_lowering("Resize", "", 9) is None
    assert find_lowering("Relu", "com.example", 13) is None


def test_a_form_is_registered_once() -> None:
    with pytest.raises(ValueError, match="Relu since 1 is registered twice"):
        lowering("Relu")(lambda node, net: node.blob())
