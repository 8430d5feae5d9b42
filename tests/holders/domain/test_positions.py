"""What a wallet's trades leave, at average cost."""

from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holders.domain import ledger, positions
from holders.domain.ledger import Ledger
from holders.domain.positions import Trade
from tests.factories import NOON

SOL = 10**9


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def buy(raw: int, lamports: int | None, hours: float = 0, usd: int | None = None, fees: int = 0) -> Trade:
    net = None if lamports is None else lamports + fees
    return Trade(buys=True, at=at(hours), raw=raw, lamports=lamports, net_lamports=net, net_usd_nano=usd)


def sell(raw: int, lamports: int | None, hours: float = 0, usd: int | None = None, fees: int = 0) -> Trade:
    net = None if lamports is None else lamports - fees
    return Trade(buys=False, at=at(hours), raw=raw, lamports=lamports, net_lamports=net, net_usd_nano=usd)


def test_a_sale_takes_the_average_cost_of_what_is_held() -> None:
    """100 for 1 SOL and 100 for 3 cost 2 a hundred; selling 100 for 5 gains 3 and leaves a cost of 2."""
    left = positions.fold([buy(100, SOL), buy(100, 3 * SOL), sell(100, 5 * SOL)])
    assert (left.held, left.cost, left.realized) == (100, 2 * SOL, 3 * SOL)
    assert (left.bought, left.sold, left.untracked, left.peak, left.initial) == (200, 100, 0, 200, 100)
    assert positions.price(lamports=left.spent, raw=left.bought, decimals=2) == Decimal(2)


def test_a_later_buy_does_not_change_what_was_realised() -> None:
    """Cost is averaged over what is held at the sale, not over buys that come after it."""
    before = positions.fold([buy(100, SOL), sell(50, SOL)])
    after = positions.fold([buy(100, SOL), sell(50, SOL), buy(1000, 900 * SOL)])
    assert before.realized == after.realized == SOL // 2


def test_a_closed_position_leaves_no_cost_behind() -> None:
    """Rounding down a part of the cost at each round still gives all of it back when everything is sold."""
    left = positions.fold([buy(3, 100), sell(1, 0), buy(1, 1), sell(1, 0), buy(1, 1), sell(3, 0)])
    assert (left.held, left.cost, left.realized) == (0, 0, -102)


def test_what_was_not_bought_here_earns_nothing() -> None:
    """Of a sale of 150 with 100 held, a third has no known cost: it is counted apart, at no profit."""
    left = positions.fold([buy(100, SOL), sell(150, 3 * SOL)])
    assert (left.held, left.untracked, left.realized, left.cost) == (0, 50, SOL, 0)
    assert positions.fold([sell(10, SOL)]).realized == 0


def test_an_unknown_value_stays_unknown() -> None:
    """A buy without a value in SOL makes the SOL figures unknown; those in USD stay."""
    left = positions.fold([buy(100, None, usd=150), sell(50, SOL, usd=300)])
    assert (left.cost, left.realized, left.spent) == (None, None, None)
    assert (left.cost_usd, left.realized_usd, left.earned) == (75, 225, SOL)
    assert positions.price(lamports=left.spent, raw=left.bought, decimals=6) is None


def test_a_holding_lasts_from_its_first_buy_to_the_sale_that_ends_it() -> None:
    """Buying again after everything was sold starts a new holding."""
    now = positions.micros(at(100))
    left = positions.fold([buy(10, 1, 0), sell(10, 1, 5), buy(10, 1, 10), buy(10, 1, 20)])
    assert positions.hold_hours(since=left.held_since, until=left.held_until, now=now) == 90
    gone = positions.fold([buy(10, 1, 0), sell(10, 1, 5)])
    assert positions.hold_hours(since=gone.held_since, until=gone.held_until, now=now) == 5
    assert positions.hold_hours(since=None, until=None, now=now) is None
    assert positions.moment(gone.held_until) == at(5)


def test_truth_22_a_round_trip_at_one_price_is_lost_to_its_fees() -> None:
    """Bought and sold for 1 SOL with 0.0125 SOL of fees each time: cost, proceeds and profit have the fees in them, the
    prices have not."""
    fee = 12_500_000
    left = positions.fold([buy(100, SOL, fees=fee), sell(100, SOL, fees=fee)])
    assert (left.cost, left.realized, left.sold_cost, left.fees) == (0, -2 * fee, SOL + fee, 2 * fee)
    assert (left.spent, left.earned) == (SOL, SOL)


