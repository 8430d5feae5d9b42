"""How unevenly balances are spread."""

from decimal import Decimal
from math import log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from holders.domain import concentration
from tests import recordings

BALANCES = st.lists(st.integers(1, 10**15), min_size=1, max_size=60)
CLOSE = Decimal("1E-9")


def measured(balances):
    """Return the distribution of balances."""
    return concentration.measure(concentration.order(balances))


@pytest.mark.parametrize("case", recordings.loaded("vectors/distribution_metrics.json"), ids=lambda case: case["name"])
def test_the_measures_are_those_of_the_vectors(case):
    """Each worked example gives its numbers to the last of their digits."""
    found = measured(case["balances"])
    assert float(round(found.gini, 10)) == case["gini"]
    assert float(round(found.hhi, 6)) == case["hhi"]
    assert float(round(found.theil, 10)) == pytest.approx(case["theil"], abs=5e-10)
    assert float(round(found.shannon, 10)) == case["entropy"]


def test_a_million_equal_holders_are_perfectly_equal():
    """With a million equal balances nothing is uneven and each measure is at its own end."""
    found = measured(np.full(1_000_000, 10**9, dtype=np.uint64))
    assert (found.gini, found.theil, found.shannon, found.hhi) == (0, 0, 1, Decimal("0.01"))
    assert (found.holders, found.total, found.top[100]) == (1_000_000, 10**15, 100 * 10**9)


def test_one_who_owns_everything_beside_a_million_specks():
    """One balance of nearly all the supply of a mint beside a million single units stays exact."""
    balances = np.ones(1_000_000, dtype=np.uint64)
    balances[7] = 2**64 - 1_000_000
    found = measured(balances)
    assert found.total == 2**64 - 1
    assert found.top[1] == 2**64 - 1_000_000
    assert found.top[5] == 2**64 - 1_000_000 + 4
    assert found.gini == Decimal("0.9999990000")  # 1 - 1/n
    assert (found.theil, found.shannon) == (round(Decimal(log(10**6)), 10), 0)
    assert Decimal("9999.99999999") < found.hhi < 10_000


def test_without_a_holder_everything_is_unknown():
    """Nobody, and a pool alone that was left out, give no measure instead of a zero."""
    for nobody in ([], [0], [0, 0, 0]):
        found = measured(nobody)
        assert (found.holders, found.gini, found.theil, found.shannon, found.hhi) == (0, None, None, None, None)
        assert set(found.top.values()) == {0}
        assert concentration.lorenz(concentration.order(nobody)) == []
        assert concentration.mean(concentration.order(nobody)) is None
        assert concentration.median(concentration.order(nobody)) is None


def test_a_single_holder_has_all_of_it():
    """One balance is wholly concentrated by HHI and has no inequality among holders."""
    found = measured([1])
    assert (found.gini, found.theil, found.shannon, found.hhi) == (0, 0, 0, 10_000)


@pytest.mark.parametrize("balances", [[-1, 2], [2**64], np.array([1.5]), np.array([-3, 4])])
def test_what_is_no_balance_is_refused(balances):
    """Negative, fractional and impossible amounts are refused with a reason."""
    with pytest.raises(ValueError, match="alance"):
        concentration.order(balances)


def test_more_than_a_mint_can_have_is_refused():
    """Balances whose sum passes 2⁶⁴ are not those of one mint."""
    with pytest.raises(ValueError, match="more than one mint"):
        concentration.order([2**63, 2**63])


@given(BALANCES, st.integers(2, 1000))
def test_the_unit_does_not_matter(balances, factor):
    """Scaling all balances changes no measure."""
    before, after = measured(balances), measured([factor * balance for balance in balances])
    for name in ("gini", "theil", "shannon", "hhi"):
        assert abs(getattr(before, name) - getattr(after, name)) <= CLOSE * 100, name


@given(BALANCES, st.data())
def test_a_wallet_that_splits_itself_looks_less_concentrated(balances, data):
    """Splitting one wallet in two lowers HHI, raises no top-N share and moves Theil's distance to equality by what the
    split hides."""
    place = data.draw(st.integers(0, len(balances) - 1))
    assume(balances[place] >= 2)
    part = data.draw(st.integers(1, balances[place] - 1))
    split = [*balances[:place], part, balances[place] - part, *balances[place + 1 :]]
    before, after = measured(balances), measured(split)
    assert after.hhi <= before.hhi
    assert all(after.top[most] <= before.top[most] for most in concentration.TOP)
    # Unnormalised entropy can only grow when a share is divided.
    assert _entropy(after) >= _entropy(before) - 1e-9
    assert after.total == before.total


