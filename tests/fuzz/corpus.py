"""Real files to damage: what packages that the tests have anyway bring along, and the trained nets of the examples."""

from __future__ import annotations

import json
import random
import struct
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import onnx

import gluon2caffe
from gluon2caffe.onnx2caffe.errors import ConversionError
from tests.own_process import ROOT
from tests.unit.onnx_door.mutations import TEXTS, small_model

OLDEST = 9
"""The opset that older files, such as those that onnx brings along, are taken for."""
LARGEST = 1_500_000
"""Bytes; damaging larger files is slower and meets the same code."""
PACKAGED = {"rapidocr-onnxruntime": "rapidocr_onnxruntime/models", "onnx": "onnx/backend/test/data"}
NUMBERS = (-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 7, 1000, 2**20, 2**31, 2**63, 2**64 - 1, 10**30)


FOLDER = ROOT / "build" / "fuzz-corpus"
"""What the corpus does not find it makes here."""


@cache
def onnx_files() -> list[Path]:
    """The files that `make_onnx_files` has saved."""
    return sorted(FOLDER.glob("*.onnx"))


def make_onnx_files() -> None:
    """Save nets and single operators from packages, and small nets of the tests' own, if that has not been done.

    Only those that are converted as they are: most damage to others would meet the refusal of what they hold.
    """
    done = FOLDER / "onnx-files-are-complete"
    if done.exists():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in TEXTS:
        (FOLDER / f"own-{name}.onnx").write_bytes(small_model(name))
    for package, folder in PACKAGED.items():
        try:
            root = Path(str(metadata.distribution(package).locate_file(folder)))
        except metadata.PackageNotFoundError:
            continue
        for path in sorted(root.rglob("*.onnx")):
            if path.stat().st_size <= LARGEST:
                _save_if_converted(path, FOLDER / f"{package}-{path.parent.name}-{path.name}")
    done.touch()


def _save_if_converted(path: Path, copy: Path) -> None:
    model = onnx.load(path)
    for opset in model.opset_import:
        if not opset.domain and opset.version < OLDEST:
            opset.version = OLDEST
    copy.write_bytes(model.SerializeToString())
    shape = input_shape(copy)
    try:
        gluon2caffe.to_caffe(copy) if shape is None else gluon2caffe.to_caffe(copy, shape)
    except ConversionError:
        copy.unlink()


def input_shape(path: Path) -> tuple[int, ...] | None:
    """The shape to give a file that leaves sizes open, as users would; None where it declares them."""
    try:
        model = onnx.ModelProto.FromString(path.read_bytes())
    except Exception:  # damaged: whatever protobuf raises
        return None
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in weights]
    if len(inputs) != 1:
        return None
    dims = inputs[0].type.tensor_type.shape.dim
    if len(dims) != 4 or all(dim.dim_value > 0 for dim in dims):
        return None
    return tuple(dim.dim_value if 0 < dim.dim_value < 4096 else (1, 3, 48, 192)[axis] for axis, dim in enumerate(dims))


@dataclass(frozen=True)
class MXNetFiles:
    """A symbol file with its parameter file, and the shape of its input."""

    symbol: Path
    params: Path
    shape: tuple[int, ...]

    def parameters(self) -> bytes:
        """The content of the parameter file."""
        return _content(self.params)


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


SHAPES = {"digits": (1, 3, 32, 32), "scenes": (1, 3, 128, 128), "mobilenet": (1, 3, 32, 32)}
"""Net -> the shape of its input: the trained nets of the examples, and one of the zoo with random weights."""


@cache
def mxnet_files() -> list[MXNetFiles]:
    """The nets that `make_mxnet_files` has saved; none where MXNet is not installed."""
    return [
        MXNetFiles(FOLDER / f"{name}-symbol.json", FOLDER / f"{name}-0000.params", shape)
        for name, shape in SHAPES.items()
        if (FOLDER / f"{name}-0000.params").exists()
    ]


def make_mxnet_files() -> None:
    """Save the nets as `net.export` writes them, if that has not been done; MXNet is imported for this."""
    from examples.digits.classifier import load_classifier
    from examples.scenes.detector import load_detector
    from gluon2caffe.bridge.export import load_mxnet
    from gluon2caffe.bridge.zoo import zoo_net

    mxnet = load_mxnet()
    FOLDER.mkdir(parents=True, exist_ok=True)
    makers = {
        "digits": load_classifier,
        "scenes": load_detector,
        "mobilenet": lambda: zoo_net("mobilenetv2_0.25", random=True),
    }
    for name, shape in SHAPES.items():
        if not (FOLDER / f"{name}-0000.params").exists():
            net = makers[name]()
            net.hybridize()
            net(mxnet.nd.zeros(shape))
            net.export(str(FOLDER / name))


def altered_json(content: bytes, seed: int) -> bytes:
    """The symbol file with some of its values replaced or left out; it is JSON still."""
    rng = random.Random(seed)
    graph = json.loads(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        holder, key = rng.choice(list(_places(graph)))
        old = holder[key]
        if isinstance(old, int):
            new: Any = rng.choice((*NUMBERS, 1.5, None, "1", [old], True))
        elif isinstance(old, str):
            same = [each[k] for each, k in _places(graph) if isinstance(each[k], str)]
            new = rng.choice(
                (*rng.sample(same, min(4, len(same))), "", old[:-1], f"({old})", "(0, -1)", "nan", 3, None)
            )
        else:
            new = rng.choice((None, [], {}, "x", [[0, 0, 0]], -1))
        if rng.random() < 0.2:
            del holder[key]
        else:
            holder[key] = new
    return json.dumps(graph).encode()


def _places(value: Any) -> Any:
    """(holder, key) of every value in a tree of lists and dictionaries."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from _places(inner)


def altered_words(content: bytes, seed: int) -> bytes:
    """The parameter file with some of the words of its format replaced: counts, shapes, types, lengths of names.

    They are found by the magic number in front of each array.
    """
    rng = random.Random(seed)
    data = bytearray(content)
    heads = [0]
    place = data.find(b"\xfa\x93\xf9", 1)
    while place >= 0:
        heads.append(place - 1)
        place = data.find(b"\xfa\x93\xf9", place + 1)
    for _ in range(rng.choice((1, 1, 2, 3))):
        start = rng.choice(heads)
        at, size = start + 4 * rng.randrange(12), rng.choice((4, 4, 8))
        if at + size > len(data):
            continue
        number = rng.choice((0, 1, 2, 3, 5, 12, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1))
        data[at : at + size] = struct.pack("<Q", number)[:size]
    return bytes(data)
