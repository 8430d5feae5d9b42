"""The overview: each tile answers a question and leads to the list behind the answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import Truncator

from megatron.core import display, health, skew
from megatron.core.clock import utc_now
from scoring.selectors import desk as scored
from tokens.choices import AlertSeverity, Program, RejectionStatus
from tokens.models import StreamCursor
from tokens.selectors import alerts, desk, feeds, indexing, prices
from tokens.selectors.feeds import Liveness
from tokens.selectors.indexing import Watch

WINDOW = timedelta(hours=1)
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
    cursors, watches, workers = desk.cursors(), indexing.watches(now=now), health.check_workers(now=now)
    return {
        **context,
        "title": "Overview",
        "now": now,
        "attention": [
            _alerts(workers),
            _rejections(cursors),
            _candles(now, newest_at),
            _price(now),
            _feeds(now, cursors, watches),
            _workers(workers),
            _missing(now, watches),
            _forks(now, watches),
        ],
        "stock": list(_stock()),
        "feeds": [{"row": feed, "delay": display.lag(feed.observed_at - feed.last_block_time)} for feed in cursors],
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


def _alerts(workers: health.Check) -> Tile:
    calling = alerts.calling()
    question, link = "Is anything wrong?", reverse("admin:tokens_operatoralert_changelist")
    if calling:
        gravest = calling[0]
        count = f"{len(calling)} alert{'' if len(calling) == 1 else 's'}"
        tone = "bad" if gravest.severity == AlertSeverity.CRITICAL else "warn"
        return Tile(question, count, Truncator(gravest.message).chars(80), tone, link)
    if known := alerts.count_open():
        return Tile(question, "Nothing new", f"{known} open, which somebody acknowledged", "warn", link)
    if workers.status != "ok":
        return Tile(question, "Not known", "No alert is open, but not every worker that raises them lives", "", link)
    return Tile(question, "Nothing new", "No alert is open", "good", link)


def _rejections(cursors: Sequence[StreamCursor]) -> Tile:
    waiting = desk.waiting_rejections()
    question = "Was a message rejected?"
    link = f"{reverse('admin:tokens_rejectedmessage_changelist')}?status__exact=waiting"
    if waiting:
        reasons = ", ".join(f"{row.count:,} {row.reason.value.replace('_', ' ')}" for row in waiting[:3])
        return Tile(question, f"{sum(row.count for row in waiting):,} wait", reasons, "warn", link)
    if not cursors:
        return Tile(question, "None waits", "Nothing came yet", "", link)
    aside = desk.rejections_set_aside()
    named = ((RejectionStatus.NOISE, "noise"), (RejectionStatus.DISCARDED, "discarded"))
    told = ", ".join(f"{aside[status]:,} {name}" for status, name in named if status in aside)
    detail = f"Everything else was stored; {told}" if told else "Everything that came was stored"
    return Tile(question, "None waits", detail, "good", link)


def _candles(now: datetime, newest_at: datetime | None) -> Tile:
    due = desk.due_candles()
    question, link = "Are candles up to date?", reverse("admin:tokens_candledue_changelist")
    if due.oldest_at is not None:
        more = "+" if due.count == desk.COUNT_LIMIT else ""
        late = now - due.oldest_at > SLOW_CANDLES
        detail = f"Oldest asked for {display.age(due.oldest_at, now=now)}"
        return Tile(question, f"{due.count:,}{more} due", detail, "warn" if late else "", link)
    if newest_at is None:
        return Tile(question, "No trade yet", "There is nothing to draw", "", link)
    return Tile(question, "Yes", "No candle waits to be computed", "good", link)


def _price(now: datetime) -> Tile:
    newest = desk.latest_sol_usd(now=now)
    question, link = "What is SOL worth?", reverse("admin:tokens_solusdprice_changelist")
    if newest is None:
        return Tile(question, "Unknown", "Without a price no trade gets a USD value", "bad", link)
    said = f"{newest.get_source_display()}, {display.age(newest.price_time, now=now)}"
    price = f"${newest.price_usd:,.2f}"
    if not prices.holds(newest.price_time, now=now):
        return Tile(question, "Unknown", f"Last known {price} ({said}): too old for USD values", "bad", link)
    return Tile(question, price, said, "good", link)


def _workers(found: health.Check) -> Tile:
    question, link = "Do the workers live?", reverse("admin:django_celery_beat_periodictask_changelist")
    if found.status == "ok":
        return Tile(question, "Yes", found.detail, "good", link)
    return Tile(question, "Not all", Truncator(found.detail).chars(140), "bad", link)


_WORST_FIRST = (Liveness.CLOCK_WRONG, Liveness.AWAY, Liveness.SILENT, Liveness.BEHIND)


def _feeds(now: datetime, cursors: Sequence[StreamCursor], watches: Sequence[Watch]) -> Tile:
    question, link = "Are the feeds alive?", reverse("admin:tokens_streamcursor_changelist")
    if not cursors:
        return Tile(question, "No feed yet", "Start a monitor or replay a capture", "warn", link)
    standings = feeds.standings(lags=indexing.lags(now=now), watches=watches)
    watched = [one for one in standings if one.liveness != Liveness.NOT_WATCHED]
    if not watched:
        newest = max(cursor.last_block_time for cursor in cursors)
        detail = f"No live feed, only captures: their newest block is {display.age(newest, now=now)}"
        return Tile(question, "Not watched", detail, "warn", link)
    away = [f"{source} of {Program(venue).label}" for venue, source in feeds.running()]
    worst = next((one for kind in _WORST_FIRST for one in watched if one.liveness == kind), None)
    if away and (worst is None or worst.liveness != Liveness.CLOCK_WRONG):
        return Tile(question, f"{len(away)} away", Truncator(", ".join(away)).chars(140), "bad", link)
    if worst is not None:
        return _not_alive(question, worst, link)
    told = ", ".join(f"{one.venue.label}: {one.liveness.label.lower()}" for one in standings)
    if len(watched) < len(standings):
        return Tile(question, f"{len(watched)} of {len(standings)} live", told, "", link)
    return Tile(question, "Live", told, "good", link)


def _not_alive(question: str, worst: feeds.Standing, link: str) -> Tile:
    behind, venue = worst.behind or timedelta(), worst.venue.label
    if worst.liveness == Liveness.CLOCK_WRONG:
        return Tile(question, "Clock is wrong", f"The newest event of {venue} is {display.lag(behind)}", "bad", link)
    if worst.liveness == Liveness.SILENT:
        return Tile(question, "Silent", f"{venue} brought nothing for {display.lag(worst.silent)}", "bad", link)
    return Tile(question, f"{display.span(behind)} behind", f"The newest event of {venue} is that old", "warn", link)


def _missing(now: datetime, watches: Sequence[Watch]) -> Tile:
    question = "Is any trade missing?"
    link = f"{reverse('admin:tokens_slotgap_changelist')}?open=yes"
    if old := feeds.open_gaps_by_venue(found_before=now - OLD_GAP):
        by_label = {Program(venue).label: count for venue, count in old.items()}
        return _open_gaps(question, "Gaps that do not heal", by_label, "bad", link)
    watched = [watch for watch in watches if watch.watched]
    if not watched:
        return Tile(question, "Not known", "No venue is compared with the chain", "", link)
    for watch in watched:
        if watch.quarantined or watch.is_stalled:
            since = f"was not compared with the chain for {display.span(watch.unmoved or timedelta())}"
            said = "is quarantined and not compared" if watch.quarantined else since
            return Tile(question, "Not known", f"{watch.venue.label} {said}", "bad", link)
    slowest = max(watched, key=lambda watch: watch.uncompared or timedelta())
    lag = slowest.uncompared or timedelta()
    if skew.is_clock_wrong(min(watch.uncompared or timedelta() for watch in watched)):
        return Tile(question, "Not known", "The chain's time lies ahead of ours: a clock is wrong", "bad", link)
    if lag > UNSETTLED:
        return Tile(question, "Not known", f"{slowest.venue.label} was compared {display.span(lag)} ago", "warn", link)
    if young := {watch.venue.label: watch.open_gaps for watch in watches if watch.open_gaps}:
        return _open_gaps(question, "Found lately or not over yet", young, "warn", link)
    detail = f"Compared with the chain up to {display.lag(lag)} ago"
    if unwatched := [watch.venue.label for watch in watches if not watch.watched]:
        return Tile(question, "None known", f"{detail}; not watched: {', '.join(unwatched)}", "", link)
    return Tile(question, "None known", detail, "good", link)


def _open_gaps(question: str, what: str, by_label: Mapping[str, int], tone: str, link: str) -> Tile:
    told = ", ".join(f"{count} of {label}" for label, count in by_label.items())
    return Tile(question, f"{sum(by_label.values())} open", f"{what}: {told}", tone, link)


def _forks(now: datetime, watches: Sequence[Watch]) -> Tile:
    question, link = "Did the chain fork?", reverse("admin:tokens_chainreorg_changelist")
    rows = feeds.reorgs(since=now - timedelta(days=1)).values_list("trades_removed", flat=True)
    removed = list(rows[: desk.COUNT_LIMIT])
    if removed:
        answer = f"{len(removed):,} time{'' if len(removed) == 1 else 's'}"
        return Tile(question, answer, f"{sum(removed):,} rows taken back in a day", "", link)
    # Forks are found by comparing: where nothing is compared, none is found.
    compared = [watch.is_stalled is False for watch in watches if watch.watched]
    if not compared or not all(compared):
        return Tile(question, "Not known", "Forks show where venues are compared with the chain", "", link)
    return Tile(question, "No", "No fork that we had believed in a day", "good", link)


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
