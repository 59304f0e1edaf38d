"""What `import gluon2caffe` gives, to people and to their type checker."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import gluon2caffe
from gluon2caffe import extend

ROOT = Path(__file__).parents[3]

PUBLIC = [
    "CaffeModel",
    "CaffeReader",
    "Conversion",
    "ConversionError",
    "ConversionKeywords",
    "ConversionOptions",
    "DecoderDocument",
    "Detections",
    "Inspection",
    "InternalError",
    "Layer",
    "ManyResult",
    "MissingExtraError",
    "OpenCVReader",
    "OutputError",
    "PROFILES",
    "Preprocessing",
    "Profile",
    "Reader",
    "ReaderError",
    "ReferenceModelError",
    "Refusal",
    "Report",
    "SavedModel",
    "SourceError",
    "TargetName",
    "UnsupportedModelError",
    "convert_many",
    "convert_model",
    "convert_ssd_model",
    "decode",
    "detections",
    "inspect_source",
    "installed_readers",
    "load_mxnet",
    "save_model",
    "to_caffe",
    "to_onnx",
    "verify",
    "walk_back",
]

USER = """
from pathlib import Path

import gluon2caffe
from gluon2caffe import ConversionError, ConversionOptions, Refusal, UnsupportedModelError

OPTIONS = ConversionOptions(target="opencv", mean=(1.0, 2.0, 3.0))


def convert(path: Path) -> tuple[str, ...]:
    try:
        made = gluon2caffe.to_caffe(path, (1, 3, 224, 224), to_bgr=True, relu6="layer", outputs=["fc1"])
        prototxt, caffemodel = made.save(path.with_suffix(""))
        report = gluon2caffe.verify(made, path, samples=2, tolerance=1e-3)
        print(report.rows[0].absolute + 1, made.layers[0].blobs[0].shape, prototxt.stem, caffemodel.stem)
        print(made.options.target, gluon2caffe.PROFILES["ssd"].title, gluon2caffe.__version__.split("."))
        return tuple(made.notes)
    except UnsupportedModelError as error:
        refusals: tuple[Refusal, ...] = error.refusals
        return tuple(refusal.remedy for refusal in refusals)
    except ConversionError as error:
        return (str(error),)


results = gluon2caffe.convert_many([Path("a.onnx"), ("a-symbol.json", "a-0000.params")], "out", softmax=True)
print([result.source for result in results if not result.converted])
print(gluon2caffe.inspect_source("a.onnx", target="bvlc").refusals[0].reason)
"""

MISTAKES = {
    'gluon2caffe.to_caffe("a.onnx", relu6="exat")': "has incompatible type \"Literal['exat']\"",
    'gluon2caffe.to_caffe("a.onnx", softmx=True)': 'Unexpected keyword argument "softmx"',
    'gluon2caffe.to_onnx("a.onnx", heads="boxes")': "has incompatible type \"Literal['boxes']\"",
    'gluon2caffe.verify("a", "a.onnx", target="openvc")': "has incompatible type \"Literal['openvc']\"",
    'gluon2caffe.ConversionOptions(priors="lines")': "has incompatible type \"Literal['lines']\"",
    'gluon2caffe.to_caffe("a.onnx").layerz': '"Conversion" has no attribute "layerz"',
    "gluon2caffe.to_cafe": 'Module has no attribute "to_cafe"',
}


def test_the_public_names_are_these() -> None:
    assert gluon2caffe.__all__ == sorted(PUBLIC)
    assert extend.__all__ == [
        "Blob",
        "Input",
        "NetBuilder",
        "Node",
        "NodeReader",
        "NotExactError",
        "Operator",
        "UnsupportedNodeError",
        "layers",
        "lowering",
        "same_shape",
        "translates",
    ]


def test_every_name_is_there_and_documented() -> None:
    for name in PUBLIC:
        value = getattr(gluon2caffe, name)
        assert name in dir(gluon2caffe)
        assert name in ("PROFILES", "TargetName") or value.__doc__
    assert gluon2caffe.__version__ == metadata.version("gluon2caffe")
    with pytest.raises(AttributeError, match="module 'gluon2caffe' has no attribute 'to_cafe'"):
        gluon2caffe.to_cafe  # type: ignore[attr-defined]  # noqa: B018


def test_the_import_is_cheap() -> None:
    code = "import sys, gluon2caffe; print([n for n in ('numpy', 'onnx', 'mxnet', 'click') if n in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What mypy --strict says of the two files of a user."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    folder = tmp_path_factory.mktemp("user")
    (folder / "right.py").write_text(USER)
    (folder / "wrong.py").write_text("import gluon2caffe\n" + "\n".join(MISTAKES) + "\n")
    subprocess.run([sys.executable, ".ci/typed_tree.py", "build/typed"], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "mypy", "--no-error-summary", str(folder / "right.py"), str(folder / "wrong.py")]
    result = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert result.stderr == ""
    return [line for line in result.stdout.splitlines() if ": note:" not in line]


def test_a_user_s_file_passes_mypy_strict(checked: list[str]) -> None:
    assert [line for line in checked if "wrong.py" not in line] == []


def test_a_user_s_mistakes_are_found(checked: list[str]) -> None:
    lines = [line for line in checked if "wrong.py" in line]
    found = {int(line.split("wrong.py:")[1].split(":")[0]): line for line in lines}
    assert list(found) == [number + 2 for number in range(len(MISTAKES))]
    for number, message in enumerate(MISTAKES.values()):
        assert message in found[number + 2]
