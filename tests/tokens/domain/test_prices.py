"""Which prices are believed: each by itself, then compared."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import NOON
from tokens.choices import PriceDrop
from tokens.domain.prices import Quote, Track, Used, followed, judged

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def quote(price: object, source: str = "hermes", *, age: timedelta = SECOND, confidence: str | None = None) -> Quote:
    """Return a price that is a second old."""
    spread = None if confidence is None else Decimal(confidence)
    return Quote(source=source, price_usd=Decimal(str(price)), at=NOON - age, confidence=spread)


def verdicts(**prices: object) -> Mapping[str, PriceDrop | None]:
    """Return the verdicts on young prices by source, with no past."""
    return judged([quote(price, source) for source, price in prices.items()], tracks={}, last=None, now=NOON)


def alone(one: Quote, *, last: Used | None = None, tracks: Mapping[str, Track] | None = None) -> PriceDrop | None:
    """Return the verdict on the only price there is."""
    return judged([one], tracks=tracks or {}, last=last, now=NOON)[one.source]


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "0.00000049", "1e14", "1e999999"])
def test_what_is_no_positive_number_of_our_size_is_dropped(price: str) -> None:
    """Zero, negative, no number, endless, smaller or larger than the column holds."""
    assert alone(quote(price)) == PriceDrop.NOT_POSITIVE


@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (-16 * SECOND, PriceDrop.FROM_FUTURE),
        (-15 * SECOND, None),
        (60 * SECOND, None),
        (61 * SECOND, PriceDrop.STALE),
    ],
)
def test_a_price_is_neither_from_the_future_nor_old(age: timedelta, verdict: PriceDrop | None) -> None:
    """Fifteen seconds ahead are a clock, sixty seconds are young; beyond is not."""
    assert alone(quote(150, age=age)) == verdict


@pytest.mark.parametrize(
    ("confidence", "verdict"),
    [("1.5", None), ("1.500001", PriceDrop.UNSURE), ("NaN", PriceDrop.UNSURE), ("-0.1", PriceDrop.UNSURE), ("0", None)],
)
def test_a_source_that_is_unsure_by_more_than_a_hundredth_is_not_used(
    confidence: str, verdict: PriceDrop | None
) -> None:
    """One per cent of 150 is 1.5; no confidence at all counts as sure, one that is none does not."""
    assert alone(quote(150, confidence=confidence)) == verdict


def track(*, minutes: float, repeats: int = 1, price: str = "150") -> Track:
    """Return the past of a source that has said ``price`` for ``minutes``."""
    return Track(price=price, at=NOON - SECOND, unmoved_since=NOON - minutes * MINUTE, repeats=repeats)


def test_the_same_answer_five_times_in_a_row_is_frozen() -> None:
    """Price and moment both stand still; four times may be a quiet source."""
    assert alone(quote(150), tracks={"hermes": track(minutes=1, repeats=4)}) is None
    assert alone(quote(150), tracks={"hermes": track(minutes=1, repeats=5)}) == PriceDrop.FROZEN


@pytest.mark.parametrize(
    ("minutes", "other_moved", "verdict"),
    [(5, True, None), (5.1, True, PriceDrop.FROZEN), (15, False, None), (15.1, False, PriceDrop.FROZEN)],
)
def test_a_price_that_stands_still_while_another_moves_is_frozen(
    minutes: float, other_moved: bool, verdict: PriceDrop | None
) -> None:
    """Five minutes when another source moved meanwhile, fifteen when none did, however young it says to be."""
    tracks = {"hermes": track(minutes=minutes)}
    if other_moved:
        tracks["jupiter"] = track(minutes=1, price="150.1")
    assert alone(quote(150), tracks=tracks) == verdict


def test_a_track_follows_price_and_moment() -> None:
    """A new price starts anew; the same price of a later moment is unmoved, but not repeated."""
    first = followed(None, quote(150), now=NOON)
    assert first == Track(price="150", at=NOON - SECOND, unmoved_since=NOON, repeats=1)
    again = followed(first, quote(150), now=NOON + 10 * SECOND)
    assert (again.unmoved_since, again.repeats) == (NOON, 2)
    later = followed(again, quote(150, age=-9 * SECOND), now=NOON + 20 * SECOND)
    assert (later.unmoved_since, later.repeats) == (NOON, 1)
    moved = followed(later, quote("150.01"), now=NOON + 30 * SECOND)
    assert (moved.unmoved_since, moved.repeats) == (NOON + 30 * SECOND, 1)


def test_of_three_the_one_that_is_far_off_is_dropped() -> None:
    """Sixty per cent away from two that agree."""
    assert verdicts(hermes=150, jupiter=240, birdeye=151) == {
        "hermes": None,
        "jupiter": PriceDrop.FAR_OFF,
        "birdeye": None,
    }


def test_two_that_agree_within_five_per_cent_are_both_used() -> None:
    """Measured from the lower: 105 is five per cent above 100."""
    assert verdicts(hermes=100, jupiter=105) == {"hermes": None, "jupiter": None}
    disputed = {"hermes": PriceDrop.DISPUTED, "jupiter": PriceDrop.DISPUTED}
    assert verdicts(hermes=100, jupiter="105.01") == disputed


@pytest.mark.parametrize(
    ("last", "hermes", "jupiter"),
    [
        (Used(price_usd=Decimal(150), at=NOON - MINUTE), None, PriceDrop.FAR_OFF),
        (Used(price_usd=Decimal(240), at=NOON - MINUTE), PriceDrop.FAR_OFF, None),
        (Used(price_usd=Decimal(195), at=NOON - MINUTE), PriceDrop.DISPUTED, PriceDrop.DISPUTED),
        (Used(price_usd=Decimal(150), at=NOON - 11 * MINUTE), PriceDrop.DISPUTED, PriceDrop.DISPUTED),
    ],
)
def test_when_two_fall_out_the_price_used_last_decides(
    last: Used, hermes: PriceDrop | None, jupiter: PriceDrop | None
) -> None:
    """Who goes on where both were is believed; if neither does, or that was long ago, nobody is."""
    quotes = [quote(150), quote(240, "jupiter")]
    assert judged(quotes, tracks={}, last=last, now=NOON) == {"hermes": hermes, "jupiter": jupiter}


def test_two_that_fall_out_around_the_last_price_are_both_doubted() -> None:
    """Both are near the price used last, and they still differ by eight per cent."""
    last = Used(price_usd=Decimal(100), at=NOON - MINUTE)
    found = judged([quote(96), quote(104, "jupiter")], tracks={}, last=last, now=NOON)
    assert set(found.values()) == {PriceDrop.DISPUTED}


def test_two_against_two_are_no_majority() -> None:
    """Four sources, two opinions: unknown means no."""
    assert set(verdicts(hermes=100, jupiter=101, pyth=200, birdeye=201).values()) == {PriceDrop.DISPUTED}


@pytest.mark.parametrize(
    ("price", "age", "verdict"),
    [
        (165, MINUTE, None),
        ("165.01", MINUTE, PriceDrop.JUMPED),
        ("134.99", MINUTE, PriceDrop.JUMPED),
        (300, 11 * MINUTE, None),
    ],
)
def test_one_source_alone_may_not_jump(price: object, age: timedelta, verdict: PriceDrop | None) -> None:
    """Ten per cent from a young last price; from an old one any distance."""
    assert alone(quote(price), last=Used(price_usd=Decimal(150), at=NOON - age)) == verdict


def test_a_faulty_price_takes_no_part_in_the_comparison() -> None:
    """A negative one does not make the two others a minority, and an old one is no majority's voice."""
    quotes = [quote(150), quote(-150, "jupiter"), quote(99, "pyth", age=2 * MINUTE), quote(151, "birdeye")]
    found = judged(quotes, tracks={}, last=None, now=NOON)
    assert found == {"hermes": None, "jupiter": PriceDrop.NOT_POSITIVE, "pyth": PriceDrop.STALE, "birdeye": None}


