"""The options of a conversion: one frozen dataclass, validated once and carried through everything.

A new option is a field of `ConversionOptions`, the same key of `ConversionKeywords` (for type checkers) and the code
that heeds it. The command line, `help(to_caffe)` and docs/api.md follow from the field.
"""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, get_args, get_origin, get_type_hints

from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.targets import PROFILES, TargetName

Relu6Choice = Literal["exact", "layer", "relu"]
HeadsChoice = Literal["detection", "raw"]
PriorsChoice = Literal["box", "constant"]
SizesChoice = Literal["free", "any", "fixed"]
Shape = Sequence[int]
InputShape = Shape | Mapping[str, Shape]
Numbers = Sequence[float] | float
Names = Sequence[str]

# The value of `outputs` that leaves the choice open.
AUTO = ("auto",)

# What a Gluon net or a checkpoint takes where nobody says what it was trained on.
USUAL_INPUT_SHAPE = (1, 3, 224, 224)

_Call = TypeVar("_Call", bound=Callable[..., Any])


@dataclass(frozen=True)
class Preprocessing:
    """What the converted model does to its raw input x before the first layer of its source.

    The source would be fed ``(rgb(x) - mean) / std``: x is (N, C, H, W) float32, its channels in BGR order if
    ``to_bgr``; ``mean`` and ``std`` hold one number per channel, in the RGB order of the source.
    """

    to_bgr: bool
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None


class ConversionKeywords(TypedDict, total=False):
    """The keyword arguments of `to_caffe`: the fields of `ConversionOptions` but `input_shape`."""

    softmax: bool
    to_bgr: bool
    mean: Numbers | None
    std: Numbers | None
    merge_bn: bool
    relu6: Relu6Choice
    target: TargetName
    sizes: SizesChoice
    outputs: Names | None
    heads: HeadsChoice
    priors: PriorsChoice
    allow_non_finite: bool


def _about(text: str, *, flag: str = "", metavar: str = "", stage: int = 1) -> dict[str, Any]:
    """What the command line and the documentation say of a field.

    Args:
        text: one or two sentences, without the name.
        flag: on the command line, if it is not the name with hyphens; `--a/--no-a` for a flag that is on by default.
        metavar: the form of the value on the command line.
        stage: 1 for what shapes the intermediate model, 2 for what only the Caffe layers depend on.
    """
    return {"text": text, "flag": flag, "metavar": metavar, "stage": stage}


_TARGETS = ", ".join(f"`{name}` ({profile.title})" for name, profile in PROFILES.items())


