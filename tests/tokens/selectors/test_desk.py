"""What the overview reads."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from tests import factories
from tests.factories import NOON
from tokens.choices import PriceOrigin, RejectionReason, RejectionStatus, TransactionType
from tokens.models import PriceCandle1d, Token, Transaction
from tokens.selectors import charts, desk
from tokens.selectors.desk import Backlog, Find, Minute, Rejections, Rows

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


def test_waiting_rejections_are_grouped_by_reason() -> None:
    """Most first, with the oldest of each; resolved ones are not counted."""
    factories.rejected(b"1", reason=RejectionReason.UNKNOWN_POOL)
    factories.rejected(b"2", reason=RejectionReason.UNKNOWN_POOL, observed_at=NOON - MINUTE)
    factories.rejected(b"3")
    factories.rejected(b"4", status=RejectionStatus.RESOLVED, resolved_at=NOON)
    assert desk.waiting_rejections() == [
        Rejections(RejectionReason.UNKNOWN_POOL, 2, NOON - MINUTE),
        Rejections(RejectionReason.UNDECODABLE, 1, NOON),
    ]
    assert desk.count_waiting_rejections() == 3


def test_backlog_of_candles_knows_its_oldest_wish() -> None:
    """Two wishes, the older of which came a minute earlier; none without wishes."""
    assert desk.due_candles() == Backlog(0, None)
    token = factories.token()
    factories.candle_due(token)
    factories.candle_due(token, interval=300, marked_at=NOON - MINUTE)
    assert desk.due_candles() == Backlog(2, NOON - MINUTE)


def test_newest_price_wins_whatever_its_source() -> None:
    """Jupiter's price a minute later is newer than Hermes's."""
    factories.sol_usd(NOON)
    newer = factories.sol_usd(NOON + MINUTE, source=PriceOrigin.JUPITER)
    assert desk.latest_sol_usd(now=NOON + MINUTE) == newer


def test_truth_24_a_price_of_the_future_does_not_hide_the_one_that_holds() -> None:
    """A sample of next year, imported by mistake, is nobody's price today."""
    assert desk.latest_sol_usd(now=NOON) is None
    factories.sol_usd(NOON + timedelta(days=365), price_usd=Decimal(9_999))
    assert desk.latest_sol_usd(now=NOON) is None
    holds = factories.sol_usd(NOON)
    assert desk.latest_sol_usd(now=NOON) == holds


def test_trades_a_minute_counts_quiet_minutes_too() -> None:
    """A buy and a sell in the first minute, nothing in the second, the end of the window left out."""
    pool = factories.pool()
    factories.transaction(pool)
    factories.transaction(pool, type=TransactionType.SELL, block_time=NOON + timedelta(seconds=59))
    factories.transaction(pool, block_time=NOON + 2 * MINUTE)
    assert desk.trades_a_minute(since=NOON, until=NOON + 2 * MINUTE) == [
        Minute(NOON, 1, 1),
        Minute(NOON + MINUTE, 0, 0),
    ]


def test_hot_tokens_are_ranked_by_sol_traded_in_the_window() -> None:
    """Liquidity and trades outside the window do not count; traders are counted once."""
    quiet, busy = factories.pool(), factories.pool()
    for number in range(2):
        factories.transaction(busy, sol_amount=Decimal(3), block_time=NOON + number * MINUTE)
    factories.transaction(busy, type=TransactionType.ADD_LIQUIDITY, sol_amount=Decimal(500))
    factories.transaction(quiet, sol_amount=Decimal(5))
    factories.transaction(quiet, sol_amount=Decimal(100), block_time=NOON - MINUTE)
    first, second = desk.hot_tokens(since=NOON, until=NOON + timedelta(hours=1))
    assert (first.token, first.pool, first.volume_sol, first.trades, first.traders) == (
        busy.token,
        busy,
        Decimal(6),
        2,
        1,
    )
    assert (second.token, second.volume_sol) == (quiet.token, Decimal(5))