PRICES = st.decimals("0.001", "1000000", places=6)
HONEST = st.tuples(PRICES, st.decimals("0", "0.04", places=4)).map(lambda pair: (pair[0], pair[0] * (1 + pair[1])))


@given(HONEST, st.one_of(PRICES, st.sampled_from([Decimal(-1), Decimal(0), Decimal("NaN"), Decimal("1e30")])))
def test_one_liar_among_three_never_moves_what_is_accepted(honest: tuple[Decimal, Decimal], lie: Decimal) -> None:
    """Two sources that agree are used whatever a third one says."""
    found = verdicts(hermes=honest[0], jupiter=honest[1], birdeye=lie)
    assert (found["hermes"], found["jupiter"]) == (None, None)


@given(st.lists(PRICES, min_size=1, max_size=5), st.one_of(st.none(), PRICES))
def test_the_order_of_the_sources_changes_nothing(prices: list[Decimal], last: Decimal | None) -> None:
    """Whichever answers first."""
    used = None if last is None else Used(price_usd=last, at=NOON - MINUTE)
    quotes = [quote(price, source) for price, source in zip(prices, "abcde", strict=False)]
    first = judged(quotes, tracks={}, last=used, now=NOON)
    assert all(judged(turned, tracks={}, last=used, now=NOON) == first for turned in permutations(quotes, len(quotes)))


@given(st.lists(PRICES, min_size=1, max_size=5), PRICES, st.integers(1, 10_000))
def test_the_scale_changes_nothing(prices: list[Decimal], last: Decimal, factor: int) -> None:
    """A coin that is worth a thousand times as much is judged alike."""

    def at_scale(scale: int) -> Mapping[str, PriceDrop | None]:
        quotes = [quote(price * scale, source) for price, source in zip(prices, "abcde", strict=False)]
        used = Used(price_usd=last * scale, at=NOON - MINUTE)
        return judged(quotes, tracks={}, last=used, now=NOON)

    assert at_scale(factor) == at_scale(1)
