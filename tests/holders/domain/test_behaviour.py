"""The rhythm and the shape of what a wallet does, whatever the order in which it is told."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from holders.domain import behaviour
from holders.domain.behaviour import Trade, Wallet
from tests.factories import NOON, address

SECOND = timedelta(seconds=1)


def times(*seconds: float) -> list[datetime]:
    return [NOON + second * SECOND for second in seconds]


def trade(second: int, *, buy: bool = True, slot: int | None = None, mint: str = "m", sol: str | None = "1") -> Trade:
    return Trade(NOON + second * SECOND, slot or second, 0, mint, buy, None if sol is None else Decimal(sol))


def seed_rule(newest_first: Sequence[datetime]) -> tuple[float, float]:
    """Return the variation and the part of bursts as the seed's rules computed them: as the provider lists signatures."""
    gaps = [(second - first).total_seconds() for first, second in pairwise(newest_first)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    short = [gap < 2 for gap in gaps]
    return deviation / mean, sum(a and b for a, b in pairwise(short)) / (len(gaps) - 1)


def test_g10_an_irregular_wallet_is_none_for_the_order_in_which_it_is_listed() -> None:
    """Newest first every pause is negative: the seed called a wallet that trades every few hours regular and MEV."""
    dice = random.Random(10)
    moments = times(0)
    for _ in range(40):
        moments.append(moments[-1] + timedelta(seconds=dice.randrange(60, 90_000)))
    newest_first = moments[::-1]
    variation, bursts = seed_rule(newest_first)
    assert (variation < 0.2, bursts > 0.1) == (True, True)
    pace = behaviour.rhythm(newest_first)
    assert pace is not None
    assert pace.variation is not None
    assert (pace.variation > 0.2, pace.bursts, pace.quick) == (True, 0.0, 0.0)


def test_a_machine_is_seen_by_its_even_pauses() -> None:
    """Eleven pauses of 30 seconds, one of them 31: the variation is far below a fifth."""
    pace = behaviour.rhythm(times(*range(0, 330, 30), 331))
    assert pace is not None
    assert (pace.signatures, pace.gaps, round(pace.variation or 0, 4)) == (12, 11, 0.0096)


def test_bursts_and_quick_pauses_are_counted_apart() -> None:
    """Four at 0, 0, 1 and 2 seconds and two far away: two of four triples are bursts, one of five pauses is below a second."""
    pace = behaviour.rhythm(times(0, 0, 1, 2, 500, 900))
    assert pace is not None
    assert (pace.bursts, pace.quick) == (0.5, 0.2)


def test_a_burst_of_exactly_two_seconds_is_none() -> None:
    """Shorter than two seconds is asked for."""
    pace = behaviour.rhythm(times(0, 2, 4, 6))
    assert pace is not None
    assert pace.bursts == 0


def test_who_did_everything_at_once_has_no_variation() -> None:
    """Pauses of zero have no mean to compare with; two transactions have no rhythm."""
    pace = behaviour.rhythm(times(5, 5, 5))
    assert pace is not None
    assert pace.variation is None
    assert behaviour.rhythm(times(1, 2)) is None


@given(st.permutations(list(range(12))))
def test_the_order_of_telling_changes_nothing(order: list[int]) -> None:
    """Any order of the same times has the same rhythm."""
    moments = times(0, 1, 5, 9, 60, 61, 62, 200, 1000, 1001, 5000, 9000)
    assert behaviour.rhythm([moments[place] for place in order]) == behaviour.rhythm(moments)


def test_a_sandwich_is_three_turns_of_one_token_within_two_slots() -> None:
    """Over days, over tokens and in one direction it is none."""
    quick = [trade(0, slot=10), trade(1, buy=False, slot=10), trade(2, slot=12)]
    assert behaviour.sandwiches(quick) == 1
    assert behaviour.sandwiches(quick[::-1]) == 1
    assert behaviour.sandwiches([trade(0, slot=10), trade(1, buy=False, slot=11), trade(2, slot=13)]) == 0
    assert behaviour.sandwiches([trade(0, slot=10), trade(1, buy=False, slot=10, mint="n"), trade(2, slot=11)]) == 0
    assert behaviour.sandwiches([trade(0, slot=10), trade(1, slot=10), trade(2, buy=False, slot=11)]) == 0


def test_the_commonest_amount_is_the_smallest_of_several() -> None:
    """Trades against other quotes have no amount in SOL."""
    trades = [trade(0, sol="2"), trade(1, sol="1"), trade(2, sol="2"), trade(3, sol="1"), trade(4, sol=None)]
    assert behaviour.commonest_amount(trades) == (Decimal(1), 2)
    assert behaviour.commonest_amount([trade(0, sol=None)]) is None


def test_what_came_later_is_not_known() -> None:
    """Signatures, trades, balance and beginning after the time are left out."""
    wallet = Wallet(
        address=address("w"),
        first_seen_at=NOON + SECOND,
        from_start=True,
        signed_at=times(1, 5, 9),
        lamports=7,
        lamports_at=NOON + 9 * SECOND,
        trades=[trade(9), trade(1)],
    )
    known = wallet.known_at(NOON + 5 * SECOND)
    assert (known.transactions, known.buys, known.lamports, known.from_start) == (2, 1, None, True)
    assert wallet.known_at(NOON).first_seen_at is None


def test_an_age_is_known_from_the_start_or_when_it_is_old_enough() -> None:
    """A history that is cut at yesterday says nothing; one that is cut at half a year is as old as any rule asks."""
    begun = Wallet(address=address("w"), first_seen_at=NOON - timedelta(days=1), from_start=True)
    cut = Wallet(address=address("w"), first_seen_at=NOON - timedelta(days=1))
    old = Wallet(address=address("w"), first_seen_at=NOON - timedelta(days=181))
    assert (begun.age(NOON), cut.age(NOON), old.age(NOON)) == (timedelta(days=1), None, timedelta(days=181))
