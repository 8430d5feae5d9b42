"""The overview: each tile answers a question and leads to the list behind the answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import Truncator

from megatron.core import display
from megatron.core.clock import utc_now
from scoring.selectors import desk as scored
from tokens.choices import AlertSeverity, Program
from tokens.models import StreamCursor
from tokens.selectors import alerts, desk, feeds, indexing

WINDOW = timedelta(hours=1)
STALE_PRICE = timedelta(seconds=120)
"""Older prices value no trade (decision T8)."""
SLOW_FEED = timedelta(minutes=1)
SLOW_CANDLES = timedelta(minutes=1)
OLD_GAP = timedelta(minutes=5)
UNSETTLED = timedelta(minutes=2)
"""A venue that is compared with the chain each few seconds is not when it lags so far."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One question, its answer, and where to look further; ``tone`` is good, warn, bad or empty."""

    question: str
    answer: str
    detail: str
    tone: str
    link: str


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return ``context`` with what the overview shows, all read now."""
    now = utc_now()
    newest_at = desk.latest_trade_at()
    # Old data (a replay of a capture) still has a last hour worth looking at; the page says that it is not today's.
    until = now if newest_at is None or now - newest_at < WINDOW else newest_at + timedelta(seconds=1)
    since = until - WINDOW
    cursors = desk.cursors()
    return {
        **context,
        "title": "Overview",
        "now": now,
        "attention": [
            _alerts(),
            _rejections(),
            _candles(now),
            _price(now),
            _feeds(now, cursors),
            _missing(now),
            _forks(now),
        ],
        "stock": list(_stock()),
        "feeds": [{"row": feed, "delay": feed.observed_at - feed.last_block_time} for feed in cursors],
        "newest_at": newest_at,
        "until": until,
        "is_old": until != now,
        "flow": _flow(since, until) if newest_at else None,
        "hot": desk.hot_tokens(since=since, until=until) if newest_at else [],
        "best": scored.best(now=until) if newest_at else [],
        "selloffs": scored.selloffs_now(now=until),
        "newest": desk.newest_tokens(),
        "graduations": desk.latest_graduations(),
    }


def _alerts() -> Tile:
    calling = alerts.calling()
    link = reverse("admin:tokens_operatoralert_changelist")
    if not calling:
        return Tile("Is anything wrong?", "Nothing new", "No alert waits to be acknowledged", "good", link)
    gravest = calling[0]
    count = f"{len(calling)} alert{'' if len(calling) == 1 else 's'}"
    tone = "bad" if gravest.severity == AlertSeverity.CRITICAL else "warn"
    return Tile("Is anything wrong?", count, Truncator(gravest.message).chars(80), tone, link)


def _rejections() -> Tile:
    waiting = desk.waiting_rejections()
    link = f"{reverse('admin:tokens_rejectedmessage_changelist')}?status__exact=waiting"
    if not waiting:
        noise = sum(indexing.noise_by_reason().values())
        told = f"Everything else was stored; {noise:,} noise" if noise else "Everything that came was stored"
        return Tile("Was a message rejected?", "None waits", told, "good", link)
    reasons = ", ".join(f"{row.count:,} {row.reason.value.replace('_', ' ')}" for row in waiting[:3])
    return Tile("Was a message rejected?", f"{sum(row.count for row in waiting):,} wait", reasons, "warn", link)


def _candles(now: datetime) -> Tile:
    due = desk.due_candles()
    link = reverse("admin:tokens_candledue_changelist")
    if due.oldest_at is None:
        return Tile("Are candles up to date?", "Yes", "No candle waits to be computed", "good", link)
    more = "+" if due.count == desk.COUNT_LIMIT else ""
    late = now - due.oldest_at > SLOW_CANDLES
    detail = f"Oldest asked for {display.age(due.oldest_at, now=now)}"
    return Tile("Are candles up to date?", f"{due.count:,}{more} due", detail, "warn" if late else "", link)


def _price(now: datetime) -> Tile:
    newest = desk.latest_sol_usd()
    link = reverse("admin:tokens_solusdprice_changelist")
    if newest is None:
        return Tile("What is SOL worth?", "Unknown", "Without a price no trade gets a USD value", "bad", link)
    fresh = now - newest.price_time <= STALE_PRICE
    said = f"{newest.get_source_display()}, {display.age(newest.price_time, now=now)}"
    detail = said if fresh else f"{said}: too old for USD values"
    return Tile("What is SOL worth?", f"${newest.price_usd:,.2f}", detail, "good" if fresh else "warn", link)


def _feeds(now: datetime, cursors: Sequence[StreamCursor]) -> Tile:
    question, link = "Are the feeds alive?", reverse("admin:tokens_streamcursor_changelist")
    if not cursors:
        return Tile(question, "No feed yet", "Start a monitor or replay a capture", "warn", link)
    live = [cursor for cursor in cursors if cursor.verified_slot is not None]
    newest = max(cursor.last_block_time for cursor in live or cursors)
    behind = now - newest
    away = [f"{source} of {Program(venue).label}" for venue, source in feeds.running()]
    if away:
        return Tile(question, f"{len(away)} away", Truncator(", ".join(away)).chars(140), "bad", link)
    detail = f"Newest block read is {display.age(newest, now=now)}"
    answer = "Live" if behind <= SLOW_FEED else f"{display.span(behind)} behind"
    return Tile(question, answer, detail, "good" if behind <= SLOW_FEED else "warn", link)


def _missing(now: datetime) -> Tile:
    question = "Is any trade missing?"
    link = f"{reverse('admin:tokens_slotgap_changelist')}?open=yes"
    if old := feeds.open_gaps_by_venue(found_before=now - OLD_GAP):
        told = ", ".join(f"{count} of {Program(venue).label}" for venue, count in old.items())
        return Tile(question, f"{sum(old.values())} open", f"Gaps that do not heal: {told}", "bad", link)
    compared = [watch for watch in indexing.watches(now=now) if watch.behind is not None]
    if not compared:
        return Tile(question, "Not known", "No venue is compared with the chain", "", link)
    slowest = max(compared, key=lambda watch: watch.behind or timedelta())
    lag = slowest.behind or timedelta()
    if lag > UNSETTLED:
        return Tile(question, "Not known", f"{slowest.venue.label} was compared {display.span(lag)} ago", "warn", link)
    return Tile(question, "None known", f"Compared with the chain up to {display.span(lag)} ago", "good", link)


def _forks(now: datetime) -> Tile:
    link = reverse("admin:tokens_chainreorg_changelist")
    rows = feeds.reorgs(since=now - timedelta(days=1)).values_list("trades_removed", flat=True)
    removed = list(rows[: desk.COUNT_LIMIT])
    if not removed:
        return Tile("Did the chain fork?", "No", "No fork that we had believed in a day", "good", link)
    answer = f"{len(removed):,} time{'' if len(removed) == 1 else 's'}"
    return Tile("Did the chain fork?", answer, f"{sum(removed):,} rows taken back in a day", "", link)


def _stock() -> Iterator[Tile]:
    for name, rows in desk.stock().items():
        answer = f"≈ {display.compact(rows.count)}" if rows.is_estimate else f"{rows.count:,}"
        question = f"How many {name}s are kept?"
        link = reverse(f"admin:tokens_{name}_changelist")
        yield Tile(question, answer, "estimated" if rows.is_estimate else "counted", "", link)


def _flow(since: datetime, until: datetime) -> dict[str, Any]:
    minutes = desk.trades_a_minute(since=since, until=until)
    return {
        "whole": True,
        "lines": [
            {"name": "Buys", "points": [[int(row.at.timestamp()), row.buys] for row in minutes]},
            {"name": "Sells", "points": [[int(row.at.timestamp()), row.sells] for row in minutes]},
        ],
    }
