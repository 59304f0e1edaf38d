"""The options that the commands share, and the forms in which their values are written.

Each decorator gathers its options into one object and hands that to the command.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from gluon2caffe.onnx2caffe.targets import PROFILES

HEAD_CHOICES = ("detection", "raw")
PRIOR_CHOICES = ("box", "constant")
RELU6_CHOICES = ("exact", "layer", "relu")
READERS_TO_SET_UP = ("caffe", "mnn", "openvino", "sophgo", "rockchip", "ncnn")
READER_NAMES = ("opencv", *READERS_TO_SET_UP)
"""A test compares them with those that `gluon2caffe.bridge.verification.readers` has; to import that takes long."""

Shape = tuple[int, ...]
Command = TypeVar("Command", bound=Callable[..., Any])


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


def parse_names(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...] | None:
    """Read names separated by commas, from as many options as there are."""
    names = tuple(name.strip() for text in texts for name in text.split(","))
    if not all(names):
        raise click.BadParameter("it holds an empty name.")
    return names or None


def parse_readers(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...] | None:
    """Read names of readers separated by commas."""
    names = parse_names(context, option, texts)
    unknown = [name for name in names or () if name not in READER_NAMES]
    if unknown:
        raise click.BadParameter(f"no reader is called {', '.join(unknown)}; choose from {', '.join(READER_NAMES)}.")
    return names


@dataclass(frozen=True)
class SourceArgs:
    """The arguments that name a source.

    Attributes:
        source: a file, or the name of a zoo net.
        params: the parameter file that goes with it.
        random: random weights for a zoo net.
        classes: the number of classes of a zoo net, where it is not the usual one.
    """

    source: str
    params: Path | None
    random: bool
    classes: int | None


@dataclass(frozen=True)
class Wishes:
    """What is to be put into the net: arguments of `to_caffe` and `verify` by the same names.

    The defaults are those of the options.
    """

    softmax: bool = False
    to_bgr: bool = False
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    outputs: tuple[str, ...] | None = None
    heads: str = "detection"
    priors: str = "box"
    allow_non_finite: bool = False


@dataclass(frozen=True)
class OutputOptions:
    """How much is said, and in what form."""

    quiet: bool
    json: bool
    debug: bool


def source_options(command: Command) -> Command:
    """SOURCE, PARAMS and what describes them: the keyword `source_args`."""
    options = [
        click.argument("source"),
        click.argument("params", required=False, type=click.Path(path_type=Path)),
        click.option("--random", is_flag=True, help="Give a zoo net random weights instead of its pretrained ones."),
        click.option(
            "--classes",
            type=click.IntRange(min=1),
            metavar="N",
            help="Build a zoo net for N classes; with --random or PARAMS.",
        ),
    ]
    return _gathering(command, options, "source_args", SourceArgs)


def input_shape_option(command: Command) -> Command:
    """`--input-shape`: the keyword `input_shape`, as `parse_input_shapes` gives it."""
    return click.option(
        "--input-shape",
        multiple=True,
        metavar="[NAME:]N,C,H,W",
        callback=parse_input_shapes,
        help="Shape of the input; once per input, with its name, where there are several.  [default: what an .onnx "
        "file declares, the size a zoo net was trained on, else 1,3,224,224]",
    )(command)


def wish_options(command: Command) -> Command:
    """What is put into the net: the keyword `wishes`."""
    options = [
        click.option("--softmax", is_flag=True, help="End the net in a softmax."),
        click.option("--bgr", "to_bgr", is_flag=True, help="Let the net take its channels in BGR order."),
        click.option(
            "--mean",
            metavar="A,B,C",
            callback=parse_numbers,
            help="Let the net take this off its raw input; in the channel order of the source.",
        ),
        click.option(
            "--std",
            metavar="A,B,C",
            callback=parse_numbers,
            help="Let the net divide by this after --mean; in the channel order of the source.",
        ),
        click.option(
            "--outputs",
            multiple=True,
            metavar="A,B",
            callback=parse_names,
            help="Cut the net at the tensors of these names.",
        ),
        click.option(
            "--heads",
            type=click.Choice(HEAD_CHOICES),
            default="detection",
            show_default=True,
            help="End an SSD zoo net in its detections, or at its raw predictions with the priors in a .priors.npy "
            "file beside the result.",
        ),
        click.option(
            "--priors",
            type=click.Choice(PRIOR_CHOICES),
            default="box",
            show_default=True,
            help="Write the priors of an SSD zoo net as PriorBox layers, or as constants, for anchors that are no "
            "regular grid.",
        ),
        click.option("--allow-non-finite", is_flag=True, help="Take weights that hold NaN or infinity."),
    ]
    return _gathering(command, options, "wishes", Wishes)


def readers_option(command: Command) -> Command:
    """`--readers`: the keyword `readers`, names or None for all that are ready."""
    return click.option(
        "--readers",
        multiple=True,
        metavar="A,B",
        callback=parse_readers,
        help=f"Verify on these readers: {', '.join(READER_NAMES)}.  [default: those that are ready, see `gluon2caffe "
        "readers`]",
    )(command)


def merge_bn_option(command: Command) -> Command:
    """`--no-merge-bn`: the keyword `merge_bn`."""
    return click.option(
        "--merge-bn/--no-merge-bn",
        default=True,
        show_default=True,
        help="Fold batch normalisation into weights, or keep it in layers of its own.",
    )(command)


def relu6_option(command: Command) -> Command:
    """`--relu6`: one of `RELU6_CHOICES`."""
    return click.option(
        "--relu6",
        type=click.Choice(RELU6_CHOICES),
        default="exact",
        show_default=True,
        help="How ReLU6 is written: in layers that every reader has, as a ReLU6 layer where the target has one, or as "
        "a plain ReLU, which is an approximation.",
    )(command)


def target_option(command: Command) -> Command:
    """`--target`: a reader that files are made for."""
    titles = ", ".join(f"{name} ({profile.title})" for name, profile in PROFILES.items())
    return click.option(
        "--target",
        type=click.Choice(list(PROFILES)),
        default="ssd",
        show_default=True,
        help=f"Reader to write for: {titles}.",
    )(command)


def output_options(command: Command) -> Command:
    """How much is said: the keyword `output`."""
    options = [
        click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors."),
        click.option("--json", is_flag=True, help="Print one JSON object, errors included, instead of text."),
        click.option("--debug", is_flag=True, help="Show where in the program an error came up."),
    ]
    return _gathering(command, options, "output", OutputOptions)


def _gathering(command: Command, options: list[Callable[[Any], Any]], keyword: str, form: type[Any]) -> Command:
    """Add options to a command, and hand it their values as one object under `keyword`."""
    names = [field.name for field in fields(form)]

    @functools.wraps(command)
    def gathered(**values: Any) -> Any:
        values[keyword] = form(**{name: values.pop(name) for name in names})
        return command(**values)

    for option in reversed(options):
        gathered = option(gathered)
    return gathered  # type: ignore[return-value]
