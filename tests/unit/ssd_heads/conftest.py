from typing import Any

import pytest

from bridge.export import load_gluoncv, load_mxnet
from onnx2caffe.errors import SourceError


@pytest.fixture(scope="session")
def mx() -> Any:
    """MXNet; tests that need it and GluonCV are skipped where they cannot be installed."""
    try:
        load_gluoncv()
        return load_mxnet()
    except SourceError as error:
        pytest.skip(str(error))
