"""Which of our functions translates which MXNet operator, and which rule gives the shapes of its outputs."""

from collections.abc import Callable

from gluon2caffe.bridge.export.operators.operator import Operator
from gluon2caffe.bridge.export.operators.shape_rules import ShapeRule

Translator = Callable[[Operator], None]

TRANSLATORS: dict[str, Translator] = {}
SHAPE_RULES: dict[str, ShapeRule] = {}


def translates(*names: str, shape: ShapeRule) -> Callable[[Translator], Translator]:
    """Register a function as the translation of the MXNet operators `names` (as they stand in a symbol's JSON).

    `shape` gives the shapes of their visible outputs from those of their inputs.
    """

    def register(function: Translator) -> Translator:
        for name in names:
            if name in TRANSLATORS:
                raise ValueError(f"{name} already has a translation: {TRANSLATORS[name].__name__}")
            TRANSLATORS[name] = function
            SHAPE_RULES[name] = shape
        return function

    return register
