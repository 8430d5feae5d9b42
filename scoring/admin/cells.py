"""Cells that several lists of this room share."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from megatron.core.display import short_key
from megatron.core.templatetags.console import copyable
from scoring.domain.points import text


def token_link(key: UUID, symbol: str | None, mint: str) -> SafeString:
    """Return a token's symbol, or its mint in short, leading to its page."""
    address = reverse("admin:tokens_token_change", args=[key])
    return format_html(
        '<a href="{}" class="text-primary-600 dark:text-primary-500" title="{}">{}</a>',
        address,
        mint,
        symbol or short_key(mint),
    )


def of_mint(row: Model) -> SafeString | str:
    """Return the token of a row of ``desk.with_token``; its mint when the token is not known."""
    found: Any = row
    if found.token_pk is None:
        return copyable(found.token_mint)
    return token_link(found.token_pk, found.symbol, found.token_mint)


def points(value: Decimal | None) -> str:
    """Return points with at most two decimals; a dash for unknown."""
    return "—" if value is None else str(text(value.quantize(Decimal("0.01"))))


def unbroken(text: str) -> str:
    """Return ``text`` with spaces at which a narrow column does not break."""
    return text.replace(" ", "\u00a0")
