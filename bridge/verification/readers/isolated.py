"""Readers in environments of their own, made by `gluon2caffe readers setup`: converters and their runtimes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gluon2caffe.bridge.verification.readers.environment import ReadyEnvironment, read_marker, readers_folder
from gluon2caffe.bridge.verification.readers.process import DEFAULT_TIMEOUT, WORKER, WorkerProcess, clean_environment
from gluon2caffe.bridge.verification.readers.reader import TOLERANCE, Reader, WorkerReader
from gluon2caffe.onnx2caffe.targets import PROFILES


@dataclass(frozen=True)
class IsolatedKind:
    """What is to be known of such a reader.

    Attributes:
        name: what `--readers` and `readers setup` call it; also of its folder, of its program in ``programs`` and of
            the target profile that lists its layers, where there is one.
        title: what reports call it.
        tolerance: see `Reader`.
        variables: folder of the environment -> what its process needs in its environment variables.
        options: the words that its program is started with.
    """

    name: str
    title: str
    tolerance: float = TOLERANCE
    variables: Callable[[Path], Mapping[str, str]] = field(default=lambda folder: {})
    options: Callable[[], tuple[str, ...]] = field(default=tuple)

    optional = True
    apart = True

    def find(self) -> list[Reader]:
        """Return the reader that is set up on this machine; none where there is none."""
        folder = readers_folder() / self.name
        ready = read_marker(folder)
        return [IsolatedReader(self, folder, ready)] if ready else []

    def absence(self) -> str:
        """Return why there is none, and what to do about it."""
        return f"not set up: run `gluon2caffe readers setup {self.name}`"


class IsolatedReader(WorkerReader):
    """A converter with its runtime: it gives the outputs of a net, and no other blobs."""

    shows_all = False

    def __init__(
        self, kind: IsolatedKind, folder: Path, ready: ReadyEnvironment, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        # One thread, so that results do not depend on the number of cores.
        environment = {**clean_environment(), "OMP_NUM_THREADS": "1", **kind.variables(folder)}
        command = (str(folder / ready.python), str(WORKER), kind.name, *kind.options())
        super().__init__(kind.title, command, environment, timeout, kind.tolerance)
        self.kind = kind

    def layer_types(self) -> frozenset[str]:
        """Return the layer types of the profile of the same name; empty where there is none."""
        profile = PROFILES.get(self.kind.name)
        return profile.layers if profile else frozenset()

    def layer_by_layer(self) -> None:
        """Return None: no intermediate blobs are to be had."""

    def start(self) -> WorkerProcess:
        """Start its child process, in a folder of its own."""
        return WorkerProcess(self._command, self._environment, self.timeout, own_folder=True)
