"""docs/api.md says what the code says."""

from tests.api.page import PAGE, page


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run `make docs`"
