from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.chromium import Chromium, find_chromium

ARTIFACTS = Path(__file__).parents[2] / ".artifacts"

NO_CHROMIUM = "there is no Chromium here (apt-get install chromium brings it)"


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Iterator[Chromium]:
    """A page of a fresh browser; what it shows at the end of the test is kept."""
    program = find_chromium()
    if program is None:
        pytest.skip(NO_CHROMIUM)
    with Chromium(program) as opened:
        yield opened
        ARTIFACTS.mkdir(exist_ok=True)
        (ARTIFACTS / f"{request.node.name}.png").write_bytes(opened.screenshot())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud where the pictures are, or that there are none."""
    if find_chromium() is None:
        terminalreporter.write_line(f"Netron in a browser SKIPPED: {NO_CHROMIUM}")
    else:
        terminalreporter.write_line(f"What the browser showed is in {ARTIFACTS.name}/")
