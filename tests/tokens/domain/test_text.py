"""Names that strangers chose."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokens.domain.text import sanitised


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Plain", "Plain"),
        ("  two\t\nwords  ", "two words"),
        ("nul\0bell\a", "nulbell"),
        ("\u202egnp.exe\u202c", "gnp.exe"),  # right-to-left override
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("private\ue000use", "privateuse"),
        ("lone\ud800surrogate", "lonesurrogate"),
        ("no\u00a0break\u2028line", "no break line"),
        ("Ünïcödé 狗 🐶", "Ünïcödé 狗 🐶"),
        ("\u200b\u202e", ""),
        ("", ""),
    ],
)
def test_only_what_can_be_seen_stays(raw: str, shown: str) -> None:
    """Control, bidirectional and invisible characters go, white space becomes one space, letters stay."""
    assert sanitised(raw, 100) == shown


@pytest.mark.parametrize(("limit", "shown"), [(9, "dog house"), (5, "dog h"), (4, "dog"), (3, "dog"), (0, "")])
def test_a_name_is_cut_to_what_the_column_holds(limit: int, shown: str) -> None:
    """A cut after a space leaves no space at the end."""
    assert sanitised("dog  house", limit) == shown


@given(st.text(), st.integers(0, 40))
def test_the_result_is_always_storable_and_showable(raw: str, limit: int) -> None:
    """Whatever comes, the result is short, has nothing hidden, can be encoded, and is its own result."""
    shown = sanitised(raw, limit)
    assert len(shown) <= limit
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Co", "Cs", "Cn"}
    assert shown.encode().decode() == sanitised(shown, limit)
