"""What becomes of a case on a reader."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gluon2caffe.bridge.verification.compare import difference
from gluon2caffe.bridge.verification.readers.process import WorkerProcess
from gluon2caffe.bridge.verification.readers.reader import Session, WorkerReader
from gluon2caffe.bridge.verification.run_errors import ReaderError
from gluon2caffe.onnx2caffe.model import CaffeModel
from gluon2caffe.onnx2caffe.prototxt import read_net
from tests.readers.cases import LoweringCase


@dataclass(frozen=True)
class Outcome:
    """`what` is "agreed", "wrong", "failed" (an error of the reader), "lacking" (it has not the layers) or "refused"
    (there are no files for its target); `error` is relative to the largest value, `text` says more."""

    what: str
    error: float = 0.0
    text: str = ""


class Bench:
    """One reader in a process that is given case after case, and started again where it died."""

    def __init__(self, reader: WorkerReader, target: str) -> None:
        self.reader, self.target = reader, target
        self._process: WorkerProcess | None = None

    def outcome(self, case: LoweringCase) -> Outcome:
        """Convert a case for the target, run it and compare."""
        converted = case.convert(self.target)
        if converted is None:
            return Outcome("refused")
        fed = case.fed(converted)
        expected = case.expected(converted, fed)
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = self._run(converted, Path(folder), fed)
            except ReaderError as error:
                self._restart_if_dead()
                return Outcome("failed", text=str(error).removeprefix(f"{self.reader.name}: "))
        if isinstance(found, Outcome):
            return found
        worst = Outcome("agreed")
        for blob, wanted in expected.items():
            apart = difference(found[blob], wanted)
            if not apart.within(self.reader.tolerance):
                return Outcome("wrong", apart.relative, apart.problem)
            worst = max(worst, Outcome("agreed", apart.relative), key=lambda each: each.error)
        return worst

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.close()
        self._process = None

    def _run(self, converted: CaffeModel, folder: Path, fed: dict[str, np.ndarray]) -> dict[str, np.ndarray] | Outcome:
        prototxt, caffemodel = converted.save(folder / "net")
        types = self.reader.layer_types()
        lacking = {layer.type for layer in read_net(prototxt).layer} - types if types else set()
        if lacking:
            return Outcome("lacking", text=", ".join(sorted(lacking)))
        if self._process is None:
            self._process = self.reader.start()
        session = Session.opened(self.reader.name, self._process, prototxt, caffemodel, self.reader.shows_all)
        return session.run(fed)

    def _restart_if_dead(self) -> None:
        if self._process is not None and not self._process.alive:
            self.close()
