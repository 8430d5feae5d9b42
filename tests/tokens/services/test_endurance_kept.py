"""What comes late for rows that were valued, rolled up and dropped long ago leaves them as if it had come in time."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from tests.factories import NOON, signature
from tests.tokens.services.building import SECOND, received, trade
from tokens.choices import EventKind, PriceOrigin, Program
from tokens.domain.events import ChainEvent
from tokens.models import Pool, PriceCandle1d, PriceCandle1h, PriceCandle1m, PriceCandle5m, Transaction
from tokens.services import candles, ingest, prices, reorgs, retention

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=40)
"""When minutes of noon have been dropped and its trades have not."""


def store(*events: ChainEvent, now: datetime = NOON) -> None:
    """Store one transaction an event, of a live feed."""
    ingest.store(batch=[received(event) for event in events], feed="solana-logs", now=now)


def priced(*usd: int) -> None:
    """Record a price of SOL a minute, from noon on."""
    samples = [
        prices.Sample(NOON + n * timedelta(minutes=1), Decimal(value), PriceOrigin.HERMES)
        for n, value in enumerate(usd)
    ]
    prices.record(samples=samples, now=NOON)


def test_endurance_04_decimals_that_come_late_keep_the_value_in_usd() -> None:
    """A trade whose coin is scaled again is worth the USD that it was, whatever is known of prices by then."""
    priced(150)
    nine = {"decimals": 9, "name": "n", "symbol": "s", "uri": "u", "supply": 10**18}
    creation = trade(
        0,
        program=Program.LAUNCHLAB,
        kind=EventKind.CREATE,
        signature=signature("creation"),
        quote_amount_raw=None,
        fields=nine,
    )
    store(trade(1, program=Program.LAUNCHLAB), trade(2, program=Program.LAUNCHLAB, quote_amount_raw=3 * 10**9))
    store(creation, now=LATER)
    found = Transaction.objects.order_by("slot").values_list("token_amount", "sol_amount_usd", "price_per_token_usd")
    assert list(found) == [
        (Decimal(3_000), Decimal(150), Decimal("0.05")),
        (Decimal(3_000), Decimal(450), Decimal("0.15")),
    ]


def longer() -> list[dict[str, Any]]:
    """Return the candles that are longer than a minute."""
    return [
        row
        for model in (PriceCandle5m, PriceCandle1h, PriceCandle1d)
        for row in model.objects.order_by("bucket").values()
    ]


def test_endurance_04_longer_candles_of_an_old_day_are_made_of_all_its_trades() -> None:
    """Once the minutes were dropped, a late trade, a fork and a late price still end in the candles of all the day's trades."""
    early = [trade(number, block_time=SECOND + 90 * number) for number in range(5)]
    late, gone, unpriced = trade(7, block_time=SECOND + 15), early[2], early[3]
    priced(150, 151, 152, 153, 154, 155, 156)
    store(*(event for event in early if event is not gone), late)
    candles.roll_all(now=NOON)
    expected = longer()
    Transaction.objects.all().delete()
    for model in (PriceCandle1m, PriceCandle5m, PriceCandle1h, PriceCandle1d):
        model.objects.all().delete()

    store(*early)
    Transaction.objects.filter(signature=unpriced.signature).update(sol_amount_usd=None, price_per_token_usd=None)
    candles.roll_all(now=NOON)
    assert retention.apply(now=LATER).held == ()
    assert not PriceCandle1m.objects.exists()
    dropped = [reorgs.Dropped(gone.signature, gone.slot or 0, None)]
    for change in (
        lambda: store(late, now=LATER),
        lambda: reorgs.take_back(venue=Program.PUMPFUN, dropped=dropped, now=LATER, since=NOON - timedelta(hours=1)),
        lambda: prices.fill_between(start=NOON, end=NOON + timedelta(hours=1), now=LATER),
    ):
        PriceCandle1m.objects.all().delete()
        with transaction.atomic():
            change()
        candles.roll_all(now=LATER)
    assert longer() == expected
    assert len(expected) == 4


def test_endurance_04_a_pool_that_a_fork_left_has_a_value_in_usd() -> None:
    """It stands where the newest trade that is left did, at the price of the quote then, however long ago that is."""
    priced(150, 160)
    first, forked = trade(0), trade(1, block_time=SECOND + 60)
    store(first)
    expected = Pool.objects.values("latest_price", "latest_price_usd", "market_cap_usd").get()
    assert expected["market_cap_usd"] is not None
    store(forked)
    assert Pool.objects.get().latest_price_usd != expected["latest_price_usd"]
    with transaction.atomic():
        dropped = [reorgs.Dropped(forked.signature, forked.slot or 0, None)]
        reorgs.take_back(venue=Program.PUMPFUN, dropped=dropped, now=LATER, since=NOON - timedelta(hours=1))
    assert Pool.objects.values("latest_price", "latest_price_usd", "market_cap_usd").get() == expected
