"""Files are complete or absent, whatever happens while they are written."""

import errno
import os
import resource
import shutil
import signal
import stat
import subprocess
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon2caffe.onnx2caffe import write
from gluon2caffe.onnx2caffe.atomic import atomic_files, check_targets
from gluon2caffe.onnx2caffe.errors import OutputError
from gluon2caffe.onnx2caffe.model import CaffeModel

OLD = {"net.prototxt": b"old text", "net.caffemodel": b"old weights"}


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(params=["new files", "old files"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder, empty or with an older pair in it."""
    if request.param == "old files":
        for name, content in OLD.items():
            (tmp_path / name).write_bytes(content)
    return tmp_path


def test_replaces_old_files(small_net: CaffeModel, folder: Path) -> None:
    small_net.save(folder / "net")
    found = _content(folder)
    assert sorted(found) == ["net.caffemodel", "net.prototxt"]
    assert found["net.prototxt"] == small_net.prototxt().encode()
    assert found["net.caffemodel"].startswith(b"\x0a\x05small")


def _stop(error: BaseException) -> Any:
    """A stand-in for blob_chunks that fails at the first layer with weights."""

    def chunks(message: Any, blobs: Any) -> Iterator[bytes]:
        if message.name == "conv":
            yield b"some bytes"
            raise error
        yield b""

    return chunks


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            OutputError,
            r"is full: \d+ bytes are needed, [\d,]+ are free",
        ),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), OutputError, r"is full: \d+ bytes are needed"),
        (OSError(errno.EIO, "Input/output error"), OutputError, "cannot write to .*: Input/output error"),
        (KeyboardInterrupt(), KeyboardInterrupt, "^$"),
        (MemoryError("too big"), MemoryError, "too big"),
    ],
)
def test_a_failure_while_writing(
    error: BaseException,
    raised: type[BaseException],
    says: str,
    small_net: CaffeModel,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = _content(folder)
    monkeypatch.setattr(write, "blob_chunks", _stop(error))
    with pytest.raises(raised, match=says):
        small_net.save(folder / "net")
    assert _content(folder) == before


def test_control_c(small_net: CaffeModel, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _content(folder)

    def interrupted(message: Any, blobs: Any) -> Iterator[bytes]:
        assert any(path.suffix == ".tmp" for path in folder.iterdir())
        signal.raise_signal(signal.SIGINT)
        yield b""

    monkeypatch.setattr(write, "blob_chunks", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small_net.save(folder / "net")
    assert _content(folder) == before


@pytest.mark.parametrize("hard_links", [True, False])
@pytest.mark.parametrize("failing", ["net.caffemodel", "net.prototxt"])
@pytest.mark.parametrize("error", [OSError(errno.EACCES, "Permission denied"), KeyboardInterrupt()])
def test_a_failure_between_the_renames(
    error: BaseException,
    failing: str,
    hard_links: bool,
    small_net: CaffeModel,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = _content(folder)
    rename = Path.replace
    failed = []

    def replace(self: Path, target: Path) -> Path:
        if Path(target).name == failing and not failed:
            failed.append(failing)
            raise error
        return rename(self, target)

    def no_links(self: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "replace", replace)
    if not hard_links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        small_net.save(folder / "net")
    assert failed and _content(folder) == before


def test_files_appear_in_the_order_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order, rename = [], Path.replace

    def replace(self: Path, target: Path) -> Path:
        order.append(Path(target).name)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with atomic_files(tmp_path / "b", tmp_path / "a") as (b, a):
        a.write(b"A")
        b.write(b"B")
        assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()
    assert order == ["b", "a"]
    assert _content(tmp_path) == {"a": b"A", "b": b"B"}


def test_the_text_goes_into_place_last(small_net: CaffeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order, rename = [], Path.replace

    def replace(self: Path, target: Path) -> Path:
        order.append(Path(target).name)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    small_net.save(tmp_path / "net")
    assert order == ["net.caffemodel", "net.prototxt"]


def test_too_little_room_is_seen_before_any_file(
    small_net: CaffeModel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sizes").mkdir()
    needed = sum(path.stat().st_size for path in small_net.save(folder / "sizes" / "net"))
    shutil.rmtree(folder / "sizes")
    before = _content(folder)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 100, 100))
    monkeypatch.setattr("gluon2caffe.onnx2caffe.atomic._create", lambda *_: pytest.fail("a file was begun"))
    with pytest.raises(OutputError, match=f"not enough room in .*: {needed:,} bytes are needed, 100 are free"):
        small_net.save(folder / "net")
    assert _content(folder) == before


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if not mount or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        pytest.skip("file systems can be mounted by root alone")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_really_full(tiny_disk: Path) -> None:
    (tiny_disk / "old").write_bytes(b"old")
    message = r"the disk of .*disk is full: 1,0\d\d,\d{3} are free"  # what was written before it failed is gone again
    with pytest.raises(OutputError, match=message), atomic_files(tiny_disk / "old") as (file,):
        file.write(bytes(2 * 2**20))
    message = r"2,097,152 bytes are needed, 1,0\d\d,\d{3} are free"
    with pytest.raises(OutputError, match=message), atomic_files(tiny_disk / "old", size=2 * 2**20):
        pytest.fail("a file was begun")
    assert _content(tiny_disk) == {"old": b"old"}


def test_a_file_cut_off_by_the_system(net_of: Any, tmp_path: Path) -> None:
    """A write that the kernel itself refuses half way: here for the largest size a file may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OutputError, match="File too large"):
            net_of(np.ones(50_000, np.float32)).save(tmp_path / "net")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_new_files_have_the_permissions_of_the_umask(
    umask: int, mode: int, small_net: CaffeModel, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        saved = small_net.save(tmp_path / "net")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in saved] == [mode, mode]


def test_a_replaced_file_keeps_its_permissions(small_net: CaffeModel, tmp_path: Path) -> None:
    saved = small_net.save(tmp_path / "net")
    saved.caffemodel.chmod(0o640)
    small_net.save(tmp_path / "net")
    assert stat.S_IMODE(saved.caffemodel.stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "file")
    with atomic_files(tmp_path / "link") as (file,):
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert _content(tmp_path / "real") == {"file": b"new"}


def test_names_as_long_as_a_name_may_be(tmp_path: Path) -> None:
    with atomic_files(tmp_path / ("n" * 255)) as (file,):
        file.write(b"x")
    assert _content(tmp_path) == {"n" * 255: b"x"}
    with pytest.raises(OutputError, match="File name too long"):
        check_targets(tmp_path / ("n" * 256))


def test_targets_that_cannot_be_written(tmp_path: Path, small_net: CaffeModel) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "net.caffemodel").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    os.mkfifo(tmp_path / "pipe")
    refusals = {
        tmp_path / "no" / "such" / "x": rf"cannot write x: the folder {tmp_path}/no/such does not exist",
        tmp_path / "file" / "x": r"cannot write .*: (Not a directory|.* is not a folder)",
        tmp_path / "net.caffemodel": rf"cannot write {tmp_path}/net.caffemodel: it is a folder",
        tmp_path / "pipe": "it is not an ordinary file",
        tmp_path / "nul\0l": "cannot be the name of a file|null",
    }
    for path, says in refusals.items():
        with pytest.raises(OutputError, match=says):
            check_targets(path)
    with pytest.raises(OutputError, match=r"net\.caffemodel: it is a folder"):
        small_net.save(tmp_path / "net")
    assert not (tmp_path / "net.prototxt").exists()


def test_write_protection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def by_mode(path: Path, wanted: int) -> bool:
        return bool(path.stat().st_mode & 0o200)

    if os.geteuid() == 0:  # root may write everywhere, so ask the owner's bit instead
        monkeypatch.setattr(os, "access", by_mode)
    (tmp_path / "file").touch(mode=0o444)
    with pytest.raises(OutputError, match="file: the file is there already and is write-protected"):
        check_targets(tmp_path / "file")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(OutputError, match=f"cannot write new: the folder {tmp_path} is not writable"):
            check_targets(tmp_path / "new")
    finally:
        tmp_path.chmod(0o755)
