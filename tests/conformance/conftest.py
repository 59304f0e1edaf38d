from collections.abc import Iterator

import pytest

from tests.agreement import close_workers


@pytest.fixture(scope="session", autouse=True)
def _end_conformance_readers() -> Iterator[None]:
    """The readers that the backend keeps live until the last test."""
    yield
    close_workers()
