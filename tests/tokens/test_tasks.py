"""The Celery doors: each reads the clock, calls one service and says how much was done."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection

from megatron import clients
from megatron.clients.ports import PriceQuote
from tests import factories
from tests.factories import NOON
from tests.tokens.services.building import MINT, address, trade
from tests.tokens.services.capture import NOW
from tokens import tasks
from tokens.choices import CandleInterval, RejectionStatus
from tokens.domain.decode import encode
from tokens.models import (
    AggregateDue,
    CandleDue,
    PriceCandle1d,
    PriceCandle1m,
    RejectedMessage,
    RetentionPolicy,
    Transaction,
)
from tokens.selectors import upkeep
from tokens.services import aggregates, candles
from tokens.services.candles import Rolled

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    """It is a minute after the trades."""
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        yield


def test_due_candles_are_rolled() -> None:
    """A due minute becomes a candle; the longer ones become due and wait for more trades."""
    trade_row = factories.transaction()
    factories.candle_due(trade_row.token)
    assert tasks.roll_candles() == 1
    assert PriceCandle1m.objects.get().trade_count == 1
    assert set(CandleDue.objects.values_list("interval", flat=True)) == {300, 3600, 86400}
    assert not PriceCandle1d.objects.exists()


@pytest.mark.parametrize(("hours", "woken"), [(aggregates.MOST - 1, 0), (aggregates.MOST, 1)])
def test_endurance_05_hours_of_aggregates_that_are_due_are_refreshed(
    hours: int, woken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task says how many, and wakes itself while there may be more; the daily one says how many hours differed."""
    calls: list[int] = []
    monkeypatch.setattr(aggregates, "refresh_due", lambda *, now: aggregates.Refreshed(hours=hours))
    monkeypatch.setattr(aggregates, "check", lambda *, now: 7)
    monkeypatch.setattr(tasks.refresh_aggregates, "delay", lambda: calls.append(1))
    assert (tasks.refresh_aggregates(), len(calls), tasks.check_aggregates()) == (hours, woken, 7)


def test_endurance_05_below_community_an_aggregate_lacks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """There it is a view: nothing is marked, refreshed, compared or covered."""
    monkeypatch.setattr(connection, "timescale_level", "none")
    aggregates.mark(aggregate=aggregates.MINUTES, times=[NOON - timedelta(days=3)], now=NOON)
    assert not AggregateDue.objects.exists()
    assert (tasks.refresh_aggregates(), tasks.check_aggregates(), upkeep.coverage()) == (0, 0, {})


@pytest.mark.parametrize(("rolled", "woken"), [(1_999, 0), (2_000, 1)])
def test_a_full_round_wakes_the_next(rolled: int, woken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """While there may be more the task wakes itself; otherwise the beat does."""
    calls: list[int] = []
    monkeypatch.setattr(candles, "roll", lambda *, now: Rolled({CandleInterval.M1: rolled}))
    monkeypatch.setattr(tasks.roll_candles, "delay", lambda: calls.append(1))
    assert tasks.roll_candles() == rolled
    assert len(calls) == woken


def test_a_message_whose_pool_became_known_is_stored() -> None:
    """What waited is resolved; what waits for another pool keeps waiting."""
    waiting = trade(0)
    factories.rejected(encode(waiting), waits_for=waiting.pool, reason="unknown_pool")
    other = factories.rejected(b"other", waits_for=address("another pool"), reason="unknown_pool")
    assert tasks.retry_rejected() == 0
    factories.pool(factories.token(mint_address=MINT), pool_address=waiting.pool)
    assert tasks.retry_rejected() == 1
    assert Transaction.objects.get().signature == waiting.signature
    assert list(RejectedMessage.objects.filter(status=RejectionStatus.WAITING)) == [other]


def test_the_price_sources_that_are_set_up_are_asked() -> None:
    """The task hands the registry's sources to the service and says how many prices it stored."""

    class Fixed:
        """A source of one price."""

        name = "hermes"

        def get_prices(self, mints: Sequence[str]) -> Mapping[str, PriceQuote]:
            return {mints[0]: PriceQuote(Decimal(1), NOON)}

    with clients.override(prices=[Fixed()]):
        assert tasks.poll_prices() == 1
        assert tasks.poll_prices() == 0


def test_a_price_that_came_late_fills_the_trade() -> None:
    """A trade of the last hour gets its dollars when the price is known; the heartbeat never reads all of history."""
    made = factories.transaction(price_per_token_usd=None, sol_amount_usd=None)
    old = factories.transaction(block_time=NOON - timedelta(hours=1), price_per_token_usd=None, sol_amount_usd=None)
    assert tasks.fill_usd() == 0
    factories.sol_usd(NOON - timedelta(seconds=1))
    factories.sol_usd(NOON - timedelta(hours=1))
    assert tasks.fill_usd() == 1
    made.refresh_from_db()
    assert made.sol_amount_usd == Decimal(150)
    old.refresh_from_db()
    assert old.sol_amount_usd is None


def test_expired_rows_and_resolved_messages_go(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task drops both and says how many rows went."""
    factories.cursor(source="solana-logs")
    monkeypatch.setattr(connection, "timescale_level", "none")
    RetentionPolicy.objects.update_or_create(table_name="sol_usd_prices", defaults={"drop_after": timedelta(days=90)})
    factories.sol_usd(NOON - timedelta(days=91))
    factories.sol_usd(NOON - timedelta(days=89))
    month = {"status": RejectionStatus.RESOLVED, "resolved_at": NOON - timedelta(days=31)}
    factories.rejected(b"old", **month)
    factories.rejected(b"young", **{**month, "resolved_at": NOW})
    assert tasks.apply_retention() == 2
    assert RejectedMessage.objects.count() == 1
