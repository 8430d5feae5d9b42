"""What the console's templates need to show numbers, times and keys.

A template hands an empty string where a step of a dotted name is missing (``pool.latest_price`` without a pool), so
each of these takes empty for unknown.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from megatron.core import booleans, display

register = template.Library()

Missing = Literal[""] | None


@register.filter
def price(value: Decimal | Missing) -> str:
    """Return a price with four significant digits."""
    return display.price(None if value == "" else value)


@register.filter
def compact(value: Decimal | int | Missing) -> str:
    """Return a number short: ``35.2M``."""
    return display.compact(None if value == "" else value)


@register.filter
def amount(value: Decimal | int | Missing, unit: str) -> str:
    """Return a number short, with its unit."""
    return display.amount(None if value == "" else value, unit)


@register.filter
def short_key(key: str) -> str:
    """Return the first and last four characters of an address."""
    return display.short_key(key)


@register.filter
def span(value: timedelta) -> str:
    """Return a length of time in its largest unit."""
    return display.span(value)


@register.filter
def lag(value: timedelta | None) -> str:
    """Return how far something is behind; what lies ahead of now is said to come from a wrong clock."""
    return display.lag(value)


@register.simple_tag
def copyable(key: str | None) -> SafeString | str:
    """Return a shortened key that a click copies whole."""
    if not key:
        return "—"
    return format_html(
        '<button type="button" class="mg-key" data-copy="{}" title="Copy {}">{}</button>',
        key,
        key,
        display.short_key(key),
    )


@register.simple_tag
def danger(value: bool | None) -> SafeString:
    """Return whether a danger was detected: yes is bad, no is good, and unknown is neither."""
    return booleans.pill(value, booleans.DANGER)


@register.simple_tag
def ago(at: datetime | Missing, now: datetime) -> SafeString | str:
    """Return the age of ``at``, with the exact time as its title."""
    if not at:
        return "—"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        f"{at:%Y-%m-%d %H:%M:%S} UTC",
        display.age(at, now=now),
    )
