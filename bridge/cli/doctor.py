"""`gluon2caffe doctor`: what is installed, what works, and what is missing for what."""

from __future__ import annotations

import json
import platform
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from typing import Any

import click

from gluon2caffe.onnx2caffe.errors import ConversionError

PACKAGES = (
    "gluon2caffe",
    "numpy",
    "onnx",
    "onnx-graphsurgeon",
    "protobuf",
    "onnxruntime",
    "opencv-python-headless",
    "Pillow",
    "mxnet",
    "gluoncv",
    "netron",
)


@dataclass(frozen=True)
class Ability:
    """Something to do with the package: whether it works here, and if not, why and what to type."""

    name: str
    works: bool
    missing: str = ""


@click.command(short_help="Print versions, readers, and what is missing for what.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def doctor(as_json: bool) -> int:
    """Print the versions of what is installed, the readers that are ready, and what is missing for what.

    The exit status is 1 where not even an .onnx file can be converted.
    """
    versions = {"Python": f"{platform.python_version()}, {platform.platform()}", **_versions()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        abilities = [*_abilities(), _verifying()]
    if as_json:
        click.echo(json.dumps({"versions": versions, "abilities": [asdict(each) for each in abilities]}, indent=2))
    else:
        _print(versions, abilities)
    return 0 if abilities[0].works else 1


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _abilities() -> list[Ability]:
    extra = "Try: pip install 'gluon2caffe[{}]'"
    return [
        _ability("convert .onnx files and MXNet's files", lambda: import_module("gluon2caffe.bridge.convert"), ""),
        _ability("convert Gluon nets", _mxnet, ""),
        _ability("convert nets of GluonCV's zoo by name", _gluoncv, ""),
        _ability("run an ONNX source to verify against", lambda: import_module("onnxruntime"), extra.format("verify")),
        _ability("use images as samples", lambda: import_module("PIL.Image"), extra.format("verify")),
        _ability("open Netron", lambda: import_module("netron"), extra.format("netron")),
    ]


def _ability(name: str, attempt: Callable[[], Any], remedy: str) -> Ability:
    try:
        attempt()
    except ConversionError as error:  # it says what to do
        return Ability(name, False, str(error))
    except Exception as error:  # a broken binary package fails in any way
        return Ability(name, False, f"{type(error).__name__}: {error}. {remedy}".rstrip())
    return Ability(name, True)


def _mxnet() -> Any:
    from gluon2caffe.bridge.export import load_mxnet

    return load_mxnet()


def _gluoncv() -> Any:
    from gluon2caffe.bridge.export import load_gluoncv

    return load_gluoncv()


def _verifying() -> Ability:
    """Whether any reader is ready; `gluon2caffe readers` has the rest."""
    from gluon2caffe.bridge.cli.readers import reader_lines
    from gluon2caffe.bridge.verification.readers import KINDS

    ready = [f"{line.reader} {line.version}".strip() for name in KINDS for line in reader_lines(name) if line.ready]
    if not ready:
        return Ability("verify on a reader", False, "No reader is ready. Try: pip install 'gluon2caffe[verify]'")
    return Ability(f"verify on {', '.join(ready)}", True)


def _print(versions: dict[str, str], abilities: list[Ability]) -> None:
    from gluon2caffe.bridge.cli.show import print_lines

    print_lines([*versions.items(), ("", "")])
    print_lines([("yes" if each.works else "no", _sentence(each)) for each in abilities])
    click.echo("\n`gluon2caffe readers` lists every reader, and why it is not ready.")


def _sentence(ability: Ability) -> str:
    return ability.name if ability.works else f"{ability.name}: {ability.missing}"
