"""What goes into an error message: MXNet's reason in a sentence, and lists of names that stay readable."""

import re

_LOCATION = re.compile(r"\[\d\d:\d\d:\d\d\]\s*\S+?:\d+:\s*")
_CHECK = re.compile(r"Check failed:\s*(?P<condition>.*?):\s+(?P<reason>.+)", re.DOTALL)
_OPERATOR = re.compile(r"Error in operator (?P<name>[^:]+):\s*(?P<rest>.+)", re.DOTALL)


def reason_of(error: BaseException) -> str:
    """Return what MXNet complains about in one line, without the stack trace and the source locations."""
    text = str(error).split("Stack trace")[0]
    text = re.sub(r"^\s*(Traceback \(most recent call last\):|MXNetError:)", "", text)
    lines = [line for line in text.splitlines() if line.strip() and not _is_frame(line)]
    text = _LOCATION.sub("", " ".join(line.strip() for line in lines)).removeprefix("MXNetError: ")
    where = _OPERATOR.search(text)
    rest = where.group("rest") if where else text
    check = _CHECK.search(rest)
    said = (check.group("reason") if check else rest).strip().rstrip(".")
    message = f"{where.group('name')}: {said}" if where else said
    return re.sub(r"\s+", " ", message) or type(error).__name__


def shortened(names: list[str], limit: int = 8) -> str:
    """Join names with commas; of a long list only the first `limit`, and how many more there are."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def _is_frame(line: str) -> bool:
    return bool(re.match(r"\s*(File \"|\[bt\]|\(\d+\) |Traceback)", line))
