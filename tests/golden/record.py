"""Hashes of the files that a fixed set of nets converts to, for every target: does a redesign change what is written?

`python -m tests.golden.record FILE` writes them as JSON (half an hour); `python -m tests.golden.record --compare A B`
lists every net and target whose files differ between two such files, and fails where there is one.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx.defs

from gluon2caffe import to_caffe
from gluon2caffe.bridge.random_weights import initialise
from gluon2caffe.bridge.zoo import zoo_input_shape, zoo_net
from gluon2caffe.onnx2caffe.errors import ConversionError
from gluon2caffe.onnx2caffe.targets import PROFILES

TESTS = Path(__file__).parents[1]
LOWERING_TESTS = TESTS / "unit" / "lowering"
for _folder in (TESTS, LOWERING_TESTS):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

SEED = 11
DETECTORS = ("ssd_300_vgg16_atrous_voc", "ssd_512_mobilenet1.0_voc", "ssd_512_resnet18_v1_voc")
# Nets of other tasks, cut by nothing: fully convolutional, each at a size that it takes.
OTHERS = {
    "fcn_resnet50_ade": ((1, 3, 96, 96), {"crop_size": 96}),
    "simple_pose_resnet18_v1b": ((1, 3, 128, 96), {}),
    "mobile_pose_mobilenet1.0": ((1, 3, 128, 96), {}),
}

Job = tuple[str, Callable[[], Any], dict[str, Any]]


def jobs() -> Iterator[Job]:
    """Every net: its name, how it is made, and the options that it is converted with."""
    yield from _lowering_cases()
    yield from _conformance_models()
    yield from _zoo()


def _lowering_cases() -> Iterator[Job]:
    for path in sorted(LOWERING_TESTS.glob("test_lower_*.py")):
        for name, case in importlib.import_module(path.stem).CASES.items():
            if case.opset <= onnx.defs.onnx_opset_version():
                options = {key: value for key, value in case.options.items() if key != "target"}
                yield f"lowering/{path.stem.removeprefix('test_lower_')}/{name}", case.model, options


def _conformance_models() -> Iterator[Job]:
    from tests.conformance.cases import conformance_tests

    for test in conformance_tests():
        if test.kind != "real":
            yield f"conformance/{test.id}", lambda test=test: test.model, {}  # type: ignore[misc]


def _zoo() -> Iterator[Job]:
    from tests.zoo.detectors import build
    from tests.zoo.families import REPRESENTATIVES

    for name in REPRESENTATIVES:
        yield f"zoo/{name}", lambda name=name: _zoo_net(name), {"input_shape": zoo_input_shape(name)}  # type: ignore[misc]
    for name in DETECTORS:
        yield f"zoo/{name}", lambda name=name: build(name)[0], {}  # type: ignore[misc]
    for name, (shape, options) in OTHERS.items():
        yield (
            f"zoo/{name}",
            lambda name=name, shape=shape, options=options: _other_net(name, shape, options),  # type: ignore[misc]
            {"input_shape": shape},
        )


def _zoo_net(name: str) -> Any:
    from mxnet.name import NameManager

    # Names that do not depend on how many nets the process has made.
    with NameManager():
        return zoo_net(name, random=True)


def _other_net(name: str, shape: tuple[int, ...], options: dict[str, Any]) -> Any:
    from gluon2caffe.bridge.export import load_gluoncv

    net = load_gluoncv().model_zoo.get_model(name, pretrained=False, pretrained_base=False, **options)
    initialise(net, shape, SEED)
    return net


def hashes(make: Callable[[], Any], options: dict[str, Any]) -> dict[str, str]:
    """Target -> the SHA-256 of both files, or `refused`."""
    try:
        source = make()
    except Exception as error:  # a model that this onnx cannot build is the same on both sides
        return dict.fromkeys(PROFILES, f"not made: {type(error).__name__}")
    return {target: _hash(source, target, options) for target in PROFILES}


def _hash(source: Any, target: str, options: dict[str, Any]) -> str:
    try:
        model = to_caffe(source, target=target, **options)
    except ConversionError:
        return "refused"
    except Exception as error:
        return f"failed: {type(error).__name__}"
    with tempfile.TemporaryDirectory() as folder:
        pair = model.save(Path(folder) / "net")
        return " ".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in pair)


def record(path: Path, only: str) -> None:
    """Write the hashes of all jobs whose name contains `only`."""
    found = {}
    for name, make, options in jobs():
        if only in name:
            found[name] = hashes(make, options)
            print(name, sum(" " in value for value in found[name].values()), "of", len(PROFILES), flush=True)
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def differences(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> list[str]:
    """What is not the same in both, a line each."""
    lines = [f"{name}: only in one of the two" for name in sorted(before.keys() ^ after.keys())]
    for name in sorted(before.keys() & after.keys()):
        for target in sorted(before[name].keys() & after[name].keys()):
            old, new = before[name][target], after[name][target]
            if old != new:
                lines.append(f"{name} for {target}: {_change(old, new)}")
    return lines


def _change(old: str, new: str) -> str:
    if " " in old and " " in new:
        both = zip(("prototxt", "caffemodel"), old.split(), new.split(), strict=True)
        return " and ".join(name for name, a, b in both if a != b) + " changed"
    return f"{old if ' ' not in old else 'converted'} -> {new if ' ' not in new else 'converted'}"


def main() -> int:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--only", default="", metavar="TEXT", help="nets whose name contains TEXT")
    arguments = parser.parse_args()
    if not arguments.compare:
        record(arguments.files[0], arguments.only)
        return 0
    before, after = (json.loads(path.read_text()) for path in arguments.files)
    lines = differences(before, after)
    print("\n".join([*lines, f"{len(before)} nets, {len(lines)} differences"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
