"""What the charts and the token's page show, as plain data for JSON and templates."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from tokens.admin import words
from tokens.choices import CandleInterval, PoolType, PriceOrigin
from tokens.domain.programs import QUOTES, WRAPPED_SOL
from tokens.models import Pool, Token
from tokens.selectors import charts, completeness, desk
from tokens.selectors import tokens as token_reads
from tokens.selectors.charts import Bar, Currency


def coin_name(mint: str) -> str:
    """Return how to call a coin that others are quoted in."""
    return QUOTES[mint].symbol if mint in QUOTES else f"{mint[:4]}…"


def quote_name(pool: Pool | None) -> str:
    """Return how to call the quote of ``pool``: SOL for wrapped SOL and for a token whose pool is not known."""
    return coin_name(WRAPPED_SOL if pool is None else pool.quote_mint)


def candles(*, token: Token, interval: int, currency: Currency) -> dict[str, Any]:
    """Return the chart of ``token``: its bars, markers, units, and why there is nothing to draw.

    A bar is ``[unix seconds, open, high, low, close, volume, trades]`` with decimals as text.
    """
    bars = charts.latest_bars(token=token, interval=interval, currency=currency)
    quote = quote_name(token_reads.current_of(token.pools.all()))
    return {
        "bars": [_bar(bar) for bar in bars],
        "markers": _markers(token, bars, interval),
        "unit": "USD" if currency == "usd" else quote,
        "volume_unit": "USD" if currency == "usd" else "SOL",
        "empty": "" if bars else _why_empty(token, interval, currency),
    }


def token_page(*, token: Token, now: datetime) -> dict[str, Any]:
    """Return what the token's page shows besides its fields."""
    pools = desk.pools_of(token=token)
    current = token_reads.current_of([pool for pool, _ in pools])
    curve = next(((pool, reached) for pool, reached in pools if pool.pool_type == PoolType.INITIAL), (None, ()))
    return {
        "now": now,
        "pools": pools,
        "current": current,
        "curve": curve[0],
        "milestones": curve[1],
        "quote": quote_name(current),
        "trades": desk.latest_trades(token=token),
        "document_links": _links(token),
        "waiting": desk.waiting_for(token=token),
        "completeness": _completeness([pool for pool, _ in pools], now),
        "chart_interval": charts.first_filled_interval(token=token) or CandleInterval.M1.value,
    }


def _links(token: Token) -> list[tuple[str, str]]:
    """Return the picture and the links that the token's document names, each with its label."""
    document = getattr(token, "document", None)
    named = ("image_url", "website", "twitter", "telegram", "discord")
    found = [(name.removesuffix("_url").capitalize(), getattr(document, name, None)) for name in named]
    return [(label, link) for label, link in found if link]


def _completeness(pools: Sequence[Pool], now: datetime) -> Sequence[words.Said]:
    known = completeness.spans(pools=pools, now=now) if pools else {}
    return [words.of_completeness(pool, known[pool.pk]) for pool in pools]


def sol_usd(*, since: datetime, until: datetime) -> dict[str, Any]:
    """Return the SOL/USD lines of ``[since, until)`` for the chart, a source each."""
    found = charts.sol_usd_lines(since=since, until=until)
    lines = [
        {
            "name": PriceOrigin(source).label,
            "points": [[int(at.timestamp()), _text(value)] for at, value in points],
        }
        for source, points in found.items()
    ]
    return {"whole": False, "lines": lines}


def _bar(bar: Bar) -> list[int | str]:
    figures = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return [int(bar.at.timestamp()), *map(_text, figures), bar.trade_count]


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _markers(token: Token, bars: Any, interval: int) -> list[dict[str, Any]]:
    """Return the graduation, on the newest bar that starts no later."""
    if token.graduation_timestamp is None:
        return []
    at = token.graduation_timestamp.timestamp()
    before = [int(bar.at.timestamp()) for bar in bars if bar.at.timestamp() <= at]
    if not before or at - before[-1] >= 86400 + interval:
        return []
    return [{"time": before[-1], "text": "graduated"}]


def _why_empty(token: Token, interval: int, currency: Currency) -> str:
    label = CandleInterval(interval).label
    if currency == "usd" and charts.latest_bars(token=token, interval=interval, currency="quote", limit=1):
        return "These candles have no USD values: no SOL/USD price was fresh at their trades. Switch to the quote."
    other = charts.first_filled_interval(token=token)
    if other is not None:
        return f"No {label} candle is kept for this token; {CandleInterval(other).label} has some."
    if desk.latest_trades(token=token, limit=1):
        return "It has trades; its candles are computed a few seconds after they are stored."
    return "This token has not traded yet. Candles appear with its first trade."
