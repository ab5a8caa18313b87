import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.wording import listed, printable, shortened


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain, é 東京 👍🏽", "plain, é 東京 👍🏽"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb", "a\\rb"),
        ("\u202egnp", "\\u202egnp"),
        ("bad \udcff byte", "bad \\udcff byte"),
        ("two\nlines", "two\nlines"),
        ("क्\u200dष", "क्\u200dष"),
    ],
)
def test_control_characters_are_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(text=st.text(st.characters(codec=None, exclude_categories=[])))
def test_what_is_printable_can_be_written(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert not set(shown) & {
        chr(c) for c in (*range(10), *range(11, 32), *range(127, 160))
    }
    assert printable(shown) == shown


def test_long_values_are_cut() -> None:
    assert listed([1, 2, 3, 4], 3) == "1, 2, 3, ..."
    assert listed([1, 2, 3], 3) == "1, 2, 3"
    assert shortened("x" * 100, 10) == "xxxxxxx..."
