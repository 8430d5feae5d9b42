"""What an operator sees of the price sources."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Page

from megatron.core.clock import utc_now
from tests import factories
from tests.browser.conftest import Visit
from tests.factories import USDC
from tokens.models import SolUsdPrice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SOURCES = {"hermes": "150", "jupiter": "150.4", "birdeye": "149.2"}


def day_of_prices() -> None:
    """Create a day of prices of three sources, and what each is worth now."""
    now = utc_now()
    swing = [Decimal(minute % 90) / 30 for minute in range(0, 1440, 2)]
    SolUsdPrice.objects.bulk_create(
        SolUsdPrice(price_time=now - timedelta(minutes=1439 - 2 * step), price_usd=Decimal(base) + up, source=source)
        for source, base in SOURCES.items()
        for step, up in enumerate(swing)
    )
    seen = {"last_asked_at": now - timedelta(seconds=4), "last_price_at": now - timedelta(seconds=6)}
    factories.price_source(**seen, since=now - timedelta(hours=7), last_ok_at=now, last_price="150.12345678")
    factories.price_source(
        **seen, source="jupiter", status="dropped", reason="far_off", last_price="240.5", dropped_count=12, since=now
    )
    factories.price_source(
        **seen, source="birdeye", status="unreachable", failures=3, error="birdeye: HTTP 429 for GET …", since=now
    )
    factories.price_source(**seen, mint=USDC, last_price="0.9998", since=now, last_ok_at=now)


def test_the_price_page_shows_a_line_a_source_and_what_each_is_worth(visit: Callable[..., Visit]) -> None:
    """Three lines with their names, and a table that says who is not used and why."""
    day_of_prices()
    tab = visit(user=User.objects.create_superuser("operator"))
    tab.open(reverse("admin:tokens_solusdprice_changelist"))

    def seen(page: Page) -> tuple[str, list[str]]:
        page.wait_for_selector("[data-lines][data-drawn]")
        rows = page.locator(".mg table tbody tr").all_inner_texts()
        return page.locator("[data-legend]").inner_text(), [" ".join(row.split()) for row in rows]

    legend, rows = tab.do(seen)
    assert all(name in legend for name in ("Pyth Hermes", "Jupiter", "Birdeye"))
    assert [row.split()[0] for row in rows] == ["Pyth", "Jupiter", "Birdeye", "Pyth"]
    assert "Far from what the others say 240.5" in rows[1]
    assert "birdeye: HTTP 429 for GET …" in rows[2]
    assert "USDC" in rows[3]
