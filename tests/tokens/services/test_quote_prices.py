"""Decisions T7 to T9 for coins that are quoted in something else than SOL: every way to a USD value gives the same."""

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from django.db import connection

from tests import database, factories
from tests.factories import NOON, USDC, WSOL
from tests.tokens.services.building import POOL, SECOND, received, trade
from tokens.admin import charts
from tokens.choices import EventKind, PriceOrigin
from tokens.domain import programs
from tokens.domain.events import BothReserves, ChainEvent, Reserves
from tokens.domain.programs import USD1
from tokens.models import Pool, PriceCandle1m, SolUsdPrice, Transaction
from tokens.services import candles, ingest, polls, prices

pytestmark = [pytest.mark.django_db, pytest.mark.community]


@pytest.fixture(autouse=True)
def _rows_by_insert_where_copy_is_not_to_be_had(settings: Any) -> None:
    """Write by INSERT in the lane whose server COPY would end."""
    settings.INGEST_COPY = not database.IN_PLACE


NOW = NOON + timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
Values = list[tuple[str, Decimal | None, Decimal | None]]


def quoted(number: int, *, quote: str = USDC, **changes: Any) -> ChainEvent:
    """Return a trade of a coin that is quoted in dollars: 1.234567 of them, and a little more with each number."""
    after = Reserves(
        virtual_quote=5_000_000_000 + number * 1_234_567,
        virtual_token=1_073 * 10**12 - 3 * 10**12 * (number + 1),
        real_quote=1_234_567 * (number + 1),
        real_token=7_931 * 10**11 - 3 * 10**12 * (number + 1),
    )
    facts: dict[str, Any] = {
        "quote_mint": quote,
        "quote_amount_raw": 1_234_567 + number,
        "reserves": BothReserves(after=after),
        "kind": EventKind.SELL if number % 2 else EventKind.BUY,
    }
    return trade(number, **(facts | changes))


def stored(*events: ChainEvent) -> None:
    ingest.store(batch=[received(event) for event in events], feed="test", now=NOW)


def values() -> Values:
    """Return both USD values of each trade, in the order of the chain."""
    rows = Transaction.objects.order_by("block_time", "event_index")
    return list(rows.values_list("signature", "price_per_token_usd", "sol_amount_usd"))


def pool_values() -> list[tuple[Decimal | None, Decimal | None]]:
    return list(Pool.objects.order_by("pool_address").values_list("latest_price_usd", "market_cap_usd"))


EVENTS = [quoted(number) for number in range(4)] + [quoted(9, block_time=SECOND + 200)]


def samples() -> None:
    """USDC at 0.9998 a second before the first trade, and SOL at 150, which must not matter."""
    factories.quote_usd(NOON - timedelta(seconds=1))
    factories.sol_usd(NOON - timedelta(seconds=1))


def test_t7_a_trade_in_usdc_is_worth_its_usdc() -> None:
    """The amount times USDC's price, to the last digit; no SOL amount is made up; later than 120 seconds it is unknown."""
    samples()
    stored(*EVENTS)
    first, last = Transaction.objects.order_by("block_time").first(), Transaction.objects.order_by("block_time").last()
    assert first is not None
    assert last is not None
    assert first.sol_amount is None
    assert first.sol_amount_usd == Decimal("1.234567") * Decimal("0.9998")
    assert first.price_per_token == Decimal("0.00000041152233333333")
    assert first.price_per_token_usd == Decimal("0.000000411440028867")
    assert (last.sol_amount_usd, last.price_per_token_usd) == (None, None)


def test_t9_ingest_and_trigger_give_the_same_values() -> None:
    """Rows of the batch, deleted and inserted again by a writer that knows no prices, have the same USD values."""
    samples()
    stored(*EVENTS)
    by_ingest = values()
    rows = list(Transaction.objects.all())
    Transaction.objects.all().delete()
    for row in rows:
        row.price_per_token_usd = row.sol_amount_usd = None
    with connection.cursor() as cursor:  # the mark of ingest.store lasts as long as the test's own transaction
        cursor.execute("SET LOCAL megatron.usd_known = 'off'")
    Transaction.objects.bulk_create(rows)
    assert values() == by_ingest
    assert sum(usd is not None for _, _, usd in by_ingest) == 4


def candle_values() -> list[tuple[Any, ...]]:
    return list(PriceCandle1m.objects.order_by("bucket").values_list("close_usd", "volume_usd", "volume_sol"))


def test_candles_follow_in_dollars_and_have_no_volume_in_sol() -> None:
    """A minute's volume is the sum of its trades' dollars."""
    samples()
    stored(*EVENTS[:4])
    candles.roll_all(now=NOW)
    dollars = [usd for _, _, usd in values() if usd is not None]
    last = values()[-1][1]
    assert candle_values() == [(last, sum(dollars), 0)]
    assert len(dollars) == 4


