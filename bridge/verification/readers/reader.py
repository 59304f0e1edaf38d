"""What every reader of Caffe files can do."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Protocol

from gluon2caffe.bridge.verification.readers.process import DEFAULT_TIMEOUT, WorkerProcess
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.bridge.verification.samples import FloatArray, join_samples, split_samples
from gluon2caffe.onnx2caffe.errors import SourceError
from gluon2caffe.onnx2caffe.prototxt import Outline, outline, read_net

SSD_LAYERS = frozenset({"DetectionOutput", "Normalize", "Permute", "PriorBox"})
"""The layer types that weiliu89's SSD branch added to BVLC Caffe."""

TOLERANCE = 1e-4
"""Largest |difference| of a reader in float32 from the source, as a part of the source's largest |value|."""


class Reader(Protocol):
    """A program that runs Caffe files."""

    @property
    def name(self) -> str:
        """What to call it in reports; unique among the readers of one run."""

    @property
    def tolerance(self) -> float:
        """Largest difference it may have from the source unless told otherwise, as a part of the largest value."""

    @property
    def version(self) -> str:
        """The version it reports; empty when it is not available."""

    @property
    def available(self) -> bool:
        """Whether it can be started here."""

    @property
    def reason(self) -> str:
        """Why it is not available, in one line; empty when it is."""

    def layer_types(self) -> frozenset[str]:
        """Return the layer types it has; empty when that is not known."""

    def load(self, prototxt: Path, caffemodel: Path) -> "Session":
        """Load a net, ready to run."""

    def run(
        self,
        prototxt: Path,
        caffemodel: Path,
        inputs: Mapping[str, FloatArray],
        fetch: Sequence[str] | None = None,
    ) -> dict[str, FloatArray]:
        """Load a net, run it and let go of it: ``load`` and ``Session.run`` in one."""

    def layer_by_layer(self) -> "Reader | None":
        """Return the same program set to compute each layer as it stands, for looking at intermediate blobs.

        None where it shows outputs alone.
        """


