"""Where the seeds could not work as written: one test for each decision, named by its row (T chain, C time series)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from megatron.core.timescale.fields import HypertableTimeField
from tests import recordings
from tests.factories import NOON
from tests.tokens.services.building import MINT, SECOND, received, trade
from tests.tokens.services.capture import NOW
from tokens.choices import EventKind, Platform, PoolStatus, Program, Venue
from tokens.domain.events import BothReserves, ChainEvent, Reserves
from tokens.models import Pool, PriceCandle1h, PriceCandle1m, RejectedMessage, Token, Transaction
from tokens.services import candles, ingest

pytestmark = pytest.mark.django_db


def store(*events: ChainEvent) -> ingest.Stored:
    """Store events, each as a transaction of its own."""
    return ingest.store(batch=[received(event) for event in events], feed="test", now=NOW)


def state(**reserves: int) -> BothReserves:
    """Return reserves after an event."""
    return BothReserves(after=Reserves(**reserves))


def test_a_launch_price_keeps_its_digits_t2() -> None:
    """The price of a coin at launch is stored with twenty decimals, where the seed's ten would keep two digits."""
    start = state(virtual_quote=30 * 10**9, virtual_token=1_073 * 10**12, real_quote=0, real_token=793_100 * 10**9)
    store(trade(0, reserves=start, quote_amount_raw=27_958_993, token_amount_raw=10**12))
    assert Pool.objects.get().latest_price == Decimal("0.00000002795899347623")
    assert Transaction.objects.get().price_per_token == Decimal("0.00000002795899300000")


def test_amounts_of_the_whole_u64_range_fit_t3() -> None:
    """The largest amount the chain knows is stored exactly; one more is refused, and the message kept."""
    largest = 2**64 - 1
    stored = store(
        trade(0, token_amount_raw=largest, fees=trade().fees),
        trade(1, reserves=state(virtual_quote=2**64, virtual_token=1)),
    )
    assert (stored.transactions, dict(stored.rejected)) == (1, {"not_storable": 1})
    assert Transaction.objects.get().amount_out == largest


def test_progress_has_two_measures_t4() -> None:
    """When half of the tokens on sale are sold, a fifth of the SOL is raised: two columns, never one for both."""
    sold = 793_100 * 10**9 // 2
    vt = 1_073 * 10**12 - sold
    vq = 32_190 * 10**21 // vt
    store(trade(0, reserves=state(virtual_quote=vq, virtual_token=vt, real_quote=vq - 30 * 10**9, real_token=sold)))
    pool = Pool.objects.get()
    assert pool.bonding_curve_progress == Decimal("50.0000")
    assert pool.progress_quote_pct == Decimal("20.6889")


def test_launchlab_is_priced_by_its_virtual_reserves_t5() -> None:
    """A recorded LaunchLab buy leaves the pool at (virtual + real) quote over (virtual - sold) base, not at what was raised
    over what was sold."""
    recorded = recordings.loaded("vectors/launchlab_trade_real.json")
    event = {name: int(value) for name, value in recorded["trade_event"].items() if value.isdigit()}
    after = state(
        virtual_quote=event["virtual_quote"] + event["real_quote_after"],
        virtual_token=event["virtual_base"] - event["real_base_after"],
        real_quote=event["real_quote_after"],
        real_token=event["total_base_sell"] - event["real_base_after"],
    )
    store(trade(0, program=Program.LAUNCHLAB, pool=recorded["accounts"]["pool_state"], reserves=after))
    price = Pool.objects.get().latest_price
    expected, wrong = recorded["expected"]["spot_after"], "wrong_price_real_quote_over_real_base_after"
    assert abs(price - Decimal(expected)) < Decimal("1e-20")
    assert abs(price - Decimal(recorded["expected"][wrong])) > Decimal("1e-9")


def test_graduation_is_the_complete_event_not_a_number_t6() -> None:
    """A curve with every token sold has not graduated until it says so; where it went is an open list."""
    empty = state(virtual_quote=115_005_359_057, virtual_token=279_900 * 10**9, real_quote=85_005_359_057, real_token=0)
    store(trade(0, reserves=empty))
    assert Pool.objects.get().bonding_curve_progress == 100
    assert not Token.objects.get().is_graduated
    store(trade(2, kind=EventKind.MIGRATE, fields={"destination": "raydium_cpmm"}))
    store(trade(1, kind=EventKind.COMPLETE))
    token = Token.objects.get()
    assert (token.is_graduated, token.graduation_platform) == (True, "raydium_cpmm")
    assert (token.graduation_timestamp, token.graduation_signature) == (NOON + timedelta(seconds=1), trade(1).signature)
    assert Pool.objects.get().status == PoolStatus.MIGRATED


def test_without_the_chains_time_an_event_waits_t10() -> None:
    """No local clock ever stands in for the block's time: the message is kept until the time is known."""
    stored = store(trade(0, block_time=None))
    assert (stored.transactions, dict(stored.rejected)) == (0, {"no_block_time": 1})
    assert RejectedMessage.objects.get().waits_for == trade(0).signature
    assert not Token.objects.exists()


def test_platforms_are_closed_lists_and_the_second_seeds_columns_stay_t13() -> None:
    """Tokens and pools name their platform from a list that the database checks; share_fee and error_code are kept."""
    assert {"pumpfun", "raydium_launchpad"} < set(Platform.values)
    assert {"pumpfun", "pumpswap", "raydium_launchpad", "raydium", "raydium_cpmm", "moonshot", "meteora"} == set(
        Venue.values
    )
    columns = {field.column for field in Transaction._meta.concrete_fields}
    assert {"share_fee", "error_code"} < columns


def test_an_hour_counts_a_trader_once_c2() -> None:
    """A wallet that buys in two minutes is two buyers by the minute and one by the hour."""
    store(trade(0), trade(1, block_time=SECOND + 60))
    candles.roll_all(now=NOW)
    assert sum(PriceCandle1m.objects.values_list("buyer_count", flat=True)) == 2
    assert PriceCandle1h.objects.get().buyer_count == 1


def test_hypertables_are_leaves_c7() -> None:
    """No foreign key points at a table that is split by time."""
    from django.apps import apps

    hypertables = {
        model._meta.db_table
        for model in apps.get_models()
        if any(isinstance(field, HypertableTimeField) for field in model._meta.local_fields)
    }
    assert "transactions" in hypertables
    pointed_at = _column("SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f'")
    assert not hypertables & set(pointed_at)


def test_no_index_depends_on_the_clock_c8() -> None:
    """No index has a condition that PostgreSQL would have to evaluate at another time than when the row was written."""
    definitions = _column("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'")
    assert definitions
    assert [text for text in definitions if "now()" in text.lower() or "current_timestamp" in text.lower()] == []


def test_the_schedule_is_celerys_c9() -> None:
    """What happens at intervals is in the wiring, and the database has no scheduler of its own for it."""
    assert "tokens.tasks.apply_retention" in settings.BEAT
    assert _column("SELECT extname FROM pg_extension WHERE extname = 'pg_cron'") == []


def test_mint_is_what_a_token_is_called_by() -> None:
    """A token is named by its mint everywhere: the row of a trade's token has the mint of the event."""
    store(trade(0))
    assert Token.objects.get().mint_address == MINT


def _column(statement: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [value for (value,) in cursor.fetchall()]
