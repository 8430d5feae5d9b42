"""Feeds: how far each was read, and how late."""

from django.contrib import admin
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.display import compact, span
from tokens.admin import cells
from tokens.models import StreamCursor


@admin.register(StreamCursor)
class CursorAdmin(FactAdmin):
    list_display = (
        "source",
        "venue_cell",
        "newest_block",
        "read",
        "delay",
        "last_slot",
        "message_count",
        "event_count",
        "signature_cell",
    )
    list_filter = ("venue",)
    search_fields = ("=source", "=venue")
    search_help_text = "Exact source or venue"
    ordering = ("-observed_at",)

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
        return span(cursor.observed_at - cursor.last_block_time)

    @display(description="Messages", ordering="messages")
    def message_count(self, cursor: StreamCursor) -> str:
        return compact(cursor.messages)

    @display(description="Events", ordering="events")
    def event_count(self, cursor: StreamCursor) -> str:
        return compact(cursor.events)

    @display(description="Newest signature")
    def signature_cell(self, cursor: StreamCursor) -> str:
        return cells.key(cursor.last_signature)
