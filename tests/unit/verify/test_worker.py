"""The child process and what is said of its end, with a stand-in for the caffe package."""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from known_net import INPUT

from gluon2caffe.bridge.verification.readers import CaffeReader, ReaderError
from gluon2caffe.bridge.verification.readers.caffe_reader import users_own
from gluon2caffe.bridge.verification.readers.process import telling_lines
from gluon2caffe.onnx2caffe.model import SavedModel

STAND_IN = """
import os, sys, time
import numpy

print("a banner on standard output")
__version__ = "stand-in"
TEST = 1

def set_mode_cpu():
    pass

class Blob:
    def __init__(self, *shape):
        self.data = numpy.zeros(shape, numpy.float32)

class Net:
    def __init__(self, prototxt, caffemodel, phase):
        print("loading", prototxt)
        self.blobs = {"data": Blob(1, 2, 1, 2), "joined": Blob(1, 2, 1, 2)}
        self.outputs = ["joined"]

    def forward(self):
        BODY
        self.blobs["joined"].data[...] = 3 * self.blobs["data"].data
"""


def stand_in(folder: Path, body: str = "print('running')") -> CaffeReader:
    package = folder / "python" / "caffe"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STAND_IN.replace("BODY", body))
    return CaffeReader(sys.executable, {**os.environ, "PYTHONPATH": str(package.parent)}, timeout=20)


def test_what_the_reader_prints_does_not_disturb(saved: SavedModel, tmp_path: Path) -> None:
    found = stand_in(tmp_path).run(*saved, {"data": INPUT})
    assert found["joined"].tolist() == (3 * INPUT).tolist()


def test_an_exception_in_the_reader_is_told_and_survived(saved: SavedModel, tmp_path: Path) -> None:
    body = "if self.blobs['data'].data.min() < 0: raise ValueError('a negative\\n        number')"
    with stand_in(tmp_path, body.replace("\n", "\\n")).load(*saved) as session:
        with pytest.raises(ReaderError, match=r"^Caffe: ValueError: a negative number$"):
            session.run({"data": -INPUT})
        assert session.run({"data": INPUT})["joined"].max() == 15


def test_a_reader_that_exits_is_told_with_its_last_lines(saved: SavedModel, tmp_path: Path) -> None:
    body = "sys.stderr.write('out of luck\\n'); sys.stderr.flush(); os._exit(7)"
    with pytest.raises(ReaderError, match=r"^Caffe: ended with status 7 while running: .*out of luck$"):
        stand_in(tmp_path, body).run(*saved, {"data": INPUT})


def test_a_reader_that_hangs_is_ended(saved: SavedModel, tmp_path: Path) -> None:
    reader = stand_in(tmp_path, "time.sleep(600)")
    with reader.load(*saved) as session:
        session._worker.timeout = 0.5
        start = time.monotonic()
        with pytest.raises(ReaderError, match=r"^Caffe: no answer within 0\.5 s while running; it was ended$"):
            session.run({"data": INPUT})
        assert time.monotonic() - start < 10
        assert session._worker._process.poll() is not None


def test_closing_ends_the_process(saved: SavedModel, tmp_path: Path) -> None:
    with stand_in(tmp_path).load(*saved) as session:
        process = session._worker._process
        assert process.poll() is None
    assert process.poll() is not None


def test_a_process_nobody_holds_is_ended(saved: SavedModel, tmp_path: Path) -> None:
    session = stand_in(tmp_path).load(*saved)
    process = session._worker._process
    del session
    assert process.poll() is not None


def test_large_arrays_go_both_ways(saved: SavedModel, tmp_path: Path) -> None:
    reader = stand_in(tmp_path)
    module = tmp_path / "python/caffe/__init__.py"
    module.write_text(module.read_text().replace("Blob(1, 2, 1, 2)", "Blob(1, 3, 700, 700)"))
    saved.prototxt.write_text(saved.prototxt.read_text().replace("dim: 2\n", "dim: 700\n"))
    text = (
        saved.prototxt.read_text()
        .replace("dim: 700", "dim: 3", 1)
        .replace("dim: 1\n", "dim: 700\n")
        .replace("dim: 700", "dim: 1", 1)
    )
    saved.prototxt.write_text(text)
    image = np.random.default_rng(0).normal(size=(1, 3, 700, 700)).astype(np.float32)
    assert np.array_equal(reader.run(*saved, {"data": image})["joined"], 3 * image)


def test_caffe_python_and_caffe_root_name_a_users_own(
    monkeypatch: pytest.MonkeyPatch, saved: SavedModel, tmp_path: Path
) -> None:
    stand_in(tmp_path)
    monkeypatch.setenv("CAFFE_PYTHON", sys.executable)
    monkeypatch.setenv("CAFFE_ROOT", str(tmp_path))
    reader = users_own()
    assert reader is not None
    assert (reader.available, reader.version, reader.python) == (True, "stand-in", sys.executable)
    assert Path(reader.where) == tmp_path / "python/caffe/__init__.py"
    assert reader.layer_types() == frozenset()

    monkeypatch.delenv("CAFFE_PYTHON")
    reader = users_own()
    assert reader is not None and reader.version == "stand-in"

    monkeypatch.delenv("CAFFE_ROOT")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "python"))
    monkeypatch.setenv("CAFFE_PYTHON", Path(sys.executable).name)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    reader = users_own()
    assert reader is not None and (reader.version, reader.python) == ("stand-in", sys.executable)

    monkeypatch.delenv("CAFFE_PYTHON")
    assert users_own() is None


def test_a_python_without_caffe_says_so(tmp_path: Path) -> None:
    reader = CaffeReader(sys.executable, {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)})
    assert not reader.available
    assert reader.reason == "ModuleNotFoundError: No module named 'caffe'"
    assert reader.version == ""


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("", ""),
        ("one\ntwo\n\nthree\nfour\n", "two; three; four"),
        (
            "I1123 15:30:00.1  42 net.cpp:86] Creating Layer fc\n"
            "F20261123 15:30:01.123456  4242 blob.cpp:33] Check failed: shape[i] >= 0 (-1 vs. 0) \n"
            "*** Check failure stack trace: ***\n    @     0x7f google::LogMessage::Fail()\n",
            "layer fc: blob.cpp:33] Check failed: shape[i] >= 0 (-1 vs. 0)",
        ),
        (
            "I1123 15:30:00.1  42 net.cpp:86] Creating Layer fc\n"
            "I1123 15:30:00.1  42 net.cpp:257] Network initialization done.\n"
            "F1123 15:30:01.1  42 net.cpp:757] Check failed: target_blobs[j]->shape() == shape Cannot copy\n",
            "net.cpp:757] Check failed: target_blobs[j]->shape() == shape Cannot copy",
        ),
        (
            '[libprotobuf ERROR google/protobuf/text_format.cc:298] Error parsing: no field named "x".\n'
            "F1123 15:30:01.1  42 upgrade_proto.cpp:90] Check failed: ReadProtoFromTextFile(param_file, param)\n",
            'Error parsing: no field named "x".; '
            "upgrade_proto.cpp:90] Check failed: ReadProtoFromTextFile(param_file, param)",
        ),
        (
            "F1123 15:30:01.1  42 layer_factory.hpp:81] Check failed: Unknown layer type: X (known types: A, B)\n",
            "layer_factory.hpp:81] Check failed: Unknown layer type: X",
        ),
    ],
)
def test_the_telling_lines_of_a_log(log: str, words: str) -> None:
    assert telling_lines(log) == words
