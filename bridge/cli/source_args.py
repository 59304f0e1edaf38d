"""What SOURCE and PARAMS on the command line stand for."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from gluon2caffe.bridge.cli.options import SourceArgs
from gluon2caffe.onnx2caffe.errors import SourceError

_SUFFIXES = (".onnx", ".json", ".params", ".prototxt", ".caffemodel")


@dataclass(frozen=True)
class Found:
    """A source that is there.

    Attributes:
        title: what to call it in the summary.
        stem: what to call files made of it.
        files: the files it is read from.
        zoo_name: what can only be the name of a zoo net, else None.
        arguments: as the user gave them.
    """

    title: str
    stem: str
    files: tuple[Path, ...]
    zoo_name: str | None
    arguments: SourceArgs

    def open(self, input_shape: tuple[int, ...] | None = None) -> Any:
        """The source as the library takes it; for a zoo net this builds it, and may download its weights.

        A zoo net is built for `input_shape`, or for what it was trained on.
        """
        if self.zoo_name is not None:
            return _zoo_net(self.zoo_name, self.arguments, input_shape)
        return self.files if len(self.files) == 2 else self.files[0]

    def usual_shape(self) -> tuple[int, ...] | None:
        """The shape of a zoo net's input; None where the library knows better: an SSD is built for one size."""
        if self.zoo_name is None:
            return None
        from gluon2caffe.bridge.zoo_table import family_of

        return family_of(self.zoo_name).shape


def listed_sources(words: Sequence[str], random: bool, classes: int | None) -> list[SourceArgs]:
    """The sources that the arguments name, none of them looked for yet.

    A .params file belongs to what stands before it, and so does any file behind a symbol file but another source. A
    folder stands for its .onnx and -symbol.json files, where it has some.
    """
    listed: list[SourceArgs] = []
    for word in words:
        before = listed[-1] if listed else None
        if before is not None and before.params is None and _belongs(word, before.source):
            listed[-1] = replace(before, params=Path(word))
            continue
        inside = _sources_inside(Path(word).expanduser())
        listed += [SourceArgs(source, None, random, classes) for source in inside or [word]]
    return listed


def _belongs(word: str, source: str) -> bool:
    path = Path(word)
    if path.suffix == ".params":
        return True
    return Path(source).suffix == ".json" and path.suffix not in _SUFFIXES and not path.is_dir()


def _sources_inside(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(str(path) for pattern in ("*.onnx", "*-symbol.json") for path in folder.glob(pattern))


def find_source(arguments: SourceArgs) -> Found:
    """Tell which kind of source the user means, and check that its files are there, without reading them.

    Raises:
        SourceError: there is no such file, or a checkpoint is not complete.
        click.UsageError: options that do not go with this kind of source.
    """
    if arguments.random and arguments.params is not None:
        raise click.UsageError("--random and PARAMS exclude each other.")
    path = Path(arguments.source).expanduser()
    # A folder does not hide the zoo net it was named after.
    if (
        not path.is_file()
        and path.suffix not in _SUFFIXES
        and arguments.source.isprintable()
        and path.name == arguments.source
    ):
        return _zoo_source(arguments)
    if arguments.random or arguments.classes is not None:
        option = "--random" if arguments.random else "--classes"
        raise click.UsageError(f"{option} goes with the name of a zoo net, not with a file such as {arguments.source}.")
    _existing(path)
    if path.suffix in (".prototxt", ".caffemodel"):
        pair = path.with_suffix("")
        raise SourceError(
            f"{path} is Caffe's already. Try: gluon2caffe inspect {pair}.prototxt, or gluon2caffe verify {pair} SOURCE "
            "with what it was converted from."
        )
    if path.suffix == ".params":
        raise SourceError(f"{path} holds parameters only. Name the symbol file first: net-symbol.json {path}.")
    if path.suffix == ".json":
        params = _existing(arguments.params) if arguments.params is not None else _params_beside(path)
        return Found(f"{path.name}, {params.name}", _plain_stem(path), (path, params), None, arguments)
    if arguments.params is not None:
        raise click.UsageError(f"PARAMS goes with a symbol .json file or a zoo net; {path.name} has its weights in it.")
    return Found(path.name, path.stem, (path,), None, arguments)


def _plain_stem(symbol: Path) -> str:
    return symbol.stem.removesuffix("-symbol") or symbol.stem


def _params_beside(symbol: Path) -> Path:
    """The parameter file that was saved with a symbol file, if there is just one."""
    stem = _plain_stem(symbol)
    every = sorted(symbol.parent.glob("*.params"))
    beside = [path for path in every if path.stem == stem or path.stem.startswith(f"{stem}-")]
    if len(beside) == 1:
        return beside[0]
    if not beside:
        raise SourceError(f"{symbol.name} needs its parameter file: give it as PARAMS, after the symbol file.")
    names = ", ".join(path.name for path in beside)
    raise SourceError(f"There are several parameter files beside {symbol.name}: give one of them as PARAMS: {names}.")


def _zoo_source(arguments: SourceArgs) -> Found:
    """What may be a zoo net; whether it is one shows when it is opened, since GluonCV takes seconds to import."""
    if arguments.classes is not None and not arguments.random and arguments.params is None:
        raise click.UsageError("--classes needs --random or PARAMS: pretrained weights are for the usual classes.")
    if arguments.params is None:
        weights = ", random weights" if arguments.random else ", pretrained"
        return Found(
            f"{arguments.source} of GluonCV's zoo{weights}", arguments.source, (), arguments.source.lower(), arguments
        )
    params = _existing(arguments.params)
    title = f"{arguments.source} of GluonCV's zoo, {params.name}"
    return Found(title, arguments.source, (params,), arguments.source.lower(), arguments)


def _existing(path: Path) -> Path:
    path = path.expanduser()
    if not path.is_file():
        raise SourceError(f"{path} is a folder, not a file." if path.is_dir() else f"There is no file {path}.")
    return path


def _zoo_net(name: str, arguments: SourceArgs, input_shape: tuple[int, ...] | None) -> Any:
    """Build a zoo net with the weights the user wants; SourceError where the name or the weights are not to be had."""
    from gluon2caffe.bridge.zoo import zoo_net

    _require_zoo_name(arguments.source)
    options = {} if arguments.classes is None else {"classes": arguments.classes}
    if arguments.params is None:
        return zoo_net(name, random=arguments.random, input_shape=input_shape, **options)
    net = zoo_net(name, random=True, input_shape=input_shape, **options)
    params = arguments.params.expanduser()
    try:
        net.load_parameters(str(params))
    except Exception as error:  # MXNet raises AssertionError, ValueError or its own, by what is wrong
        from gluon2caffe.bridge.export.messages import reason_of

        raise SourceError(f"{params} does not hold the parameters of {name}: {reason_of(error)}") from error
    return net


def _require_zoo_name(text: str) -> None:
    from gluon2caffe.bridge.zoo import is_zoo_name, zoo_names

    try:
        known = is_zoo_name(text)
    except SourceError as error:  # no MXNet or no GluonCV
        raise SourceError(
            f"{text} is not a file, and nets of GluonCV's zoo cannot be built here: {error} "
            "Files need neither MXNet nor GluonCV: an .onnx file, or a symbol .json file with its .params file."
        ) from error
    if not known:
        near = difflib.get_close_matches(text.lower(), zoo_names(), n=3)
        hint = f" Near names in the zoo: {', '.join(near)}." if near else ""
        raise SourceError(
            f"{text!r} is neither a file nor a net of GluonCV's model zoo.{hint} "
            "A source is a zoo name, an .onnx file, or a symbol .json file with its .params file."
        )
