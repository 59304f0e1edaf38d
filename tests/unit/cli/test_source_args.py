"""What SOURCE and PARAMS are taken for, before anything is read."""

from pathlib import Path

import pytest

from gluon2caffe.bridge.cli.options import SourceArgs
from gluon2caffe.bridge.cli.source_args import Found, find_source


def _found(source: str, params: Path | None = None) -> Found:
    return find_source(SourceArgs(source, params, random=params is None and "." not in source, classes=None))


@pytest.mark.parametrize(
    ("name", "shape"),
    [("cifar_resnet20_v1", (1, 3, 32, 32)), ("inceptionv3", (1, 3, 299, 299)), ("ssd_300_vgg16_atrous_voc", None)],
)
def test_a_zoo_net_has_its_own_size(name: str, shape: tuple[int, ...] | None) -> None:
    assert _found(name).usual_shape() == shape


def test_a_folder_does_not_hide_a_zoo_net(folder: Path) -> None:
    (folder / "resnet18_v1").mkdir()
    found = _found("resnet18_v1")
    assert (found.zoo_name, found.files, found.title) == (
        "resnet18_v1",
        (),
        "resnet18_v1 of GluonCV's zoo, random weights",
    )


def test_parameters_beside_the_symbol_file(folder: Path) -> None:
    for name in ("net-symbol.json", "net-0007.params", "network-0001.params", "other.params"):
        (folder / name).touch()
    found = _found("net-symbol.json")
    assert [path.name for path in found.files] == ["net-symbol.json", "net-0007.params"]
    assert (found.stem, found.usual_shape()) == ("net", None)