def test_t8_filling_equals_pricing_at_once() -> None:
    """The same events into an empty house: without samples nothing has a value, filling gives each the right one."""
    stored(*EVENTS[:4])
    candles.roll_all(now=NOW)
    assert {usd for _, _, usd in values()} == {None}
    assert pool_values() == [(None, None)]
    samples()
    assert prices.fill_recent(now=NOW) == 4
    candles.roll_all(now=NOW)
    filled = values(), pool_values(), candle_values()
    pool = Pool.objects.get()
    assert pool.latest_price is not None
    assert pool.latest_price_usd == (pool.latest_price * Decimal("0.9998")).quantize(Decimal("1e-18"), ROUND_HALF_UP)
    Transaction.objects.all().delete()
    stored(*EVENTS[:4])
    candles.roll_all(now=NOW)
    assert (values(), pool_values(), candle_values()) == filled


def test_t7_each_quote_has_its_own_price() -> None:
    """Pools in SOL, USDC and USD1 side by side in one batch; a quote that nobody prices stays unknown."""
    samples()
    mints = {"usd1": USD1, "sol": WSOL, "usdc": USDC, "strange": factories.address("strange")}
    factories.quote_usd(NOON - timedelta(seconds=2), quote_mint=USD1, price_usd=Decimal("1.0010"))
    for number, (name, quote) in enumerate(mints.items()):
        made = factories.pool(
            pool_address=factories.address(f"pool {name}"), quote_mint=quote, quote_decimals=9 if quote == WSOL else 6
        )
        event = quoted(
            number,
            quote=quote,
            pool=made.pool_address,
            mint=made.base_mint,
            quote_amount_raw=2_000_000,
            kind=EventKind.SELL,
        )
        stored(event)
    found = dict(Transaction.objects.values_list("pool__pool_address", "sol_amount_usd"))
    assert found == {
        factories.address("pool usd1"): Decimal("2.002"),
        factories.address("pool sol"): Decimal("0.3"),
        factories.address("pool usdc"): Decimal("1.9996"),
        factories.address("pool strange"): None,
    }


def test_a_batch_of_sol_pools_reads_no_other_prices(django_assert_num_queries: Any) -> None:
    """The one question about prices is SOL's."""
    with django_assert_num_queries(1):
        found = prices.window(start=NOON, end=NOON + MINUTE, quotes={WSOL})
        assert found.of(WSOL) is found
    with django_assert_num_queries(2):
        prices.window(start=NOON, end=NOON + MINUTE, quotes={WSOL, USDC})


def test_a_pool_that_stands_later_than_the_batch_keeps_its_dollars() -> None:
    """A late event of an old second may change a pool without moving it: its newest state is priced by its own second."""
    samples()
    factories.quote_usd(NOON + timedelta(seconds=590), price_usd=Decimal("0.5"))
    stored(quoted(9, block_time=SECOND + 600))
    (before,) = pool_values()
    created = ChainEvent(
        program=trade().program,
        kind=EventKind.COMPLETE,
        signature=factories.signature("complete"),
        slot=400_000_001,
        block_time=SECOND,
        event_index=100_000,
        mint=trade().mint,
        pool=POOL,
        quote_mint=USDC,
    )
    stored(created)
    assert Pool.objects.get().status == "complete"
    assert pool_values() == [before]
    assert before[0] is not None


def test_samples_of_both_kinds_are_recorded_once() -> None:
    """SOL's go to their table, the others to theirs, each once a source and time."""
    both = [
        prices.Sample(NOON, Decimal(150), PriceOrigin.HERMES),
        prices.Sample(NOON, Decimal("0.9998"), PriceOrigin.HERMES, Decimal("0.0001"), mint=USDC),
    ]
    assert prices.record(samples=both, now=NOON) == 2
    assert prices.record(samples=both, now=NOON) == 0
    assert SolUsdPrice.objects.get().price_usd == 150
    assert prices.window(start=NOON, end=NOON, quotes={USDC}).of(USDC).at(SECOND) == 999_800


def test_a_fill_waits_for_a_batch_and_prices_the_pools_newest_moment() -> None:
    """What is filled belongs to the moment that the pool stands at, not to the one it stood at before."""
    stored(quoted(0))
    samples()
    pool = Pool.objects.get()
    Pool.objects.update(last_trade_at=NOON + timedelta(minutes=10))
    assert prices.fill(start=NOON - MINUTE, end=NOON + timedelta(hours=1), now=NOW) == 1
    pool.refresh_from_db()
    assert pool.latest_price_usd is None


def test_a_price_is_looked_up_for_seconds_and_not_for_trades() -> None:
    """An hour of a busy market without a price has a million trades in 3,600 seconds: no scan of trades looks prices up."""
    statements: list[tuple[str, Any]] = []

    def noted(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(noted):
        prices.fill_recent(now=NOW)
    filling = next((sql, params) for sql, params in statements if "lacking" in sql)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {filling[0]}", filling[1])
        plan = [line for (line,) in cursor.fetchall()]
    assert any("lacking" in line for line in plan)
    assert not [line for line in plan if "Filter" in line and "usd_at" in line]


def test_truth_14_there_is_one_list_of_quotes() -> None:
    """Each with its decimals and its sign; every other list of them is made from it."""
    assert programs.QUOTES.keys() == programs.QUOTE_DECIMALS.keys() == programs.QUOTE_MINTS == set(polls.MINTS)
    assert {mint: quote.decimals for mint, quote in programs.QUOTES.items()} == programs.QUOTE_DECIMALS
    assert [charts.coin_name(mint) for mint in programs.QUOTES] == ["SOL", "USDC", "USDT", "USD1"]
