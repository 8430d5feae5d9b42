"""Feeds: how far each was read, and how late."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.clock import utc_now
from megatron.core.display import compact, lag
from tokens.admin import cells
from tokens.choices import Program
from tokens.models import StreamCursor
from tokens.selectors import feeds, indexing

DAY, HOUR = timedelta(hours=24), timedelta(hours=1)


@admin.register(StreamCursor)
class CursorAdmin(FactAdmin):
    list_display = (
        "source",
        "venue_cell",
        "newest_block",
        "read",
        "delay",
        "last_slot",
        "verified",
        "message_count",
        "event_count",
        "signature_cell",
    )
    list_filter = ("venue",)
    search_fields = ("=source", "=venue")
    search_help_text = "Exact source or venue"
    ordering = ("-observed_at",)
    list_before_template = "console/streams.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {**_page(utc_now()), **(extra_context or {})})

    @display(description="Verified to", ordering="verified_slot")
    def verified(self, cursor: StreamCursor) -> str:
        return "not live" if cursor.verified_slot is None else f"{cursor.verified_slot:,}"

    @display(description="Venue", label=True)
    def venue_cell(self, cursor: StreamCursor) -> str:
        return cursor.venue

    @display(description="Newest block", ordering="last_block_time")
    def newest_block(self, cursor: StreamCursor) -> str:
        return cells.age(cursor.last_block_time)

    @display(description="Stored", ordering="observed_at")
    def read(self, cursor: StreamCursor) -> str:
        return cells.age(cursor.observed_at)

    @display(description="Delay then")
    def delay(self, cursor: StreamCursor) -> str:
        return lag(cursor.observed_at - cursor.last_block_time)

    @display(description="Messages", ordering="messages")
    def message_count(self, cursor: StreamCursor) -> str:
        return compact(cursor.messages)

    @display(description="Events", ordering="events")
    def event_count(self, cursor: StreamCursor) -> str:
        return compact(cursor.events)

    @display(description="Newest signature")
    def signature_cell(self, cursor: StreamCursor) -> str:
        return cells.key(cursor.last_signature)


def _page(now: datetime) -> dict[str, Any]:
    """Return what stands above the list of cursors: each venue with its live feeds, and the day's charts."""
    lags, watches = indexing.lags(now=now), indexing.watches(now=now)
    by_venue: dict[Program, list[feeds.Feed]] = {}
    for feed in feeds.feeds(lags=lags, now=now):
        by_venue.setdefault(feed.venue, []).append(feed)
    standings = {one.venue: one for one in feeds.standings(lags=lags, watches=watches)}
    minutes = feeds.minutes(since=now - DAY, until=now)
    return {
        "now": now,
        "synced": indexing.synced(lags),
        "venues": [
            {"watch": watch, "standing": standings[watch.venue], "feeds": by_venue.get(watch.venue, [])}
            for watch in watches
        ],
        "charts": [
            ("mg-behind", "How old is the newest event? Seconds", _line(minutes, "behind_seconds")),
            ("mg-latency", "From arrival to commit, 99 of 100. Milliseconds", _line(minutes, "latency_ms")),
            ("mg-frames", "Frames an hour by source", _frames(now)),
        ],
    }


def _line(minutes: Any, name: str) -> dict[str, Any]:
    lines = []
    for venue, rows in minutes.items():
        points = [(int(row.at.timestamp()), getattr(row, name)) for row in rows]
        known = [[at, _text(value)] for at, value in points if value is not None]
        if known:
            lines.append({"name": Program(venue).label, "points": known})
    return {"whole": False, "lines": lines}


def _frames(now: datetime) -> dict[str, Any]:
    """Return the frames of each source by hour, hours without any as zeros: a feed that fell silent is seen."""
    newest = now.replace(minute=0, second=0, microsecond=0)
    hours = [newest - number * HOUR for number in range(23, -1, -1)]
    found = feeds.frames_by_hour(since=hours[0], until=newest + HOUR)
    lines = [
        {"name": source, "points": [[int(hour.timestamp()), frames.get(hour, 0)] for hour in hours]}
        for source, frames in found.items()
    ]
    return {"whole": True, "lines": lines}


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"
