"""BVLC Caffe, without the SSD layers, from a wheel for Python 3.6 to 3.9."""

from gluon2caffe.bridge.verification.caffe_setup.marker import ReadyCaffe
from gluon2caffe.bridge.verification.caffe_setup.pythons import find_python
from gluon2caffe.bridge.verification.caffe_setup.steps import SetupError, Steps

NAME = "bvlc-wheel"
VERSIONS = ((3, 8), (3, 9), (3, 7))
PINS = {"kendryte-caffe": "1.0.0.20210829", "protobuf": "3.20.3"}


def expected() -> dict[str, str]:
    """Return the packages and versions a finished set-up has."""
    return dict(PINS)


def install(steps: Steps) -> ReadyCaffe:
    """Set it up.

    Raises:
        SetupError: there is no Python of these versions, or a step fails.
    """
    python = find_python(VERSIONS)
    if python is None:
        raise SetupError("there is no Python 3.7, 3.8 or 3.9 (with venv) on this machine")
    # It was compiled against numpy 1; its metadata would take 2 on Python 3.9.
    packages = [*(f"{name}=={version}" for name, version in PINS.items()), "numpy<2"]
    steps.make_environment(python, packages)
    return ReadyCaffe(NAME, "BVLC Caffe", "venv/bin/python", (), expected())
