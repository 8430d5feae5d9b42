"""Cells that several lists share."""

from datetime import datetime

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from megatron.core import display
from megatron.core.clock import utc_now
from megatron.core.templatetags.console import ago, copyable
from tokens.models import Pool, Token

STATUS_TONES = {"active": "success", "complete": "warning", "migrated": "info"}
TYPE_TONES = {"buy": "success", "sell": "danger", "add_liquidity": "info", "remove_liquidity": "warning"}


def age(at: datetime | None) -> SafeString | str:
    """Return how long ago ``at`` was, with the exact time as its title."""
    return ago(at, utc_now())


def key(value: str | None) -> SafeString | str:
    """Return a shortened address or signature that a click copies whole."""
    return copyable(value)


def token_link(token: Token) -> SafeString:
    """Return the token's symbol, or its mint in short, leading to its page."""
    address = reverse("admin:tokens_token_change", args=[token.pk])
    return format_html(
        '<a href="{}" class="text-primary-600 dark:text-primary-500" title="{}">{}</a>',
        address,
        token.name or token.mint_address,
        token.short_name,
    )


def percent(value: object) -> str:
    """Return a percentage with one decimal."""
    return "—" if value is None else f"{value:.1f} %"


def market_cap(pool: Pool | None) -> str:
    """Return the FDV of the pool that prices a token, in USD where known, else in SOL."""
    if pool is None:
        return "—"
    return (
        display.amount(pool.market_cap_usd, "USD")
        if pool.market_cap_usd is not None
        else display.amount(pool.market_cap, "SOL")
    )


def short(value: str | None) -> str:
    """Return a shortened key, for a cell that is a link itself."""
    return display.short_key(value)
