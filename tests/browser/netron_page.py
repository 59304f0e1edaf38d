"""What a person does in Netron: open a model, show the names, click on a node."""

from collections import Counter

from tests.browser.chromium import Chromium, wait_for

# Netron asks first-time visitors to accept its terms.
CONSENT = {"consent": "1"}

SECONDS_TO_DRAW = 60


def open_model(page: Chromium, url: str, *words: str) -> str:
    """Open Netron and wait until these words are to be seen; return all that is.

    Raises:
        AssertionError: they do not come.
    """
    page.open(url, CONSENT)
    return _text_with(page, words)


def node_texts(page: Chromium) -> Counter[str]:
    """What is written on the heads of the nodes, and how often."""
    return Counter(
        page.evaluate("[...document.querySelectorAll('#canvas .node-item-type text')].map((text) => text.textContent)")
    )


def shortened(name: str) -> str:
    """A name as Netron writes it on a node: the middle of a long one is left out."""
    return f"{name[:10]}…{name[-10:]}" if len(name) > 21 else name


def show_names(page: Chromium, *words: str) -> str:
    """Let the nodes be called by their names instead of their types, by Ctrl+U; return what is to be seen then.

    Raises:
        AssertionError: these words are not among it.
    """
    for kind in ("rawKeyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="u", code="KeyU", windowsVirtualKeyCode=85, modifiers=2)
    return _text_with(page, words)


def open_properties(page: Chromium, name: str, *words: str) -> str:
    """Click on the node of this name, which opens its properties at the side; return what is to be seen then.

    The nodes must be called by their types: their names are then the tooltips.

    Raises:
        AssertionError: these words are not among it.
    """
    middle = page.evaluate(
        f"""(() => {{
            for (const title of document.querySelectorAll('#canvas title')) {{
                if (title.textContent === {name!r}) {{
                    title.parentElement.scrollIntoView({{block: 'center', inline: 'center'}});
                    const box = title.parentElement.getBoundingClientRect();
                    return [box.x + box.width / 2, box.y + box.height / 2];
                }}
            }}
            return null;
        }})()"""
    )
    assert middle is not None, f"there is no node {name}"
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=middle[0], y=middle[1], button="left", clickCount=1)
    return _text_with(page, words)


def scroll_to(page: Chromium, text: str) -> None:
    """Bring the first node on which this text is written into view."""
    page.evaluate(
        f"""[...document.querySelectorAll('#canvas .node-item-type text')]
            .find((each) => each.textContent === {text!r}).scrollIntoView({{block: 'center', inline: 'center'}})"""
    )


def _text_with(page: Chromium, words: tuple[str, ...]) -> str:
    text = ""

    def found() -> bool:
        nonlocal text
        # While it reads and lays out a model, Netron shows a spinner over what is there already.
        if page.evaluate("document.body ? document.body.className : ''") != "default":
            return False
        # The value of an input field is no text of the page.
        fields = "[...document.querySelectorAll('input')].map((field) => field.value).join('\\n')"
        text = page.evaluate(f"document.body ? document.body.innerText + '\\n' + {fields} : ''")
        return all(word in text for word in words)

    try:
        wait_for(found, SECONDS_TO_DRAW)
    except TimeoutError:
        missing = [word for word in words if word not in text]
        raise AssertionError(f"Netron does not show {missing}, but {text[:2000]!r}") from None
    return text
