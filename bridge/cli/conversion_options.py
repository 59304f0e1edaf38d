"""The options of a conversion on the command line: made from the fields of `ConversionOptions`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any

import click

from gluon2caffe.bridge.cli.options import Command, parse_names
from gluon2caffe.bridge.options import (
    ConversionOptions,
    InputShape,
    Names,
    Numbers,
    choices,
    flag_values,
    flags,
    option_types,
)

Shape = tuple[int, ...]


def conversion_options(*, stage: int = 2, without: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Hand the options to a command as the keyword `options`, a `ConversionOptions`.

    Args:
        stage: 1 leaves out what only the Caffe layers depend on.
        without: other options to leave out.
    """
    chosen = [
        each for each in fields(ConversionOptions) if each.metadata["stage"] <= stage and each.name not in without
    ]

    def decorated(command: Command) -> Command:
        @functools.wraps(command)
        def gathered(**values: Any) -> Any:
            options = ConversionOptions(**{each.name: values.pop(each.name) for each in chosen})
            return command(**values, options=options)

        for each in reversed(chosen):
            gathered = _click_option(each)(gathered)
        return gathered  # type: ignore[return-value]

    return decorated


def _click_option(option: Field[Any]) -> Callable[[Any], Any]:
    text = option.metadata["text"].replace("`", "")
    names = (flags(option.name), option.name)
    kind = option_types()[option.name]
    if kind is bool:
        return click.option(*names, is_flag=True, default=option.default, show_default=option.default, help=text)
    if flag_values(option.name):
        return _value_flags(option)
    if choices(option.name):
        return click.option(
            *names, type=click.Choice(choices(option.name)), default=option.default, show_default=True, help=text
        )
    parse, multiple = _FORMS[kind]
    return click.option(
        *names, multiple=multiple, metavar=option.metadata["metavar"] or None, callback=parse, help=text
    )


# What the flags say that stand for one value of an option each.
_VALUE_HELP = {
    "any": "Add layers so that the files follow every input size that the net takes.",
    "fixed": "Let the files fail at any other input size.",
}


def _value_flags(option: Field[Any]) -> Callable[[Any], Any]:
    """A flag for each of some values of one option."""

    def decorated(command: Any) -> Any:
        for flag, value in reversed(flag_values(option.name).items()):
            add = click.option(flag, option.name, flag_value=value, default=option.default, help=_VALUE_HELP[value])
            command = add(command)
        return command

    return decorated


def parse_input_shapes(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> Shape | dict[str, Shape] | None:
    """Read all `--input-shape` options: None for none, a shape for one without a name, else input name -> shape."""
    shapes = [_named_shape(text) for text in texts]
    if len(shapes) == 1 and not shapes[0][0]:
        return shapes[0][1]
    named: dict[str, Shape] = {}
    for name, shape in shapes:
        if not name:
            raise click.BadParameter("with several inputs it is given once for each, as NAME:N,C,H,W.")
        if name in named:
            raise click.BadParameter(f"it is given twice for {name!r}.")
        named[name] = shape
    return named or None


def _named_shape(text: str) -> tuple[str, Shape]:
    """Take `name:1,3,224,224` or `1,3,224,224` apart; names of inputs may hold colons themselves."""
    name, colon, sizes = text.rpartition(":")
    try:
        shape = tuple(int(size) for size in sizes.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1 or (colon and not name):
        raise click.BadParameter(f"{text!r} is not a shape such as 1,3,224,224 or data:1,3,224,224.")
    return name, shape


def parse_numbers(_context: click.Context, option: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Read `0.485,0.456,0.406`: one number for each channel, or one for all."""
    if text is None:
        return None
    try:
        numbers = tuple(float(number) for number in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise click.BadParameter(f"{text!r} is not a number for each channel, such as 0.485,0.456,0.406.")
    if option.name == "std" and 0 in numbers:
        raise click.BadParameter("the net cannot divide by 0.")
    return numbers


# Type of an option -> how its text is read, and whether it may be given several times.
_FORMS: dict[Any, tuple[Callable[..., Any], bool]] = {
    InputShape | None: (parse_input_shapes, True),
    Numbers | None: (parse_numbers, False),
    Names | None: (parse_names, True),
}
