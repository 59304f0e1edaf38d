"""A reader's child process, seen from the parent: messages out, messages in, and what to say when it dies."""

import json
import os
import re
import signal
import struct
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.bridge.verification.samples import FloatArray

WORKER = Path(__file__).parent / "programs" / "worker.py"
DEFAULT_TIMEOUT = 900.0
"""Seconds one request may take: loading and running the largest nets takes tens of seconds on a slow machine."""


class WorkerProcess:
    """The worker script in a child process.

    A child, because a failed check ends Caffe's process, because a crash in a C++ library must not take the caller with
    it, because the memory of a 500 MB net is given back for certain, and because Caffe lives in an interpreter of its
    own.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None,
        timeout: float,
        own_folder: bool = False,
    ) -> None:
        """Start ``command`` and wait for its hello.

        With ``own_folder`` it runs in a temporary folder, which goes when it ends: converters write files as they like.

        Raises:
            ReaderError: it cannot be started, or cannot import its reader.
        """
        self.timeout = timeout
        # A file, not a pipe: a chatty reader cannot block on it, and its last lines can be read after its death.
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        scratch = tempfile.TemporaryDirectory(prefix="gluon2caffe-") if own_folder else None
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                cwd=scratch.name if scratch else None,
                env=None if environment is None else dict(environment),
                # Ctrl-C reaches the parent alone, which then closes its children in order.
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            if scratch:
                scratch.cleanup()
            raise ReaderError(f"{command[0]} cannot be started: {error.strerror}") from error
        self._sink = cast(IO[bytes], self._process.stdin)
        self._source = cast(IO[bytes], self._process.stdout)
        self._end = weakref.finalize(self, _end_process, self._process, self._log, scratch)
        self.hello, _ = self._answer("starting")

    def ask(
        self, request: Mapping[str, Any], arrays: Mapping[str, FloatArray] | None = None
    ) -> tuple[dict[str, Any], dict[str, FloatArray]]:
        """Send one request, return the header and the arrays of the answer.

        Raises:
            ReaderError: the reader refused, died or took longer than the timeout; the worker is of no use afterwards
                unless it merely refused.
        """
        arrays = {name: np.require(array, np.float32, "C") for name, array in (arrays or {}).items()}
        header = dict(request, arrays=[(name, array.shape) for name, array in arrays.items()])
        text = json.dumps(header).encode("utf-8")
        what = {"run": "running", "load": "loading", "probe": "running"}[request["do"]]
        try:
            self._sink.write(struct.pack("<I", len(text)) + text)
            for array in arrays.values():
                self._sink.write(array.data.cast("B") if array.size else b"")
            self._sink.flush()
        except (BrokenPipeError, ValueError):
            raise ReaderError(self._last_words(what)) from None
        return self._answer(what)

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self._end()

    def _answer(self, what: str) -> tuple[dict[str, Any], dict[str, FloatArray]]:
        late = threading.Event()
        process = self._process  # not self: the timer's thread must not keep this object alive

        def give_up() -> None:
            late.set()
            process.kill()

        # Killing the child ends the blocking read below with an end of file, on every platform.
        timer = threading.Timer(self.timeout, give_up)
        timer.daemon = True
        timer.start()
        try:
            prefix = self._exactly(4)
            header: dict[str, Any] = json.loads(self._exactly(struct.unpack("<I", prefix)[0]))
            arrays = {}
            for name, shape in header.pop("arrays", []):
                count = int(np.prod(shape, dtype=np.int64))
                arrays[name] = np.frombuffer(self._exactly(4 * count), dtype=np.float32).reshape(shape)
        except EOFError:
            if late.is_set():
                self.close()
                raise ReaderError(f"no answer within {self.timeout:g} s while {what}; it was ended") from None
            raise ReaderError(self._last_words(what)) from None
        finally:
            timer.cancel()
        if "error" in header:
            raise ReaderError(str(header["error"]))
        return header, arrays

    def _exactly(self, count: int) -> bytearray:
        buffer = bytearray(count)
        view = memoryview(buffer)
        done = 0
        while done < count:
            got = cast(Any, self._source).readinto(view[done:])
            if not got:
                raise EOFError
            done += got
        return buffer

    def _last_words(self, what: str) -> str:
        code = self._process.wait()
        self._log.seek(0)
        words = telling_lines(self._log.read().decode("utf-8", "replace"))
        self.close()
        ending = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        return f"{ending} while {what}" + (f": {words}" if words else "")


# glog: "F1123 15:30:01.123456  4242 net.cpp:757] Check failed: a == b (1 vs. 2) Cannot copy param 0 ..."
_STAMPED = re.compile(r"^([IWEF])\d{4,8} \S+ +\d+ (\S+\] (.*))$")
_CREATING = re.compile("Creating [Ll]ayer (.*)")
_CREATED = "Network initialization done."


def telling_lines(log: str) -> str:
    """Return what a dead reader said about its end: failed checks and parse errors, without stamps and stack traces.

    A layer that was being set up at the time is named. Falls back to the last three lines when there is nothing of the
    kind.
    """
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    telling = []
    layer = ""
    for line in lines:
        stamped = _STAMPED.match(line)
        if stamped and stamped[1] in "EF":
            telling.append(stamped[2].split(" (known types:")[0])
        elif stamped and (creating := _CREATING.match(stamped[3])):
            layer = creating[1]
        elif stamped and stamped[3].startswith(_CREATED):
            layer = ""
        elif "libprotobuf ERROR" in line or "libprotobuf FATAL" in line:
            telling.append(line.split("] ", 1)[-1])
    if not telling:
        return "; ".join([line for line in lines if not re.match(r"^\s*@ |^\*\*\* |^[IW]\d{4}", line)][-3:])
    return (f"layer {layer}: " if layer else "") + "; ".join(telling)


def _end_process(
    process: "subprocess.Popen[bytes]", log: IO[bytes], scratch: "tempfile.TemporaryDirectory[str] | None"
) -> None:
    if process.poll() is None:
        process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # unsent bytes to a child that is gone
                continue
    process.wait()
    log.close()
    if scratch is not None:
        scratch.cleanup()


def clean_environment(python_path: Sequence[Path] = ()) -> dict[str, str]:
    """Return this process's environment without what would leak its own Python into another interpreter."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    if python_path:
        environment["PYTHONPATH"] = os.pathsep.join(str(folder) for folder in python_path)
    environment["PYTHONNOUSERSITE"] = "1"
    return environment
