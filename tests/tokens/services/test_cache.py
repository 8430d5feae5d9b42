"""What tokens cost now, and which are hot: from the database, through the cache, and after each commit."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from redis import Redis

from megatron.core import cache as core_cache
from tests import factories
from tests.factories import NOON
from tests.tokens.services import building
from tokens.choices import PoolType
from tokens.models import Pool, PriceCandle1m, Token
from tokens.selectors import market
from tokens.selectors.market import Market
from tokens.services import cache, ingest

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


def rising() -> Token:
    """A token that closed at 2 an hour and a half ago, traded 3 and 4 SOL since, and stands at 5."""
    token = factories.token()
    factories.pool(token, latest_price=Decimal(5), latest_price_usd=Decimal(750), last_trade_at=NOON)
    flat = {name: Decimal(2) for name in ("open", "high", "low", "close")}
    factories.candle(token, bucket=NOON - 90 * MINUTE, volume_sol=Decimal(99), **flat)
    factories.candle(token, bucket=NOON - 59 * MINUTE, volume_sol=Decimal(3), volume_usd=Decimal(450))
    factories.candle(token, bucket=NOON, volume_sol=Decimal(4), volume_usd=None)
    return token


def test_a_market_is_price_volume_and_change_of_the_hour() -> None:
    """Volume adds up the hour's minutes; the change is against the last close before them."""
    token = rising()
    assert market.markets(ids=[token.pk], now=NOON) == {
        token.pk: Market(
            price=Decimal(5),
            price_usd=Decimal(750),
            volume_1h=Decimal(7),
            volume_1h_usd=Decimal(450),
            change_1h=Decimal(150),
            last_trade=NOON,
        )
    }


def test_a_young_token_is_measured_against_its_first_price() -> None:
    """Without a close before the hour, the change is since its first minute opened."""
    token = factories.token()
    factories.pool(token, latest_price=Decimal(3))
    flat = {name: Decimal(4) for name in ("open", "high", "low", "close")}
    factories.candle(token, bucket=NOON - 10 * MINUTE, **flat)
    assert market.markets(ids=[token.pk], now=NOON)[token.pk].change_1h == Decimal(-25)


def test_a_token_that_did_not_trade_has_no_change() -> None:
    """Without a minute to compare with, the change is not known and the volume is nothing."""
    token = factories.token()
    factories.pool(token)
    found = market.markets(ids=[token.pk], now=NOON)[token.pk]
    assert (found.change_1h, found.volume_1h, found.volume_1h_usd) == (None, Decimal(0), None)


def test_a_close_of_last_week_is_no_measure() -> None:
    """What is compared with is at most a day older than the hour."""
    token = factories.token()
    factories.pool(token, latest_price=Decimal(3))
    factories.candle(token, bucket=NOON - timedelta(days=2))
    assert market.markets(ids=[token.pk], now=NOON)[token.pk].change_1h is None


def test_the_graduated_pool_prices_a_token_and_a_side_pool_never() -> None:
    """The price is that of the pool that prices the token everywhere else (T14)."""
    token = factories.token()
    factories.pool(token, latest_price=Decimal(1))
    factories.pool(token, pool_type=PoolType.PERMISSIONLESS, latest_price=Decimal(9))
    assert market.markets(ids=[token.pk], now=NOON)[token.pk].price == Decimal(1)
    factories.pool(token, pool_type=PoolType.GRADUATED, latest_price=Decimal(2))
    assert market.markets(ids=[token.pk], now=NOON)[token.pk].price == Decimal(2)


def test_a_token_without_a_price_is_left_out() -> None:
    """No pool, or a pool whose price is not known: nothing is said, and nothing is kept."""
    bare, unknown = factories.token(), factories.token()
    factories.pool(unknown, latest_price=None)
    assert market.markets(ids=[bare.pk, unknown.pk], now=NOON) == {}


def test_many_markets_cost_one_query() -> None:
    """Thirty tokens are asked for at once."""
    ids = [rising().pk for _ in range(30)]
    with CaptureQueriesContext(connection) as queries:
        assert len(market.markets(ids=ids, now=NOON)) == 30
    assert len(queries) == 1


def test_the_key_and_the_value_are_the_seeds(redis: Redis) -> None:
    """``price:current:{token_id}`` for 30 seconds, money as text; a second read comes from there, to the last digit."""
    token = rising()
    first = cache.markets(ids=[token.pk], now=NOON)
    key = f"price:current:{token.pk}"
    assert json.loads(redis.get(key) or "") == {
        "price": "5",
        "price_usd": "750",
        "volume_1h": "7",
        "volume_1h_usd": "450",
        "change_1h": "150",
        "last_trade": "2026-07-03T12:00:00Z",
    }
    assert 28 <= redis.ttl(key) <= 30
    Pool.objects.update(latest_price=Decimal(6))
    assert cache.markets(ids=[token.pk], now=NOON) == first


