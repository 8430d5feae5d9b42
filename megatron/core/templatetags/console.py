"""What the console's templates need to show numbers, times and keys."""

from datetime import datetime
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from megatron.core import display

register = template.Library()
register.filter("price", display.price)
register.filter("compact", display.compact)
register.filter("span", display.span)
register.filter("short_key", display.short_key)


@register.filter
def amount(value: Decimal | int | None, unit: str) -> str:
    """Return ``value`` short, with its unit."""
    return display.amount(value, unit)


@register.simple_tag
def copyable(key: str | None) -> SafeString | str:
    """Return a shortened key that a click copies whole."""
    if not key:
        return "—"
    return format_html(
        '<button type="button" class="mg-key" data-copy="{}" title="Copy {}">{}</button>', key, key, display.short_key(key)
    )


@register.simple_tag
def ago(at: datetime | None, now: datetime) -> SafeString | str:
    """Return the age of ``at``, with the exact time as its title."""
    if at is None:
        return "—"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S} UTC", display.age(at, now=now))
