from typing import Any

import pytest

from bridge.export import load_mxnet
from onnx2caffe.errors import SourceError


@pytest.fixture(scope="session")
def mx() -> Any:
    """MXNet; tests that need it are skipped where it cannot be installed."""
    try:
        return load_mxnet()
    except SourceError as error:
        pytest.skip(str(error))