def test_window_is_read_through_the_key() -> None:
    """The plan of an hour's trades names the index of the key and no sequential scan of the table."""
    pool = factories.pool()
    Transaction.objects.bulk_create(
        factories.unsaved_transaction(pool, block_time=NOON + timedelta(seconds=number)) for number in range(3000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE transactions")
    plan = desk.transactions_between(NOON, NOON + MINUTE).explain()
    assert "Seq Scan" not in plan
    assert "transactions_pkey" in plan


def test_small_tables_are_counted_exactly() -> None:
    """Below the limit a count is not an estimate."""
    factories.token()
    assert desk.stock()["token"] == Rows(1, is_estimate=False)


def test_find_knows_mints_pools_signatures_and_wallets() -> None:
    """Exact keys only; a creator is a wallet too."""
    trade = factories.transaction()
    assert desk.find(trade.token.mint_address) == trade.token
    assert desk.find(trade.pool.pool_address) == trade.pool
    assert desk.find(trade.signature) == trade
    assert desk.find(trade.user_address) == Find(trade.user_address, Transaction)
    creator = trade.token.creator_address or ""
    assert desk.find(creator) == Find(creator, Transaction)
    assert desk.find(trade.signature[:-1]) is None
    assert desk.find("\x00") is None


def test_find_knows_symbols_and_names_whatever_the_case() -> None:
    """One token is itself, several are their list; only what the asker may see is looked for."""
    one = factories.token(symbol="INU", name="Inudependence")
    twins = [factories.token(mint_address=factories.address(f"twin {at}"), symbol="TWIN", name="") for at in range(2)]
    assert [desk.find(key) for key in ("inu", "INU", "inudependence", "iNuDePeNdEnCe")] == [one] * 4
    assert desk.find("twin") == Find("twin", Token)
    assert desk.find("inudependenc") is None
    assert [desk.find(key, among=()) for key in ("inu", "twin", one.mint_address)] == [None] * 3
    assert set(Token.objects.filter(desk.named("Twin"))) == set(twins)


def test_a_name_is_looked_for_among_so_many_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the newest ones a symbol is still found, by its index, and a name is not: no search reads all tokens."""
    factories.token(symbol="OLD", name="Old coin")
    factories.token(
        mint_address=factories.address("new"), creation_timestamp=NOON + MINUTE, symbol="NEW", name="New coin"
    )
    monkeypatch.setattr(desk, "NAMES_AMONG", 1)
    assert [desk.find(key) is not None for key in ("new coin", "old coin", "old")] == [True, False, True]


def test_bars_are_the_newest_in_order() -> None:
    """Of three candles the newest two, oldest first."""
    token = factories.token()
    for number in range(3):
        factories.candle(token, bucket=NOON + number * MINUTE)
    bars = charts.latest_bars(token=token, interval=60, currency="quote", limit=2)
    assert [bar.at for bar in bars] == [NOON + MINUTE, NOON + 2 * MINUTE]


def test_first_filled_interval_is_the_shortest() -> None:
    """A token with a day only has 86,400 seconds; one without candles has none."""
    token: Token = factories.token()
    assert charts.first_filled_interval(token=token) is None
    factories.candle(token, model=PriceCandle1d, bucket=datetime(2026, 7, 3, tzinfo=UTC))
    assert charts.first_filled_interval(token=token) == 86400


def test_sol_usd_has_a_line_a_source() -> None:
    """The last price of each minute, the most believed source first; one without any in the window is left out."""
    factories.sol_usd(NOON, price_usd=Decimal(150))
    factories.sol_usd(NOON + timedelta(seconds=50), price_usd=Decimal(151))
    for minute in range(2):
        factories.sol_usd(NOON + minute * MINUTE, price_usd=Decimal(152), source=PriceOrigin.BIRDEYE)
    assert list(charts.sol_usd_lines(since=NOON, until=NOON + 2 * MINUTE).items()) == [
        ("hermes", [(NOON, Decimal(151))]),
        ("birdeye", [(NOON, Decimal(152)), (NOON + MINUTE, Decimal(152))]),
    ]
    assert list(charts.sol_usd_lines(since=NOON + MINUTE, until=NOON + 2 * MINUTE)) == ["birdeye"]


def test_truth_21_hot_tokens_are_ranked_net_of_wash_volume() -> None:
    """What one wallet buys and sells again within a minute is not in the volume that ranks; its trades are counted."""
    washed, honest = factories.pool(), factories.pool()
    for kind, given, got in ((TransactionType.BUY, 10**9, 4 * 10**12), (TransactionType.SELL, 3 * 10**12, 10**9)):
        factories.transaction(washed, type=kind, amount_in=given, amount_out=got, sol_amount=Decimal(40))
    factories.transaction(honest, sol_amount=Decimal(11))
    first, second = desk.hot_tokens(since=NOON, until=NOON + timedelta(hours=1))
    assert [first.token, first.volume_sol] == [honest.token, 11]
    assert [second.token, second.volume_sol, second.trades, second.traders] == [washed.token, 10, 2, 1]