def test_truth_22_a_sale_may_bring_less_than_its_fees() -> None:
    """A sale of nearly nothing costs more than it brings."""
    left = positions.fold([buy(2, 10), sell(1, 1, fees=5)])
    assert (left.realized, left.cost) == (-4 - 5, 5)


def test_truth_22_an_unknown_fee_makes_the_profit_unknown_and_not_gross() -> None:
    """What moved is known and what was paid is not: the price stays, the profit does not."""
    unknown = Trade(buys=True, at=NOON, raw=100, lamports=SOL, net_lamports=None, net_usd_nano=None)
    left = positions.fold([unknown, sell(100, 2 * SOL)])
    assert (left.realized, left.realized_usd, left.cost, left.fees) == (None, None, None, None)
    assert left.spent == SOL


@pytest.mark.parametrize(
    ("hours", "bought", "sold", "score"),
    [(168, 100, 0, "100"), (336, 100, 50, "50"), (84, 100, 0, "50"), (168, 100, 250, "0"), (1, 3, 1, "0.3968")],
)
def test_diamond_hands_hold_long_and_sell_little(hours: int, bought: int, sold: int, score: str) -> None:
    """A week without a sale is 100; half a week, or half sold, is 50; all sold is 0."""
    ratio = positions.sold_ratio(bought=bought, sold=sold)
    assert positions.diamond_hands(hours=Decimal(hours), sold=ratio) == Decimal(score)
    assert positions.diamond_hands(hours=None, sold=None) is None
    assert positions.sold_ratio(bought=0, sold=5) is None


def test_what_is_left_is_worth_its_price_less_its_part_of_the_cost() -> None:
    """Half of a holding that cost 4 SOL at a price of 3 SOL a token gains 1; nothing left gains nothing."""
    known = {"cost": 4 * SOL, "held": 200, "decimals": 2}
    assert positions.unrealized(still=100, price=Decimal(3), **known) == Decimal(1)
    assert positions.unrealized(still=0, price=None, **known) == 0
    assert positions.unrealized(still=100, price=None, **known) is None


TRADES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.booleans(),
        st.integers(0, 2**63),
        st.none() | st.integers(0, 10**12),
        st.none() | st.integers(-(2**62), 2**62),
    ),
    max_size=40,
)


@given(TRADES)
def test_columns_give_what_a_loop_gives(rows: list[tuple[int, bool, int, int | None, int | None]]) -> None:
    """Many wallets at once leave exactly what each leaves alone, with amounts that 64 bits cannot add up and unknown
    values."""
    rows = sorted(rows, key=lambda row: row[0])
    names = sorted({row[0] for row in rows})
    value, net = ([ledger.UNKNOWN if row[field] is None else row[field] for row in rows] for field in (3, 4))
    table = Ledger(
        owner=np.array([names.index(row[0]) for row in rows], dtype=np.int64),
        buys=np.array([row[1] for row in rows], dtype=bool),
        raw=np.array([row[2] for row in rows], dtype=object),
        lamports=np.array(value, dtype=np.int64),
        net_lamports=np.array(net, dtype=np.int64),
        net_usd_nano=np.array(net[::-1], dtype=np.int64),
        without_network_fee=np.arange(len(rows), dtype=np.int64) % 2,
        at_micros=np.array([positions.micros(at(place)) for place in range(len(rows))], dtype=np.int64),
        slot=np.arange(len(rows), dtype=np.int64),
    )
    expected = [
        positions.fold(
            Trade(
                buys=buys,
                at=at(place),
                raw=raw,
                lamports=sol,
                net_lamports=paid,
                net_usd_nano=rows[-1 - place][4],
                is_network_fee_known=place % 2 == 0,
            )
            for place, (owner, buys, raw, sol, paid) in enumerate(rows)
            if owner == name
        )
        for name in names
    ]
    assert [position for _, position in ledger.positions(table)] == expected
    half = len(rows) // 2
    assert ledger.traded_since(table, [half - 1] * len(names)) == [
        sum((1 if row[1] else -1) * row[2] for row in rows[half:] if row[0] == name) for name in names
    ]
