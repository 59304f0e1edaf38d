"""Small random graphs: each converts and agrees on the readers, or is refused with a ConversionError."""

import ast
from collections import Counter
from pathlib import Path

import pytest
import strategies
from agreement import workers
from graphs import Example, examples
from hypothesis import HealthCheck, assume, event, given, settings
from verdict import AGREES, INVALID, verdict

from gluon2caffe.onnx2caffe import lowering
from gluon2caffe.onnx2caffe.registry import registered

DEFAULT_EXAMPLES = 200
assert lowering  # importing it registers the operators


def test_every_operator_is_drawn() -> None:
    files = Path(strategies.__file__).parent.glob("*.py")
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    named = {node.value for node in nodes if isinstance(node, ast.Constant)}
    missing = {operator for domain, operator in registered() if not domain} - named
    assert not missing, "tests/property/strategies has nothing that draws these"


def test_agrees_or_is_refused(request: pytest.FixtureRequest) -> None:
    pytest.importorskip("onnxruntime")
    if not workers():
        pytest.skip("no reader of Caffe files is installed")
    count = request.config.getoption("--property-examples")
    tally: Counter[str] = Counter()

    @settings(
        max_examples=count,
        derandomize=count == DEFAULT_EXAMPLES,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(examples())
    def holds(example: Example) -> None:
        found = verdict(example)
        assume(found != INVALID)
        event(found)
        tally[found] += 1

    holds()
    assert tally[AGREES] > tally.total() / 2, f"too many examples say nothing: {dict(tally)}"