class Session:
    """One net loaded in one reader. Close it, or use it in a ``with`` statement: its process lives until then."""

    def __init__(self, reader: str, worker: WorkerProcess, net: Outline, shows_all: bool = True) -> None:
        self.net = net
        self._reader = reader
        self._worker = worker
        self._shows_all = shows_all

    @classmethod
    def opened(
        cls, reader: str, worker: WorkerProcess, prototxt: Path, caffemodel: Path, shows_all: bool = True
    ) -> "Session":
        """Load a net in a worker that runs already.

        Raises:
            ReaderError: a missing file, or the reader refuses it.
        """
        try:
            net = outline(read_net(prototxt))
        except SourceError as error:
            raise ReaderError(str(error)) from error
        if not net.inputs:
            raise ReaderError("the prototxt declares no inputs, so their names and shapes are not known")
        if not caffemodel.is_file():
            raise ReaderError(f"{caffemodel} does not exist")
        request = {
            "do": "load",
            "prototxt": str(prototxt.resolve()),
            "caffemodel": str(caffemodel.resolve()),
            "inputs": list(net.inputs.items()),
            "outputs": [(blob, *_place(net, blob)) for blob in net.outputs if blob in net.writers],
        }
        try:
            worker.ask(request)
        except ReaderError as error:
            raise ReaderError(f"{reader}: {error}") from None
        return cls(reader, worker, net, shows_all)

    def run(
        self, inputs: Mapping[str, FloatArray], fetch: Sequence[str] | None = None, *, reshape: bool = False
    ) -> dict[str, FloatArray]:
        """Run the net and return the blobs asked for, as float32 arrays.

        Args:
            inputs: input blob -> array of the shape in the prototxt. Where the prototxt's batch size is 1, all inputs
                may hold several samples along axis 0: they are run one by one, and the results joined along axis 0.
            fetch: the blobs to return, intermediate ones included, which the reader is asked for in ways of its own.
                None means the net's outputs in the order of the prototxt, fetched as the reader's users fetch them.
            reshape: feed the inputs as they are: the net is reshaped to them, as its users do.

        Raises:
            ReaderError: inputs that do not fit, unknown blobs, results that cannot be joined, or the reader fails.
        """
        blobs = self.net.outputs if fetch is None else tuple(fetch)
        known = {*self.net.writers, *self.net.inputs} if self._shows_all else set(self.net.outputs)
        unknown = [blob for blob in blobs if blob not in known]
        if unknown:
            what = "blob" if self._shows_all else "output"
            raise ReaderError(f"{self._reader}: the net has no {what} named {', '.join(unknown)}")
        run_once = self._outputs if fetch is None or not self._shows_all else self._blobs
        shapes = {name: array.shape for name, array in inputs.items()} if reshape else self.net.inputs
        try:
            return join_samples([run_once(sample, blobs) for sample in split_samples(inputs, shapes)])
        except ValueError as error:
            raise ReaderError(f"{self._reader}: {error}") from None

    def close(self) -> None:
        """End the reader's process."""
        self._worker.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _outputs(self, inputs: Mapping[str, FloatArray], blobs: Sequence[str]) -> dict[str, FloatArray]:
        """Run one sample and return some of the outputs."""
        found = self._ask({"do": "run"}, inputs)
        # An input that no layer reads is an output to Caffe, and to no other reader.
        missing = [blob for blob in blobs if blob not in found and blob not in inputs]
        if missing:
            given = ", ".join(found) or "none"
            raise ReaderError(f"{self._reader}: it gives no output {', '.join(missing)}; those it gives: {given}")
        return {blob: found[blob] if blob in found else inputs[blob] for blob in blobs}

    def _blobs(self, inputs: Mapping[str, FloatArray], blobs: Sequence[str]) -> dict[str, FloatArray]:
        """Run one sample and return some of the blobs."""
        # An input that no layer overwrites comes back as it was given: OpenCV cannot be asked for it.
        written = {blob: self.net.writers[blob] for blob in blobs if blob in self.net.writers}
        places = [(blob, *_place(self.net, blob)) for blob in written]
        found = self._ask({"do": "probe", "places": places}, inputs)
        return {blob: found[blob] if blob in written else inputs[blob] for blob in blobs}

    def _ask(self, request: Mapping[str, object], inputs: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        try:
            _, found = self._worker.ask(request, inputs)
        except ReaderError as error:
            raise ReaderError(f"{self._reader}: {error}") from None
        return found


def _place(net: Outline, blob: str) -> tuple[str, int]:
    """The layer that writes a blob last, and which of its tops it is."""
    return net.writers[blob].layer, net.writers[blob].top


class WorkerReader:
    """A reader that runs in the worker script; each real one adds how it is started.

    Args:
        name: what to call it in reports.
        command: the interpreter, the worker script and its arguments.
        environment: the child's environment; None means this process's own.
        timeout: seconds one request (starting, loading, running) may take before the child is ended.
        tolerance: see `Reader`.
    """

    shows_all = True
    """Whether it can be asked for any blob, or for outputs alone."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None,
        timeout: float = DEFAULT_TIMEOUT,
        tolerance: float = TOLERANCE,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.tolerance = tolerance
        self._command = tuple(command)
        self._environment = environment

    @cached_property
    def _hello(self) -> tuple[dict[str, object], str]:
        """What the worker says of itself, and why it cannot be had. It is started once for this, and ended."""
        try:
            worker = self.start()
        except ReaderError as error:
            return {}, str(error)
        worker.close()
        return worker.hello, ""

    @property
    def version(self) -> str:
        """The version it reports; empty when it is not available."""
        return str(self._hello[0].get("version", ""))

    @property
    def where(self) -> str:
        """The file its module was imported from; empty when it is not available."""
        return str(self._hello[0].get("where", ""))

    @property
    def available(self) -> bool:
        """Whether it can be started here."""
        return not self.reason

    @property
    def reason(self) -> str:
        """Why it is not available, in one line; empty when it is."""
        return self._hello[1]

    def layer_types(self) -> frozenset[str]:
        """Return the layer types it has; empty when it does not say."""
        types = self._hello[0].get("layer_types", [])
        return frozenset(types) if isinstance(types, list) else frozenset()

    def load(self, prototxt: Path, caffemodel: Path) -> Session:
        """Load a net, ready to run. The weights go from the file to the reader; they never pass through this process.

        Raises:
            ReaderError: a missing file, or the reader refuses it; the message holds the reader's own words.
        """
        try:
            worker = self.start()
        except ReaderError as error:
            raise ReaderError(f"{self.name}: {error}") from None
        try:
            return Session.opened(self.name, worker, prototxt, caffemodel, self.shows_all)
        except BaseException:
            worker.close()
            raise

    def run(
        self,
        prototxt: Path,
        caffemodel: Path,
        inputs: Mapping[str, FloatArray],
        fetch: Sequence[str] | None = None,
    ) -> dict[str, FloatArray]:
        """Load a net, run it and let go of it: ``load`` and ``Session.run`` in one."""
        with self.load(prototxt, caffemodel) as session:
            return session.run(inputs, fetch)

    def start(self) -> WorkerProcess:
        """Start its child process.

        Raises:
            ReaderError: it cannot be started, or cannot import its reader.
        """
        return WorkerProcess(self._command, self._environment, self.timeout)
