from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agreement import close_workers

from gluon2caffe.bridge.export import load_gluoncv, load_mxnet
from gluon2caffe.bridge.verification.readers import InstalledReaders, installed_readers
from gluon2caffe.bridge.verification.readers.environment import READERS_VARIABLE, readers_folder
from gluon2caffe.onnx2caffe.errors import SourceError

USERS_READERS = readers_folder()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full-zoo", action="store_true", help="convert and measure every net of the zoo (an hour)")
    parser.addoption("--benchmarks", action="store_true", help="measure speed and memory (minutes)")
    parser.addoption("--fuzz", action="store_true", help="convert thousands of damaged models (minutes)")
    parser.addoption("--property-examples", type=int, default=200, metavar="N", help="number of random graphs to try")


@pytest.fixture(scope="session", autouse=True)
def _no_readers_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test finds must not depend on what its user once set up; tests of these readers ask for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(READERS_VARIABLE, str(tmp_path_factory.mktemp("readers")))
        yield


@pytest.fixture
def users_readers() -> Path:
    """Where the readers are that the user has set up."""
    return USERS_READERS


@pytest.fixture(scope="session", autouse=True)
def _end_readers() -> Iterator[None]:
    """Reader processes that tests share live until the last test."""
    yield
    close_workers()


@pytest.fixture(scope="session")
def mx() -> Any:
    """MXNet; tests that need it are skipped where it cannot be installed."""
    try:
        load_gluoncv()
        return load_mxnet()
    except SourceError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def readers() -> InstalledReaders:
    """The Caffe readers found here."""
    return installed_readers()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud which readers the tests ran on, and which were skipped and why."""
    found = installed_readers(("opencv", "caffe"))
    names = [f"{reader.name} {reader.version}".strip() for reader in found]
    terminalreporter.write_line(f"Readers that ran: {', '.join(names) or 'none'}")
    for name, reason in found.missing.items():
        terminalreporter.write_line(f"Reader SKIPPED: {name}: {reason}")
