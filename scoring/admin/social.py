"""How tokens are followed: what sources said, the points from it, and whose turn it is."""

from typing import Any

from django.contrib import admin
from django.template.defaultfilters import truncatechars
from django.utils.safestring import SafeString
from unfold.decorators import display

from megatron.core.admin import FactAdmin
from megatron.core.clock import utc_now
from megatron.core.templatetags.console import ago
from scoring.models import SocialMetric, SocialPoll, SocialScore
from tokens.models import Token


class _OfToken(FactAdmin):
    """A list whose rows belong to a token."""

    list_select_related = ("token",)
    search_fields = ("=token__mint_address",)
    search_help_text = "Exact mint"

    @display(description="Token")
    def token_cell(self, row: Any) -> str:
        found: Token = row.token
        return found.short_name


@admin.register(SocialMetric)
class SocialMetricAdmin(_OfToken):
    list_display = (
        "asked",
        "token_cell",
        "source_cell",
        "followers",
        "mentions",
        "telegram",
        "discord",
        "grown",
        "boosts",
    )
    list_filter = ("source",)
    ordering = ("-id", "-timestamp")

    @display(description="Asked", ordering="id")
    def asked(self, row: SocialMetric) -> SafeString | str:
        return ago(row.timestamp, utc_now())

    @display(description="Source", label=True)
    def source_cell(self, row: SocialMetric) -> str:
        return row.get_source_display()

    @display(description="Followers on X")
    def followers(self, row: SocialMetric) -> str:
        return _count(row.twitter_followers)

    @display(description="Mentions 1 h / 24 h")
    def mentions(self, row: SocialMetric) -> str:
        return _pair(row.twitter_mentions_1h, row.twitter_mentions_24h)

    @display(description="Telegram, online")
    def telegram(self, row: SocialMetric) -> str:
        return _pair(row.telegram_members, row.telegram_active_users)

    @display(description="Discord, online")
    def discord(self, row: SocialMetric) -> str:
        return _pair(row.discord_members, row.discord_active_users)

    @display(description="Grew 1 h / 24 h")
    def grown(self, row: SocialMetric) -> str:
        shown = [
            None if it is None else f"{it:+.1f} %" for it in (row.social_growth_rate_1h, row.social_growth_rate_24h)
        ]
        return "—" if shown == [None, None] else " / ".join(it or "—" for it in shown)

    @display(description="Boosts")
    def boosts(self, row: SocialMetric) -> str:
        return _count(row.boosts_active)


@admin.register(SocialScore)
class SocialScoreAdmin(_OfToken):
    list_display = ("since", "token_cell", "total", "twitter", "community", "virality", "policy_version")
    ordering = ("-id", "-calculated_at")

    @display(description="Since", ordering="id")
    def since(self, row: SocialScore) -> SafeString | str:
        return ago(row.calculated_at, utc_now())

    @display(description="Points of what was to be had")
    def total(self, row: SocialScore) -> str:
        return f"{_points(row.total_score)} of {row.available_max:.0f}"

    @display(description="X, of 111")
    def twitter(self, row: SocialScore) -> str:
        return _points(row.twitter_score)

    @display(description="Community, of 111")
    def community(self, row: SocialScore) -> str:
        return _points(row.community_score)

    @display(description="Virality, of 111")
    def virality(self, row: SocialScore) -> str:
        return _points(row.virality_score)


@admin.register(SocialPoll)
class SocialPollAdmin(_OfToken):
    list_display = ("token_cell", "source_cell", "due", "asked", "answered", "failures", "error_cell")
    list_filter = ("source",)
    ordering = ("-answered_at", "-id")

    @display(description="Source", label=True)
    def source_cell(self, row: SocialPoll) -> str:
        return row.get_source_display()

    @display(description="Not before")
    def due(self, row: SocialPoll) -> SafeString | str:
        return ago(row.due_at, utc_now())

    @display(description="Asked")
    def asked(self, row: SocialPoll) -> SafeString | str:
        return ago(row.asked_at, utc_now())

    @display(description="Answered", ordering="answered_at")
    def answered(self, row: SocialPoll) -> SafeString | str:
        return ago(row.answered_at, utc_now())

    @display(description="Why it failed")
    def error_cell(self, row: SocialPoll) -> str:
        return truncatechars(row.error, 80) or "—"


def _count(figure: int | None) -> str:
    return "—" if figure is None else f"{figure:,}"


def _pair(first: int | None, second: int | None) -> str:
    return "—" if first is None and second is None else f"{_count(first)} / {_count(second)}"


def _points(points: Any) -> str:
    return "—" if points is None else f"{points:.2f}"
