from pathlib import Path

import pytest
from known_net import known_net

from gluon2caffe.bridge.verification.readers import NO_CAFFE, CaffeReader, OpenCVReader, Reader, caffe_readers
from gluon2caffe.onnx2caffe.model import CaffeModel, SavedModel

CAFFES = caffe_readers()
REAL_CAFFES = [pytest.param(reader, id=reader.name) for reader in CAFFES] or [
    pytest.param(None, id="Caffe", marks=pytest.mark.skip(reason=NO_CAFFE))
]
READERS = [pytest.param(OpenCVReader(), id="OpenCV"), *REAL_CAFFES]


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> Reader:
    """Each reader that is installed."""
    return request.param


@pytest.fixture(params=REAL_CAFFES)
def caffe(request: pytest.FixtureRequest) -> CaffeReader:
    """Each real Caffe that is installed."""
    return request.param


@pytest.fixture
def net() -> CaffeModel:
    return known_net()


@pytest.fixture
def saved(net: CaffeModel, tmp_path: Path) -> SavedModel:
    return net.save(tmp_path / "small")