def test_a_price_keeps_its_twenty_decimals(redis: Redis) -> None:
    """Nothing is rounded and nothing has an exponent."""
    token = factories.token()
    factories.pool(token, latest_price=Decimal("0.00000002857142857143"))
    cache.markets(ids=[token.pk], now=NOON)
    assert '"0.00000002857142857143"' in (redis.get(f"price:current:{token.pk}") or "")
    assert cache.markets(ids=[token.pk], now=NOON)[token.pk].price == Decimal("0.00000002857142857143")


def test_a_trade_replaces_the_price_that_somebody_looked_at(redis: Redis) -> None:
    """After the commit of a trade the cache holds its price; before it, the one before."""
    ingest.store(batch=[building.received(building.trade(0))], feed="test", now=NOON)
    token = Token.objects.get()
    before = cache.markets(ids=[token.pk], now=NOON)[token.pk].price
    with transaction.atomic():
        ingest.store(batch=[building.received(building.trade(1))], feed="test", now=NOON)
        assert cache.MARKETS._cached([token.pk])[token.pk].price == before
    kept = cache.MARKETS._cached([token.pk])[token.pk]
    assert kept.price == Pool.objects.get().latest_price
    assert kept.price > before


def test_a_trade_of_a_token_that_nobody_looks_at_costs_the_cache_nothing(redis: Redis) -> None:
    """Ingest fills no cache."""
    ingest.store(batch=[building.received(building.trade(0))], feed="test", now=NOON)
    assert redis.keys("*") == []


def test_a_redis_that_says_nothing_does_not_stop_ingest(settings: Any, mute_redis_url: str) -> None:
    """The trade is stored, whatever becomes of the cache."""
    settings.CACHE_URL = mute_redis_url
    stored = ingest.store(batch=[building.received(building.trade(0))], feed="test", now=NOON)
    core_cache._pause.end()
    assert stored.transactions == 1


def test_tokens_without_a_score_are_ranked_by_the_hours_volume(redis: Redis) -> None:
    """``tokens:hot`` is a minute long; who is not scored stands in it below zero, and older volume does not count."""
    quiet, busy, old = factories.token(), factories.token(), factories.token()
    factories.candle(quiet, bucket=NOON - MINUTE, volume_sol=Decimal("1.5"))
    factories.candle(busy, bucket=NOON - MINUTE, volume_sol=Decimal(2))
    factories.candle(busy, bucket=NOON - 59 * MINUTE, volume_sol=Decimal(2))
    factories.candle(old, bucket=NOON - 60 * MINUTE, volume_sol=Decimal(100))
    assert cache.rebuild_hot(now=NOON) == 2
    assert redis.zrange("tokens:hot", 0, -1, withscores=True) == [(str(quiet.pk), -2.0), (str(busy.pk), -1.0)]
    assert 58 <= redis.ttl("tokens:hot") <= 60


def test_the_hot_list_is_the_same_with_and_without_a_cache(redis: Redis, settings: Any) -> None:
    """Tokens and markets, best first; without scores the one with more volume is."""
    first, second = rising(), rising()
    factories.candle(second, bucket=NOON - 5 * MINUTE, volume_sol=Decimal(1))
    cache.rebuild_hot(now=NOON)
    kept = cache.hot(now=NOON, limit=10)
    settings.CACHE_URL = ""
    assert [(it.token, it.score) for it in kept] == [(second, None), (first, None)]
    assert kept == cache.hot(now=NOON, limit=10)
    assert kept[0].market is not None


def test_truth_17_a_minute_without_a_price_changes_nothing() -> None:
    """Neither the hour's first price nor the close before it is that of a minute without one."""
    token = rising()
    nothing = dict.fromkeys(("open", "high", "low", "close"))
    factories.candle(token, bucket=NOON - 80 * MINUTE, volume_sol=Decimal(0), volume_usd=None, **nothing)
    factories.candle(token, bucket=NOON - 58 * MINUTE, volume_sol=Decimal(0), volume_usd=None, **nothing)
    assert market.markets(ids=[token.pk], now=NOON)[token.pk].change_1h == Decimal(150)


def test_truth_21_the_hours_volume_is_net_of_wash_volume() -> None:
    """What wallets bought and sold within a minute is not in the hour's volume, in SOL nor in USD."""
    token = rising()
    PriceCandle1m.objects.filter(token=token, bucket=NOON - 59 * MINUTE).update(
        wash_volume_sol=Decimal("2.5"), wash_volume_usd=Decimal(375)
    )
    found = market.markets(ids=[token.pk], now=NOON)[token.pk]
    assert (found.volume_1h, found.volume_1h_usd) == (Decimal("4.5"), Decimal(75))