@dataclass(frozen=True)
class ConversionOptions:
    """What a user chooses about a conversion. docs/api.md lists the fields with their meanings.

    Raises:
        ConversionError: a value is not valid; the message says what is expected.

    """

    input_shape: InputShape | None = field(
        default=None,
        metadata=_about(
            "Shape of the input, (N, C, H, W), or input name -> shape where there are several. Default: what an ONNX "
            "file declares, the size an SSD or a zoo net was built for, else 1,3,224,224.",
            metavar="[NAME:]N,C,H,W",
        ),
    )
    softmax: bool = field(default=False, metadata=_about("End the net in a softmax over axis 1."))
    to_bgr: bool = field(
        default=False, metadata=_about("Let the net take its three channels in BGR order.", flag="--bgr")
    )
    mean: Numbers | None = field(
        default=None,
        metadata=_about(
            "Let the net subtract this from its raw input: one number, or one per channel in the order of the source.",
            metavar="A,B,C",
        ),
    )
    std: Numbers | None = field(
        default=None,
        metadata=_about(
            "Let the net divide by this after subtracting the mean: one number, or one per channel in the order of the "
            "source.",
            metavar="A,B,C",
        ),
    )
    merge_bn: bool = field(
        default=True,
        metadata=_about(
            "Fold batch normalisation into weights; otherwise keep BatchNorm and Scale layers.",
            flag="--merge-bn/--no-merge-bn",
        ),
    )
    relu6: Relu6Choice = field(
        default="exact",
        metadata=_about(
            "How ReLU6 is written: `exact` in layers that every reader has, `layer` as a ReLU6 layer where the target "
            "has one, `relu` as a plain ReLU, an approximation that is noted.",
            stage=2,
        ),
    )
    target: TargetName = field(default="ssd", metadata=_about(f"The reader to write for: {_TARGETS}.", stage=2))
    sizes: SizesChoice = field(
        default="free",
        metadata=_about(
            "Which input sizes the files are for: `free` is what costs nothing (`model.sizes` says what that is), "
            "`any` adds layers so that they follow every size that the net takes, `fixed` lets them fail at any other.",
            flag="--any-size/--fixed-size",
            stage=2,
        ),
    )
    outputs: Names | None = field(
        default=None,
        metadata=_about(
            "Cut the net at the tensors of these names; `auto` cuts it before what cannot be converted, if anything, "
            "and notes what is left.",
            metavar="NAME",
        ),
    )
    heads: HeadsChoice = field(
        default="detection",
        metadata=_about(
            "End a detector in its detections, or (`raw`) at its class scores before softmax (N, boxes, classes + 1) "
            "and box predictions (N, boxes, 4), with the priors, (1, 2, 4 * boxes), in PREFIX.priors.npy.",
        ),
    )
    priors: PriorsChoice = field(
        default="box",
        metadata=_about(
            "Write the priors of a detector as PriorBox layers, or as constants: for anchors that are not a regular "
            "grid.",
        ),
    )
    allow_non_finite: bool = field(default=False, metadata=_about("Accept weights that contain NaN or infinity."))

    def __post_init__(self) -> None:
        """Check every value, and bring it into one form: tuples, floats and booleans of Python."""
        hints = option_types()
        for each in fields(self):
            object.__setattr__(self, each.name, _checked(each.name, getattr(self, each.name), hints[each.name]))

    @property
    def preprocessing(self) -> Preprocessing | None:
        """What is done to the raw input; None if nothing is."""
        if not self.to_bgr and self.mean is None and self.std is None:
            return None
        # __post_init__ has made tuples of them.
        return Preprocessing(self.to_bgr, self.mean, self.std)  # type: ignore[arg-type]

    @property
    def input_shapes(self) -> tuple[int, ...] | dict[str, tuple[int, ...]] | None:
        """`input_shape` as the tuples that `__post_init__` made of it."""
        return self.input_shape  # type: ignore[return-value]

    def changed(self) -> dict[str, Any]:
        """The fields that differ from their defaults."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {each.name: values[each.name] for each in fields(self) if values[each.name] != each.default}


def conversion_options(keywords: Mapping[str, Any]) -> ConversionOptions:
    """The options that a caller gave as keywords.

    Raises:
        ConversionError: there is no such option (the message names the nearest one), or a value is not valid.

    """
    names = [each.name for each in fields(ConversionOptions)]
    for name in keywords:
        if name not in names:
            raise ConversionError(f"unknown option {name!r}.{_suggestion(name, names)} Options: {', '.join(names)}.")
    return ConversionOptions(**keywords)


@cache
def option_types() -> dict[str, Any]:
    """Name of each option -> its type."""
    return get_type_hints(ConversionOptions)


def flags(option: str) -> str:
    """The option on the command line: `--to-what`, or `--on/--off`."""
    (found,) = (each for each in fields(ConversionOptions) if each.name == option)
    return found.metadata["flag"] or "--" + option.replace("_", "-")


def flag_values(option: str) -> dict[str, str]:
    """The flags that stand for one value each, where an option of several values has such: `{"--any-size": "any"}`."""
    names = flags(option).split("/") if choices(option) else []
    return {name: value for name in names for value in choices(option) if name == f"--{value}-{option.rstrip('s')}"}


def choices(option: str) -> tuple[str, ...]:
    """The values that an option can have, if these are a few words; else an empty tuple."""
    kind = option_types()[option]
    return get_args(kind) if get_origin(kind) is Literal else ()


def option_table() -> list[tuple[str, str, str]]:
    """Name, default as Python writes it, and meaning of every option."""
    rows = []
    for each in fields(ConversionOptions):
        listed = ", ".join(map(repr, choices(each.name)))
        rows.append((each.name, repr(each.default), each.metadata["text"] + (f" One of {listed}." if listed else "")))
    return rows


def takes_options(function: _Call) -> _Call:
    """Show the options in the signature and the documentation of a function that takes `**options`."""
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    given = {each.name for each in own}
    hints = option_types()
    options = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hints[each.name])
        for each in fields(ConversionOptions)
        if each.name not in given
    ]
    function.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    lines = [f"    {name}: {text}" for name, _, text in option_table()]
    function.__doc__ = "\n".join([inspect.cleandoc(function.__doc__ or ""), "", "Options:", *lines])
    return function


def _checked(name: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        return _choice(name, value, get_args(kind))
    if kind is bool:
        return _boolean(name, value)
    if value is None:
        return None
    return _FORMS[kind](name, value)


def _choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in allowed:
        return value
    raise ConversionError(
        f"{name}={value!r} is not valid: expected {_either(map(repr, allowed))}.{_suggestion(str(value), allowed)}"
    )


def _boolean(name: str, value: Any) -> bool:
    # 0, 1 and numpy's booleans are equal to one of these, too.
    if isinstance(value, str) or not any(value is each or value == each for each in (True, False)):
        raise ConversionError(f"{name}={value!r} is not valid: expected True or False.")
    return bool(value)


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    try:
        given = value.tolist() if hasattr(value, "tolist") else value
        numbers = tuple(float(number) for number in (given if isinstance(given, Iterable) else [given]))
    except (TypeError, ValueError):
        raise ConversionError(f"{name}={value!r} is not valid: expected one number, or one per channel.") from None
    if not numbers or isinstance(value, str):
        raise ConversionError(f"{name}={value!r} is not valid: expected one number, or one per channel.")
    if not all(map(math.isfinite, numbers)):
        raise ConversionError(f"{name}={value!r} is not valid: expected finite numbers.")
    if name == "std" and 0 in numbers:
        raise ConversionError(f"std={value!r} is not valid: the net would divide by 0.")
    return numbers


def _names(name: str, value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else ()
    if not names or not all(isinstance(each, str) and each for each in names):
        raise ConversionError(f"{name}={value!r} is not valid: expected names of tensors, such as ['fc1'].")
    return names


def _shapes(name: str, value: Any) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    if isinstance(value, Mapping):
        return {str(key): _shape(name, shape) for key, shape in value.items()}
    return _shape(name, value)


def _shape(name: str, value: Any) -> tuple[int, ...]:
    try:
        lengths = tuple(int(length) for length in value)
        if lengths and all(length > 0 and length == given for length, given in zip(lengths, value, strict=True)):
            return lengths
    except (TypeError, ValueError):
        pass
    raise ConversionError(f"{name}={value!r} is not valid: expected positive integers, such as (1, 3, 224, 224).")


_FORMS: dict[Any, Callable[[str, Any], Any]] = {
    Numbers | None: _numbers,
    Names | None: _names,
    InputShape | None: _shapes,
}


def _either(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _suggestion(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


if TYPE_CHECKING:
    # Part of Python since 3.11; type checkers have it for 3.10 too.
    from typing_extensions import Unpack as Unpack
