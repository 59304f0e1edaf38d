"""The command as a process of its own: how fast it starts, its exit status, and how it ends when it is interrupted."""

import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# Ends itself by a signal when the given function is called for the first time.
INTERRUPTED = """
import importlib, os, signal, sys
from gluon2caffe.bridge.cli.commands import commands

where, number = sys.argv.pop(1), int(sys.argv.pop(1))
module, _, name = where.rpartition(".")
module = importlib.import_module(module)

def interrupt(*_, **__):
    {before}
    os.kill(os.getpid(), number)
    import time
    time.sleep(20)

setattr(module, name, interrupt)
commands(prog_name="gluon2caffe")
"""


def _python(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_help_imports_nothing_slow(folder: Path) -> None:
    slow = ["cv2", "google.protobuf", "mxnet", "numpy", "onnx", "onnx_graphsurgeon", "onnxruntime", "rich"]
    code = (
        "import sys\nfrom gluon2caffe.bridge.cli.commands import commands\n"
        "try: commands(['convert', '--help'])\nexcept SystemExit as end: assert end.code == 0\n"
        f"print([name for name in {slow} if name in sys.modules])"
    )
    result = _python("-c", code, cwd=folder)
    assert result.stdout.splitlines()[-1] == "[]", result.stderr


def test_help_takes_less_than_half_a_second(folder: Path) -> None:
    def cpu_seconds() -> float:
        before = os.times()
        assert _python("-m", "gluon2caffe", "--help", cwd=folder).returncode == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    # The time of the processor, and the best of three: other work on the machine must not count.
    assert min(cpu_seconds() for _ in range(3)) < 0.5


def test_help_shows_examples_and_commands(folder: Path) -> None:
    lines = _python("-m", "gluon2caffe", "--help", cwd=folder).stdout.splitlines()
    assert "    gluon2caffe convert resnet50_v1 -o resnet50" in lines
    assert [line.split()[0] for line in lines[lines.index("Commands:") + 1 :] if line][:7] == [
        "convert",
        "doctor",
        "inspect",
        "onnx",
        "ranges",
        "readers",
        "verify",
    ]
    assert "  verify   Compare a saved pair with its source." in lines


def test_version(folder: Path) -> None:
    result = _python("-m", "gluon2caffe", "--version", cwd=folder)
    assert (result.stdout, result.stderr) == (f"gluon2caffe {metadata.version('gluon2caffe')}\n", "")


@pytest.mark.parametrize(
    ("words", "status"),
    [(["convert", "net.onnx", "-o", "x"], 0), (["convert", "absent.onnx"], 1), (["convert", "net.onnx", "--fast"], 2)],
)
def test_exit_status(net: Path, folder: Path, words: list[str], status: int) -> None:
    result = _python("-m", "gluon2caffe", *words, cwd=folder)
    assert result.returncode == status
    assert bool(result.stdout) == (status == 0) and bool(result.stderr) == (status != 0)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize(
    ("where", "before"),
    [
        ("gluon2caffe.bridge.convert.normalizing_passes", ""),
        ("gluon2caffe.onnx2caffe.write.blob_chunks", "assert any(name.endswith('.tmp') for name in os.listdir())"),
    ],
)
def test_an_interruption_leaves_nothing_behind(
    net: Path, folder: Path, where: str, before: str, number: int, status: int
) -> None:
    words = ["convert", "net.onnx", "-o", "x", "--save-onnx"]
    result = _python("-c", INTERRUPTED.format(before=before), where, str(int(number)), *words, cwd=folder)
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.strip() == "Interrupted; nothing was written."
    assert _files(folder) == ["net.onnx"]


def test_a_reader_that_stops_reading_is_no_error(net: Path, folder: Path) -> None:
    command = f"{sys.executable} -m gluon2caffe convert net.onnx -o x | true"
    result = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in result.stderr
    assert _files(folder) == ["net.onnx", "x.caffemodel", "x.prototxt"]


@pytest.mark.skipif(sys.platform == "win32", reason="it needs a pseudo-terminal")
def test_the_steps_are_shown_on_a_terminal(net: Path, folder: Path) -> None:
    import pty

    leader, follower = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gluon2caffe", "convert", "net.onnx", "-o", "x"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=follower,
    )
    os.close(follower)
    seen = b""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            piece = os.read(leader, 4096)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(leader)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert stdout.startswith(b"Source  ") and b"\x1b" not in stdout
    assert "Normalising…" in seen.decode()


def _shell(line: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash in which `gluon2caffe` is this one."""
    command = f'gluon2caffe() {{ {sys.executable} -m gluon2caffe "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_terminal_that_has_only_ascii(net: Path, folder: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    result = _shell("gluon2caffe convert net.onnx -o x", folder, **ascii_only)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1].split() == ["Input", "data", "1x3x8x8"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(net: Path, folder: Path, closed: str) -> None:
    """A file that took the number of a closed stream would hold what libraries print."""
    result = _shell(f"gluon2caffe convert net.onnx -o x; gluon2caffe convert net.onnx -o y {closed}", folder)
    assert result.returncode == 0 and "Error" not in result.stderr
    for ending in ("prototxt", "caffemodel"):
        assert (folder / f"y.{ending}").read_bytes() == (folder / f"x.{ending}").read_bytes()
    assert _shell(f"gluon2caffe convert absent.onnx {closed}", folder).returncode == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="it needs /dev/full")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("convert net.onnx -o x", "No space left on device. (--debug shows where this came up.)"),
        ("convert net.onnx -o x --json", "No space left on device. (--debug shows where this came up.)"),
        ("convert absent.onnx --json", "There is no file absent.onnx."),
        ("--help", "No space left on device. (--debug shows where this came up.)"),
    ],
)
def test_a_result_that_cannot_be_printed(net: Path, folder: Path, words: str, message: str) -> None:
    result = _shell(f"gluon2caffe {words} > /dev/full", folder)
    assert (result.returncode, result.stderr) == (1, f"Error: {message}\n")


def test_what_a_killed_run_left_is_removed_by_the_next(net: Path, folder: Path) -> None:
    before = "assert any(name.endswith('.tmp') for name in os.listdir())"
    where, number = "gluon2caffe.onnx2caffe.write.blob_chunks", str(int(signal.SIGKILL))
    words = ["convert", "net.onnx", "-o", "x"]
    assert _python("-c", INTERRUPTED.format(before=before), where, number, *words, cwd=folder).returncode == -9
    left = [name for name in _files(folder) if name.endswith(".tmp")]
    assert len(left) == 2
    # Those of a process that runs, of another machine, and what is called otherwise, stay.
    host = left[0].split("-")[1]
    others = [
        f".gluon2caffe-{host}-{os.getpid()}-{'0' * 16}.tmp",
        f".gluon2caffe-other-1-{'0' * 16}.tmp",
        ".gluon2caffe-mine.tmp",
    ]
    for name in others:
        (folder / name).touch()
    assert _python("-m", "gluon2caffe", *words, cwd=folder).returncode == 0
    assert _files(folder) == sorted([*others, "net.onnx", "x.caffemodel", "x.prototxt"])
