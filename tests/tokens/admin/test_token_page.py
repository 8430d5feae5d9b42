"""The token's page and the data of its chart."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from megatron.core.display import short_key
from tests import factories
from tests.factories import NOON
from tokens.choices import PoolType, Venue
from tokens.models import PriceCandle1h, Token

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def chart(console: Client, token: Token, **asked: str) -> Any:
    return console.get(reverse("admin:tokens_token_candles", args=[token.pk]), asked).json()


def test_chart_gives_decimals_as_text_oldest_first(console: Client) -> None:
    """Bars are [unix seconds, open, high, low, close, volume, trades], and no digit is lost on the way."""
    token = factories.token()
    factories.candle(token, bucket=NOON + timedelta(minutes=1))
    factories.candle(token)
    answer = chart(console, token, interval="60", currency="quote")
    first, second = answer["bars"]
    assert first == [1783080000, "0.000000028", "0.000000031", "0.000000027", "0.00000003", "1", 2]
    assert second[0] == 1783080060
    assert (answer["unit"], answer["volume_unit"], answer["markers"], answer["empty"]) == ("SOL", "SOL", [], "")


def test_chart_in_usd_uses_the_usd_columns(console: Client) -> None:
    """Open, high, low, close and volume are the candle's USD values."""
    token = factories.token()
    factories.candle(token)
    answer = chart(console, token, interval="60", currency="usd")
    assert answer["bars"] == [[1783080000, "0.0000042", "0.00000465", "0.00000405", "0.0000045", "150", 2]]


def test_graduation_is_marked_on_the_candle_it_happened_in(console: Client) -> None:
    """A graduation 30 seconds into a minute is marked at the minute's start."""
    at = NOON + timedelta(seconds=30)
    token = factories.token(is_graduated=True, graduation_timestamp=at, graduation_platform="pumpswap")
    factories.candle(token)
    assert chart(console, token)["markers"] == [{"time": 1783080000, "text": "graduated"}]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"interval": "60"}, "No 1m candle is kept for this token; 1h has some."),
        ({"interval": "3600", "currency": "usd"}, "no SOL/USD price was fresh"),
    ],
)
def test_an_empty_chart_says_what_to_do(console: Client, asked: dict[str, str], words: str) -> None:
    """Another interval or the other currency is named when that one has something to draw."""
    token = factories.token()
    missing = dict.fromkeys(("open_usd", "high_usd", "low_usd", "close_usd", "volume_usd"))
    factories.candle(token, model=PriceCandle1h, **missing)
    answer = chart(console, token, **asked)
    assert answer["bars"] == []
    assert words in answer["empty"]


@pytest.mark.parametrize("asked", [{"interval": "61"}, {"interval": "x"}, {"currency": "eur"}])
def test_an_unknown_chart_is_not_found(console: Client, asked: dict[str, str]) -> None:
    """Only the four intervals and the two currencies exist."""
    path = reverse("admin:tokens_token_candles", args=[factories.token().pk])
    assert console.get(path, asked).status_code == 404


def test_page_shows_both_progress_measures_pools_trades_and_waiting_messages(console: Client) -> None:
    """A graduated token's page names the pool that prices it, both measures of its curve and what waits for it."""
    token = factories.token(symbol="WIF", is_graduated=True, graduation_timestamp=NOON, graduation_platform="pumpswap")
    curve = factories.pool(token)
    factories.pool(
        token,
        pool_type=PoolType.GRADUATED,
        platform=Venue.PUMPSWAP,
        initial_real_token_reserves=None,
        quote_target=None,
    )
    factories.transaction(curve)
    factories.rejected(waits_for=curve.pool_address)
    answer = console.get(reverse("admin:tokens_token_change", args=[token.pk]))
    page = answer.content.decode()
    assert answer.context["current"].platform == Venue.PUMPSWAP
    assert "25.00 %" in page
    assert "8.23 %" in page
    assert "0.0₇2857" in page
    assert "1 message about this token waits" in page
    assert [pool.platform for pool, _ in answer.context["pools"]] == [Venue.PUMPFUN, Venue.PUMPSWAP]


