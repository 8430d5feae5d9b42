"""``manage.py backfill_prices``: former prices for the minutes that need them, and dollars for their trades."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError

from megatron import clients
from megatron.clients.errors import TryLater
from megatron.clients.ports import PriceQuote
from tests import factories
from tests.factories import NOON, USDC, WSOL
from tests.tokens.commands.calling import result
from tokens.models import Pool, PriceCandle1m, QuoteUsdPrice, SolUsdPrice, Transaction

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
WINDOW = ("--from", "2026-07-03T12:00:00Z", "--to", "2026-07-03T13:00:00Z")
NOTHING = {"price_per_token_usd": None, "sol_amount_usd": None}


class Archive:
    """A :class:`PriceHistory` that knows some coins; its memory fails after some calls."""

    def __init__(self, name: str, known: Mapping[str, str], *, calls: int = 10_000) -> None:
        self.name, self.known, self.calls = name, known, calls
        self.asked: list[tuple[str, list[datetime]]] = []

    def get_history(self, mint: str, *, moments: Sequence[datetime]) -> Sequence[PriceQuote]:
        self.asked.append((mint, list(moments)))
        if len(self.asked) > self.calls:
            raise TryLater("busy")
        price = self.known.get(mint)
        return [PriceQuote(Decimal(price), at - timedelta(seconds=2)) for at in moments] if price else []


def backfill(*archives: Archive) -> dict[str, Any]:
    with clients.override(histories=archives):
        return result("backfill_prices", *WINDOW)


def test_only_the_minutes_that_need_a_price_are_fetched() -> None:
    """Two trades of a minute are one question; trades, pools and candles get their dollars; a second run asks nothing."""
    pool = factories.pool(latest_price_usd=None, market_cap_usd=None, last_trade_at=NOON + 7 * MINUTE)
    for second in (1, 59, 420):
        factories.transaction(pool, block_time=NOON + timedelta(seconds=second), **NOTHING)
    factories.transaction(pool, block_time=NOON + timedelta(hours=1), **NOTHING)
    hermes = Archive("hermes", {WSOL: "150"})
    assert backfill(hermes) == {"minutes": 2, "samples": 2, "trades_filled": 3, "candles": 6}
    assert hermes.asked == [(WSOL, [NOON, NOON + 7 * MINUTE])]
    assert SolUsdPrice.objects.count() == 2
    assert list(Transaction.objects.order_by("block_time").values_list("sol_amount_usd", flat=True)) == [150] * 3 + [
        None
    ]
    assert Pool.objects.get().latest_price_usd == Decimal("0.000006379310344827")
    assert PriceCandle1m.objects.get(bucket=NOON).volume_usd == 300
    assert backfill(hermes) == {"minutes": 0, "samples": 0, "trades_filled": 0, "candles": 0}
    assert len(hermes.asked) == 1


def test_what_one_source_does_not_know_the_next_is_asked_for() -> None:
    """Each quote by itself."""
    factories.transaction(**NOTHING)
    usdc = factories.pool(quote_mint=USDC, quote_decimals=6)
    factories.transaction(usdc, sol_amount=None, amount_in=2_500_000, **NOTHING)
    hermes, birdeye = Archive("hermes", {WSOL: "150"}), Archive("birdeye", {WSOL: "149", USDC: "0.9996"})
    assert backfill(hermes, birdeye)["trades_filled"] == 2
    assert [mint for mint, _ in birdeye.asked] == [USDC]
    assert (QuoteUsdPrice.objects.get().source, QuoteUsdPrice.objects.get().price_usd) == ("birdeye", Decimal("0.9996"))
    assert Transaction.objects.get(pool=usdc).sol_amount_usd == Decimal("2.499")


def test_what_was_fetched_before_a_failure_is_kept_and_the_next_run_goes_on() -> None:
    """Thirty minutes are a piece: the second piece fails, the first one's trades have their dollars."""
    pool = factories.pool()
    for minute in range(40):
        factories.transaction(pool, block_time=NOON + minute * MINUTE, **NOTHING)
    with pytest.raises(CommandError, match="busy\nWhat was fetched is stored"):
        backfill(Archive("hermes", {WSOL: "150"}, calls=1))
    assert Transaction.objects.filter(sol_amount_usd=150).count() == 31  # the last sample holds for two minutes
    hermes = Archive("hermes", {WSOL: "150"})
    assert backfill(hermes)["minutes"] == 9
    assert Transaction.objects.filter(sol_amount_usd=150).count() == 40


def test_a_source_that_fails_is_replaced_by_the_next() -> None:
    """Only when all fail the command stops."""
    factories.transaction(**NOTHING)
    assert backfill(Archive("hermes", {}, calls=0), Archive("birdeye", {WSOL: "150"}))["trades_filled"] == 1


def test_a_price_that_is_none_is_not_stored() -> None:
    """A zero or a negative one in an archive fills nothing."""
    factories.transaction(**NOTHING)
    assert backfill(Archive("hermes", {WSOL: "-150"})) == {"minutes": 1, "samples": 0, "trades_filled": 0, "candles": 0}


def test_wrong_calls_end_with_a_sentence(settings: Any) -> None:
    """A window that ends before it begins, and nobody to ask."""
    settings.HERMES_API_KEY = settings.BIRDEYE_API_KEY = ""
    with pytest.raises(CommandError, match="later than --from"):
        result("backfill_prices", "--from", "2026-07-03", "--to", "2026-07-03")
    with pytest.raises(CommandError, match="set HERMES_API_KEY or BIRDEYE_API_KEY"):
        result("backfill_prices", *WINDOW)