def _entropy(found):
    return float(found.shannon) * log(found.holders) if found.holders > 1 else 0.0


def test_a_split_moves_gini_and_theil_in_the_known_direction():
    """Halving the largest of unequal wallets lowers Gini and Theil; dust split off a wallet raises both."""
    before, halved, dusted = (
        measured([50, 20, 15, 10, 5]),
        measured([25, 25, 20, 15, 10, 5]),
        measured([49, 1, 20, 15, 10, 5]),
    )
    assert halved.gini < before.gini < dusted.gini
    assert halved.theil < before.theil < dusted.theil


@given(st.lists(st.integers(1, 2**58), min_size=1, max_size=40))
def test_measures_are_those_of_exact_arithmetic(balances):
    """Large balances that floats cannot count give the fractions that whole numbers give."""
    found, ranked, many, total = measured(balances), sorted(balances), len(balances), sum(balances)
    gini = Decimal(sum((2 * i - many - 1) * x for i, x in enumerate(ranked, 1))) / (many * total)
    hhi = 10_000 * Decimal(sum(x * x for x in balances)) / (total * total)
    assert found.total == total
    assert abs(found.gini - gini) < CLOSE
    assert abs(found.hhi - hhi) < Decimal("1E-6")
    assert found.top == {most: sum(ranked[-most:]) for most in concentration.TOP}


def test_the_lorenz_curve_goes_from_nothing_to_all():
    """Each step says what that part of the holders, smallest first, holds."""
    curve = concentration.lorenz(concentration.order([50, 20, 15, 10, 5]), points=5)
    assert [(str(part), str(held)) for part, held in curve[1:]] == [
        ("0.200000", "0.050000"),
        ("0.400000", "0.150000"),
        ("0.600000", "0.300000"),
        ("0.800000", "0.500000"),
        ("1.000000", "1.000000"),
    ]
    assert curve[0] == (0, 0)


def test_classes_by_size_count_whole_tokens():
    """A holder of exactly a class's lower bound belongs to it."""
    ordered = concentration.order([1, 99_999_999, 100_000_000, 10**9, 10**10, 10**11, 10**12])
    assert concentration.sizes(ordered, decimals=6) == (2, 1, 1, 1, 2)
    assert concentration.sizes(ordered, decimals=18) == (7, 0, 0, 0, 0)
    assert concentration.below(ordered, limit=Decimal("100000000.5")) == 3
    assert (concentration.median(ordered), concentration.mean(ordered)) == (10**9, Decimal(1111200000000) / 7)


def test_the_impact_of_a_change_is_the_measure_afterwards_less_the_one_before():
    """What one holder's change does to HHI is what measuring again says."""
    before, after = [50, 20, 15, 10, 5], [50, 40, 15, 10, 5]
    hhi = measured(before).hhi
    moved = concentration.impact(hhi=hhi, total=100, old=20, new=40)
    assert moved == round(measured(after).hhi - hhi, 4)
    assert concentration.impact(hhi=Decimal(10_000), total=5, old=5, new=0) is None


@pytest.mark.parametrize(
    ("held", "circulating", "judged"),
    [
        (79_999, 100_000, "79.999"),
        (799_999_999, 10**9, "79.9999"),
        (125, 100, "80"),
        (0, 100, "0"),
        (5, 0, "0"),
        (0, 0, "100"),
        (5, None, "0"),
    ],
)
def test_truth_19_what_is_judged_is_never_rounded_up(held: int, circulating: int | None, judged: str) -> None:
    """One token below the limit is below it; more than circulates is not all of it; nothing is known of an unknown whole."""
    assert concentration.judged_pct(held=held, circulating=circulating) == Decimal(judged)


def test_truth_19_a_holder_has_at_least_a_millionth() -> None:
    """Exactly a millionth is enough, a part of a base unit is none, and of an unknown whole every unit counts."""
    assert [concentration.dust_limit(whole) for whole in (10**15, 10**15 + 1, 5, 0, None)] == [
        10**9,
        10**9 + 1,
        1,
        1,
        1,
    ]
    assert concentration.dust_below(Decimal(10**9)) == 1_000
