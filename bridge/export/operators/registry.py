"""Which of our functions translates which MXNet operator."""

from collections.abc import Callable

from gluon2caffe.bridge.export.operators.operator import Operator

Translator = Callable[[Operator], None]

TRANSLATORS: dict[str, Translator] = {}


def translates(*names: str) -> Callable[[Translator], Translator]:
    """Register a function as the translation of the MXNet operators `names` (as they stand in a symbol's JSON)."""

    def register(function: Translator) -> Translator:
        for name in names:
            if name in TRANSLATORS:
                raise ValueError(f"{name} already has a translation: {TRANSLATORS[name].__name__}")
            TRANSLATORS[name] = function
        return function

    return register
