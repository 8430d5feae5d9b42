"""Deriving who holds a token from our own trades."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from holders.models import TokenHolder, WalletAnalysis
from holders.selectors import wallets as books
from holders.services import balances, wallets
from holders.services.balances import Derived
from tests import factories, recordings
from tests.factories import NOON, address, signature
from tests.holders import by_loop
from tests.tokens.commands.calling import call
from tokens.models import Pool, RetentionPolicy, Token, Transaction

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
        for who, tokens, sol, minute, told in part:
            place, of = Transaction.objects.count(), told["transaction"]
            charged = {name: value for name, value in told.items() if name != "transaction"}
            # A transaction has one time; who trades in it again is charged by the network once.
            one = {} if of == "own" else {"signature": signature(f"{of} {minute}"), "event_index": (place * 7) % 100}
            trade(pool, who, tokens, sol, minute, **charged, **one)
        derive(pool)
    found = by_loop.rows(pool.token.mint_address)
    TokenHolder.objects.all().delete()
    by_loop.derive(pool.token.mint_address, LATER)
    assert by_loop.rows(pool.token.mint_address) == found


SCALPER = "Ag6G8KEgUw2Wu7UQbdXEQb6ZobhXj2FEJqVdtAQEEhdj"


def test_truth_22_twelve_round_trips_that_fees_ate_are_twelve_losses() -> None:
    """Every token sold for more than it was bought for, gross, and lost to the venue's fees: 0.190397796 SOL, none of 12 won.
    Another account paid the network, so its fee is not the scalper's."""
    call("replay", recordings.HERE / "cases" / "c11_scalper.jsonl")
    now = Transaction.objects.latest("block_time").block_time + timedelta(hours=1)
    balances.derive(mints=Token.objects.values_list("mint_address", flat=True), now=now)
    rows = TokenHolder.objects.filter(wallet_address=SCALPER)
    gross = sum(
        one.sol_amount * (-1 if one.type == "buy" else 1) for one in Transaction.objects.filter(user_address=SCALPER)
    )
    sums = rows.aggregate(net=Sum("realized_pnl_sol"), fees=Sum("fees_sol"), unknown=Sum("network_fees_unknown"))
    assert gross == Decimal("0.110989584")
    assert sums == {"net": Decimal("-0.190397796"), "fees": Decimal("0.30138738"), "unknown": 0}
    assert [row.realized_pnl_sol < 0 for row in rows] == [True] * 12
    results = books.own(wallets=[SCALPER], at=now)[SCALPER].results
    assert (results.closed, results.wins, results.profit_usd) == (12, 0, None)
    wallets.analyse(wallets=[SCALPER], source=None, now=now)
    known = WalletAnalysis.objects.get(wallet_address=SCALPER)
    assert (known.win_rate, known.best_trade_return, known.total_profit_usd) == (0, Decimal("-1.5671"), None)
    assert "smart_money" not in known.classes


def test_truth_22_all_of_a_venues_fees_are_in_the_profit() -> None:
    """Of a LaunchLab trade the protocol's, the platform's, the creator's and the referral's; in USD at the trade's own price."""
    pool = factories.pool()
    charged = {"protocol_fee": 1_000, "platform_fee": 20_000, "creator_fee": 300_000, "share_fee": 4_000_000}
    trade(pool, "ann", 100, "1", **charged)
    trade(pool, "ann", -100, "1", 5, **charged)
    derive(pool)
    ann = holder(pool, "ann")
    assert (ann.realized_pnl_sol, ann.realized_pnl) == (Decimal("-0.008642"), Decimal("-1.2963"))
    assert (ann.sold_cost_sol, ann.fees_sol, ann.avg_buy_price) == (
        Decimal("1.004321"),
        Decimal("0.008642"),
        Decimal("0.01"),
    )


def test_truth_22_the_network_is_paid_once_a_transaction_by_who_paid_it() -> None:
    """Two trades of one transaction cost its fee once; a trade for which another paid costs nothing; of one whose source does
    not tell the fee that is said."""
    pool = factories.pool()
    for place in (0, 1):
        trade(pool, "ann", 50, "1", signature=signature("one"), event_index=place, transaction_fee=5_000)
    trade(pool, "bob", 50, "1", transaction_fee=5_000, raw_data={"fee_payer": address("relayer")})
    trade(pool, "cy", 50, "1", transaction_fee=None)
    derive(pool)
    costs = {who: (holder(pool, who).cost_sol, holder(pool, who).cost_usd) for who in ("ann", "bob", "cy")}
    assert costs == {
        "ann": (Decimal("2.000005"), Decimal("300.00075")),
        "bob": (1, 150),
        "cy": (1, 150),
    }
    assert [holder(pool, who).network_fees_unknown for who in ("ann", "bob", "cy")] == [0, 0, 1]


def test_truth_22_a_fee_that_is_not_known_makes_the_profit_unknown() -> None:
    """Neither gross nor zero: no profit and no cost; prices stay. When the fee is told later, so is the profit."""
    pool = factories.pool()
    bought = trade(pool, "ann", 100, "1", protocol_fee=None)
    trade(pool, "ann", -100, "2", 5)
    derive(pool)
    ann = holder(pool, "ann")
    assert (ann.realized_pnl_sol, ann.realized_pnl, ann.cost_sol, ann.fees_sol) == (None, None, None, None)
    assert ann.avg_sell_price == Decimal("0.02")
    Transaction.objects.filter(pk=bought.pk).update(protocol_fee=10_000_000)
    derive(pool)
    assert holder(pool, "ann").realized_pnl_sol == Decimal("0.99")


def test_truth_22_what_was_not_moved_has_no_price_for_its_fee() -> None:
    """A sale of nothing for a fee costs lamports, whose worth in USD nobody said."""
    pool = factories.pool()
    trade(pool, "ann", 100, "1")
    trade(pool, "ann", -1, "0", 5, protocol_fee=7)
    derive(pool)
    ann = holder(pool, "ann")
    assert (ann.realized_pnl_sol, ann.realized_pnl) == (Decimal("-0.010000007"), None)


def test_truth_22_fees_in_the_coin_are_no_lamports() -> None:
    """Where the chain has the two mints the other way round a fee is in the coin: what it was worth, and the profit, is
    unknown."""
    pool = factories.pool(mints_flipped=True, pool_type="permissionless", platform="pumpswap")
    trade(pool, "ann", 100, "1", protocol_fee=5_000)
    trade(pool, "ann", -100, "2", 5, protocol_fee=5_000)
    derive(pool)
    assert (holder(pool, "ann").realized_pnl_sol, holder(pool, "ann").fees_sol) == (None, None)


def test_truth_22_a_fee_that_nobody_ever_paid_is_not_believed() -> None:
    """A million SOL and more of fees, up to what the column holds, make the profit unknown and break nothing."""
    pool = factories.pool()
    trade(pool, "ann", 100, "1", protocol_fee=2**64 - 1, creator_fee=2**64 - 1)
    trade(pool, "bob", 100, "1", protocol_fee=10**15)
    trade(pool, "cy", 100, "1", protocol_fee=10**15 - 1)
    derive(pool)
    assert [holder(pool, who).cost_sol for who in ("ann", "bob", "cy")] == [None, None, Decimal("1000000.999999999")]
