"""Deriving who holds a token from our own trades."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holders.models import TokenHolder
from holders.services import balances
from holders.services.balances import Derived
from tests import factories
from tests.factories import NOON, address, signature
from tests.holders import by_loop
from tokens.models import Pool, RetentionPolicy, Transaction

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=2)


def trade(pool: Pool, who: str, tokens: int, sol: str | None, minute: int = 0, **fields: Any) -> Transaction:
    """Store a buy of so many whole tokens, or a sale of as many when they are negative; nobody charged anything."""
    raw, lamports = abs(tokens) * 10**6, int(Decimal(sol or 0).scaleb(9))
    given, got = (lamports, raw) if tokens > 0 else (raw, lamports)
    usd = fields.pop("usd", None if sol is None else Decimal(sol) * 150)
    made = factories.transaction(
        pool,
        **{
            "type": "buy" if tokens > 0 else "sell",
            "user_address": address(who),
            "amount_in": given,
            "amount_out": got,
            "sol_amount": None if sol is None else Decimal(sol),
            "token_amount": Decimal(abs(tokens)),
            "block_time": NOON + timedelta(minutes=minute),
            "slot": 420_000_000 + minute * 150,
            "protocol_fee": 0,
            "transaction_fee": 0,
            **fields,
        },
    )
    Transaction.objects.filter(pk=made.pk).update(sol_amount_usd=usd)  # past the trigger, which has no price of SOL
    return made


def holder(pool: Pool, who: str) -> TokenHolder:
    return TokenHolder.objects.get(token_mint=pool.token.mint_address, wallet_address=address(who))


def derive(pool: Pool, now: Any = LATER) -> Derived:
    return balances.derive(mints=[pool.token.mint_address], now=now)


def assert_whole(pool: Pool) -> None:
    """The table says what a derivation from nothing says."""
    mint = pool.token.mint_address
    found = by_loop.rows(mint)
    digests = dict(TokenHolder.objects.filter(token_mint=mint).values_list("wallet_address", "trades_digest"))
    TokenHolder.objects.filter(token_mint=mint).delete()
    derive(pool)
    assert by_loop.rows(mint) == found
    assert dict(TokenHolder.objects.filter(token_mint=mint).values_list("wallet_address", "trades_digest")) == digests


def test_a_holder_has_balance_cost_and_profit() -> None:
    """Two buys and a sale give average cost, profit that is made and profit on paper, in SOL and USD."""
    pool = factories.pool(latest_price=Decimal("0.04"), latest_price_usd=Decimal("6"))
    trade(pool, "ann", 100, "1")
    trade(pool, "ann", 100, "3", 60)
    trade(pool, "ann", -50, "2.5", 120)
    assert derive(pool) == Derived(tokens=1, written=1, gone=0)
    ann = holder(pool, "ann")
    assert (ann.current_balance, ann.traded_balance, ann.peak_balance, ann.initial_balance) == (150, 150, 200, 100)
    assert (ann.avg_buy_price, ann.avg_sell_price) == (Decimal("0.02"), Decimal("0.05"))
    assert (ann.cost_sol, ann.cost_usd) == (3, 450)
    assert (ann.realized_pnl_sol, ann.realized_pnl) == (Decimal("1.5"), 225)
    assert (ann.unrealized_pnl_sol, ann.unrealized_pnl) == (3, 450)
    assert (ann.first_transaction_time, ann.last_transaction_time) == (NOON, NOON + timedelta(hours=2))
    assert (ann.hold_hours, ann.sold_ratio) == (48, Decimal("0.25"))
    assert ann.diamond_hands_score == Decimal("21.4286")  # 100 × 48/168 × 0.75
    assert (ann.buy_count, ann.sell_count, ann.transaction_count) == (2, 1, 3)


def test_price_and_time_move_a_holder_without_trades() -> None:
    """A second derivation writes no row anew, but what the holding is worth and how long it lasts follow."""
    pool = factories.pool(latest_price=Decimal("0.02"), latest_price_usd=None)
    trade(pool, "ann", 100, "1")
    derive(pool)
    Pool.objects.filter(pk=pool.pk).update(latest_price=Decimal("0.03"))
    assert derive(pool, LATER + timedelta(hours=1)) == Derived(tokens=0, written=0, gone=0)
    ann = holder(pool, "ann")
    assert (ann.unrealized_pnl_sol, ann.unrealized_pnl, ann.hold_hours) == (2, None, 49)


def test_within_a_slot_the_reserves_tell_which_trade_came_first() -> None:
    """A sale that follows its buy in the same slot is covered by it, whichever of the two was stored first."""
    pool = factories.pool()
    reserves = {"quote_reserves": 10**10}
    trade(pool, "ann", -100, "3", token_reserves=2 * 10**12, **reserves)
    trade(pool, "ann", 100, "1", token_reserves=10**12, **reserves)
    trade(pool, "bob", -100, "3", token_reserves=10**12, **reserves)
    trade(pool, "bob", 100, "1", token_reserves=2 * 10**12, **reserves)
    derive(pool)
    ann, bob = holder(pool, "ann"), holder(pool, "bob")
    assert (ann.realized_pnl_sol, ann.untracked_sold, ann.current_balance) == (2, 0, 0)
    assert (bob.realized_pnl_sol, bob.untracked_sold, bob.current_balance) == (0, 100, 100)


def test_a_late_trade_gives_the_rows_of_a_derivation_from_nothing() -> None:
    """A buy that arrives after the sale it was for costs its wallet's row only, and all figures become those of order."""
    pool = factories.pool()
    trade(pool, "ann", -50, "1", 10)
    trade(pool, "bob", 10, "1", 10)
    derive(pool)
    assert holder(pool, "ann").untracked_sold == 50
    trade(pool, "ann", 100, "1", 5)
    assert derive(pool) == Derived(tokens=1, written=1, gone=0)
    assert (holder(pool, "ann").untracked_sold, holder(pool, "ann").realized_pnl_sol) == (0, Decimal("0.5"))
    assert_whole(pool)


