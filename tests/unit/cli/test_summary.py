"""How sizes and notes are written in the summary."""

import pytest

from gluon2caffe.bridge.cli.show import Summary, grouped, rows, size_text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (553_432_060, "553.4 MB"),
        (2_147_483_647, "2.15 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size_text(count) == text


def test_notes_that_say_the_same_are_joined() -> None:
    notes = ["a: ReLU6 written as ReLU", "b: ReLU6 written as ReLU", "c: mean kept apart", "no layer named"]
    assert grouped(notes) == [
        "ReLU6 written as ReLU (2 layers, the first is a)",
        "c: mean kept apart",
        "no layer named",
    ]


def test_only_the_first_line_of_a_kind_has_its_label() -> None:
    summary = Summary("net", [], 1.24, inputs={"left": (1, 3), "right": ()}, counts={"parameters": 12_345}, notes=["x"])
    assert rows(summary) == [
        ("Source", "net"),
        ("Input", "left  1×3"),
        ("", "right  scalar"),
        ("Parameters", "12,345"),
        ("Time", "1.2 s"),
        ("Notes", "x"),
    ]