def test_page_of_a_bare_token_has_no_gaps(console: Client) -> None:
    """A token without pool, trade and candle still has a page."""
    answer = console.get(reverse("admin:tokens_token_change", args=[factories.token().pk]))
    assert answer.status_code == 200
    assert "No pool is known" in answer.content.decode()


def test_find_leads_from_a_key_to_its_page(console: Client) -> None:
    """A mint and a pool lead to their pages, a signature and a wallet to their trades, the rest home."""
    trade = factories.transaction()
    wanted = {
        trade.token.mint_address: reverse("admin:tokens_token_change", args=[trade.token_id]),
        trade.pool.pool_address: reverse("admin:tokens_pool_change", args=[trade.pool_id]),
        trade.signature: f"{reverse('admin:tokens_transaction_changelist')}?q={trade.signature}",
        trade.user_address: f"{reverse('admin:tokens_transaction_changelist')}?q={trade.user_address}",
        "<nothing>": reverse("admin:index"),
        "": reverse("admin:index"),
    }
    led = {key: console.get(reverse("admin:tokens_find"), {"key": f" {key} "}).headers["Location"] for key in wanted}
    assert led == wanted


def test_find_leads_from_a_name_to_the_token_or_the_list_that_shows_it(console: Client) -> None:
    """What stands on the overview is found: one token is its page, several are the list of them, whatever the case."""
    one = factories.token(symbol=None, name="Inudependence")
    for at in range(2):
        factories.token(mint_address=factories.address(f"twin {at}"), symbol="TWIN")
    answer = console.get(reverse("admin:tokens_find"), {"key": "inudependence"})
    assert answer.headers["Location"] == reverse("admin:tokens_token_change", args=[one.pk])
    found = console.get(reverse("admin:tokens_find"), {"key": "twin"}, follow=True)
    assert [row.symbol for row in found.context["cl"].result_list] == ["TWIN", "TWIN"]
    other = console.get(reverse("admin:tokens_token_changelist"), {"q": "INUDEPENDENCE"})
    assert list(other.context["cl"].result_list) == [one]


@pytest.mark.parametrize("kind", ["token", "pool", "transaction"])
def test_find_tells_nothing_of_what_may_not_be_viewed(kind: str, client: Client, db: None) -> None:
    """Staff with the permission to view one model find that one alone; all else answers as what does not exist."""
    trade = factories.transaction()
    staff = User.objects.create_user("clerk", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename=f"view_{kind}"))
    client.force_login(staff)
    keys = {
        "token": [trade.token.mint_address, trade.token.symbol],
        "pool": [trade.pool.pool_address],
        "transaction": [trade.signature, trade.user_address],
    }
    led = {
        of: [client.get(reverse("admin:tokens_find"), {"key": key}).headers["Location"] for key in keys[of]]
        for of in keys
    }
    for of, places in led.items():
        assert all((place == reverse("admin:index")) != (of == kind) for place in places), (of, places)


def test_a_token_without_a_symbol_is_its_short_mint_everywhere(console: Client) -> None:
    """In lists, links and headings: a question mark names nothing."""
    trade = factories.transaction(
        factories.pool(factories.token(symbol=None, mint_address=factories.address("nameless")))
    )
    short = short_key(trade.token.mint_address)
    for place in ("token_changelist", "pool_changelist", "transaction_changelist"):
        page = console.get(reverse(f"admin:tokens_{place}")).content.decode()
        assert short in page
        assert not re.search(r">\s*\?\s*<", page)
    page = console.get(reverse("admin:tokens_token_change", args=[trade.token_id])).content.decode()
    assert f"<h2>{short}" in page
    assert str(trade.token) == trade.token.mint_address
