"""Tables give points with words; lines make parts; unknown is not zero."""

from decimal import Decimal
from typing import Any

import pytest

from scoring.domain.points import Component, Part, Ramp, Steps, text
from scoring.domain.terms import PolicyMalformed

BANDS = [{"to": "0", "points": "0"}, {"below": "0.5", "points": "8"}, {"to": "2", "points": "33"}, {"points": "10"}]


@pytest.mark.parametrize(
    ("value", "points", "words"),
    [
        ("-1", "0", "at most 0"),
        ("0", "0", "at most 0"),
        ("0.01", "8", "above 0 and below 0.5"),
        ("0.5", "33", "at least 0.5 and at most 2"),
        ("2", "33", "at least 0.5 and at most 2"),
        ("2.01", "10", "above 2"),
    ],
)
def test_a_bound_belongs_to_the_row_that_says_so(value: str, points: str, words: str) -> None:
    """A bound with "to" belongs to its row, one with "below" to the next."""
    assert Steps.of(BANDS, name="velocity").at(Decimal(value)) == (Decimal(points), words)


def test_a_ramp_goes_in_a_straight_line() -> None:
    """Between two bounds the points go straight from the first to the last; below the beginning they stay."""
    ramp = Ramp.of([{"since": "0", "below": "4", "first": "1", "last": "9"}, {"points": "5"}], name="position")
    assert [ramp.at(Decimal(value)).points for value in ("-3", "0", "1", "3.5", "4", "99")] == [1, 1, 3, 8, 5, 5]
    assert ramp.most == 9


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"below": "1", "points": "3"}], "end with a row that has points and no bound"),
        ([{"below": "2", "points": "3"}, {"below": "1", "points": "2"}, {"points": "1"}], "order the rows"),
        ([{"points": "3"}, {"points": "1"}], "order the rows"),
        ([{"below": "2", "points": "3"}, {"below": "4", "points": "x"}, {"points": "1"}], "write a number as text"),
        ([{"below": "2", "points": 0.1}, {"points": "1"}], "write a number as text"),
        ([{"below": "2", "points": "NaN"}, {"points": "1"}], "write a number as text"),
        ([{"below": "2", "to": "2", "points": "1"}, {"points": "1"}], "give one bound"),
        ([{"below": "2", "first": "1", "last": "2"}, {"points": "1"}], "a slope needs a beginning"),
        ([{"below": "2", "first": "1"}, {"points": "1"}], 'give either "points" or both'),
        ([{"below": "2", "points": "1"}, {"since": "2", "points": "1"}], 'only the first row has "since"'),
        ([{"under": "2", "points": "1"}, {"points": "1"}], "under means nothing"),
    ],
)
def test_a_malformed_table_says_what_to_write(rows: list[dict[str, Any]], said: str) -> None:
    """A table that cannot be read names the row and says what to do."""
    with pytest.raises(PolicyMalformed, match=f"^risk.bots.*{said}"):
        Ramp.of(rows, name="risk.bots")


def test_steps_have_no_slopes() -> None:
    """A table of steps refuses a row that rises."""
    with pytest.raises(PolicyMalformed, match="no slopes"):
        Steps.of([{"since": "0", "below": "4", "first": "1", "last": "9"}, {"points": "5"}], name="x")


def test_a_parts_points_are_those_of_its_known_lines() -> None:
    """Unknown lines count neither as points nor as available; when all are unknown so is the part."""
    known = Component("gini", Decimal("30"), Decimal(40), "Fairly even.", {"gini": "0.42"})
    unknown = Component("bots", None, Decimal(40), "Nobody looked.", {"bots": None})
    assert [Part("a", (known, unknown), Decimal(80)).points, Part("a", (unknown,), Decimal(40)).points] == [30, None]
    assert Part("a", (known, unknown), Decimal(80)).available == 40


def test_a_part_comes_back_from_json() -> None:
    """What is stored is what is read."""
    line = Component("gini", Decimal("30.5"), Decimal(40), "Fairly even.", {"gini": "0.42", "holders": None})
    lines = (line, Component("bots", None, Decimal(40), "Nobody looked.", {}))
    part = Part("distribution", lines, Decimal(80))
    assert Part.from_json(part.as_json()) == part


def test_numbers_are_told_without_exponents() -> None:
    """Stored numbers are plain text: no exponent, no zeros behind, no minus before zero."""
    told = [text(Decimal(number)) for number in ("1E+3", "0.10", "-0.00", "1E-9", "100")]
    assert told == ["1000", "0.1", "0", "0.000000001", "100"]