def test_a_fork_that_is_taken_back_gives_the_rows_of_a_derivation_from_nothing() -> None:
    """When trades vanish, or land again in another slot, the rows follow; who has no trade left has no row."""
    pool = factories.pool()
    trade(pool, "ann", 100, "1")
    forked = trade(pool, "ann", -100, "2", 5)
    only = trade(pool, "bob", 10, "1", 5)
    derive(pool)
    Transaction.objects.filter(pk__in=[forked.pk, only.pk]).delete()
    trade(pool, "ann", -40, "1", 5)
    assert derive(pool) == Derived(tokens=1, written=1, gone=1)
    assert holder(pool, "ann").current_balance == 60
    assert not TokenHolder.objects.filter(wallet_address=address("bob")).exists()
    assert_whole(pool)


def test_a_price_that_is_filled_in_later_reaches_the_profit() -> None:
    """USD values that arrive after the trade change its digest, so the row is derived again."""
    pool = factories.pool()
    bought = trade(pool, "ann", 100, "1", usd=None)
    derive(pool)
    assert holder(pool, "ann").cost_usd is None
    Transaction.objects.filter(pk=bought.pk).update(sol_amount_usd=Decimal("151"))
    assert derive(pool).written == 1
    assert holder(pool, "ann").cost_usd == 151


def test_a_wallet_whose_first_trades_are_no_longer_kept_stays_as_it_was() -> None:
    """Retention takes trades away without taking back what they meant."""
    pool = factories.pool()
    first = trade(pool, "ann", 100, "1")
    derive(pool)
    kept = RetentionPolicy.objects.get(table_name="transactions").drop_after
    Transaction.objects.filter(pk=first.pk).delete()
    assert derive(pool, NOON + kept + timedelta(days=1)) == Derived(tokens=1, written=0, gone=0)
    assert (holder(pool, "ann").traded_balance, holder(pool, "ann").transaction_count) == (100, 1)


def test_many_tokens_at_once_are_each_their_own() -> None:
    """One wallet in two tokens has two rows, unknown mints are skipped, liquidity is no trade."""
    one, two = factories.pool(), factories.pool()
    trade(one, "ann", 100, "1")
    trade(two, "ann", 7, "1")
    factories.transaction(two, type="add_liquidity", user_address=address("lp"))
    mints = [one.token.mint_address, two.token.mint_address, address("nobody's mint")]
    assert balances.derive(mints=mints, now=LATER) == Derived(tokens=2, written=2, gone=0)
    assert (holder(one, "ann").current_balance, holder(two, "ann").current_balance) == (100, 7)
    assert not TokenHolder.objects.filter(wallet_address=address("lp")).exists()


def test_after_a_list_of_holders_only_later_trades_count_for_the_balance() -> None:
    """What the chain said at a slot stands; trades after that slot move it, earlier ones are already in it."""
    pool = factories.pool()
    trade(pool, "ann", 100, "1", 1)
    derive(pool)
    slot = 420_000_000 + 5 * 150
    TokenHolder.objects.update(chain_balance=Decimal("30"), chain_slot=slot, current_balance=Decimal("30"))
    trade(pool, "ann", 5, "1", 3)
    trade(pool, "ann", -20, "1", 6)
    derive(pool)
    ann = holder(pool, "ann")
    assert (ann.current_balance, ann.traded_balance) == (10, 85)
    Transaction.objects.all().delete()
    derive(pool)
    assert (holder(pool, "ann").current_balance, holder(pool, "ann").traded_balance) == (30, 0)


TRADES = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", "cy"]),
        st.integers(-60, 60).filter(bool),
        st.none() | st.decimals("0", "50", places=9).map(str),
        st.integers(0, 8),
        st.fixed_dictionaries(
            {
                "protocol_fee": st.none() | st.integers(0, 10**9),
                "platform_fee": st.none() | st.integers(0, 10**9),
                "creator_fee": st.none() | st.integers(0, 10**9),
                "share_fee": st.none() | st.integers(0, 10**9),
                "transaction_fee": st.none() | st.integers(0, 10**8),
                "raw_data": st.sampled_from([None, {"fee_payer": "somebody"}, {"layout": "TradeEvent/10"}]),
                "transaction": st.sampled_from(["own", "one", "two"]),
            }
        ),
    ),
    min_size=1,
    max_size=14,
)


@settings(max_examples=15)
@given(TRADES, st.data())
def test_the_statement_gives_what_a_loop_over_the_orm_gives(trades: list[Any], data: Any) -> None:
    """For any trades, in steps and in any order of arrival, the rows are those of the plain loop."""
    pool = factories.pool(latest_price=Decimal("0.013"))
    later = data.draw(st.integers(0, len(trades)))
    for part in (trades[:later], trades[later:]):
        for who, tokens, sol, minute, charged in part:
            charged, place = dict(charged), Transaction.objects.count()
            of = charged.pop("transaction")
            # A transaction has one time; who trades in it again is charged by the network once.
            one = {} if of == "own" else {"signature": signature(f"{of} {minute}"), "event_index": (place * 7) % 100}
            trade(pool, who, tokens, sol, minute, **charged, **one)
        derive(pool)
    found = by_loop.rows(pool.token.mint_address)
    TokenHolder.objects.all().delete()
    by_loop.derive(pool.token.mint_address, LATER)
    assert by_loop.rows(pool.token.mint_address) == found
