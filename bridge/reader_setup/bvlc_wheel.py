"""BVLC Caffe, without the SSD layers, from a wheel for Python 3.6 to 3.9."""

from pathlib import Path

from gluon2caffe.bridge.reader_setup.pythons import find_python
from gluon2caffe.bridge.reader_setup.recipe import pins, python_names
from gluon2caffe.bridge.reader_setup.steps import SetupError, Steps
from gluon2caffe.bridge.reader_setup.trial import what_is_wrong
from gluon2caffe.bridge.verification.readers.caffe_reader import reader_of
from gluon2caffe.bridge.verification.readers.environment import ReadyEnvironment
from gluon2caffe.bridge.verification.readers.reader import WorkerReader

VERSIONS = ((3, 8), (3, 9), (3, 7))
PINS = {"kendryte-caffe": "1.0.0.20210829", "protobuf": "3.20.3"}


class BvlcWheel:
    """The recipe."""

    name = "bvlc-wheel"
    megabytes = 400

    def expected(self) -> dict[str, str]:
        """Return the packages and versions that a finished set-up has."""
        return dict(PINS)

    def install(self, steps: Steps) -> ReadyEnvironment:
        """Set it up.

        Raises:
            SetupError: there is no Python of these versions, or a step fails.
        """
        python = find_python(VERSIONS)
        if python is None:
            raise SetupError(f"there is no {python_names(VERSIONS)} (with venv) on this machine")
        # It was compiled against numpy 1; its metadata would take 2 on Python 3.9.
        steps.make_environment(python, [*pins(PINS), "numpy<2"])
        return ReadyEnvironment(self.name, "BVLC Caffe", "venv/bin/python", (), self.expected())

    def reader(self, folder: Path, ready: ReadyEnvironment) -> WorkerReader:
        """Return the reader in a folder that was set up."""
        return reader_of(folder, ready)

    def what_is_wrong(self, reader: WorkerReader) -> str:
        """Run the trial net on the reader."""
        return what_is_wrong(reader)


BVLC_WHEEL = BvlcWheel()
