"""Who holds a token, on the token's page."""

from datetime import datetime
from typing import Any

from holders.admin import words
from holders.models import HolderSnapshot
from holders.selectors import spread
from holders.selectors.spread import Spread
from megatron.core.admin.panels import Bar, Panel

_TEMPLATE = "console/holders_of_token.html"
_TOP = (1, 5, 10, 20, 50, 100)
_SIZES = (
    ("below 100", "holders_1_100"),
    ("100 to 1K", "holders_100_1k"),
    ("1K to 10K", "holders_1k_10k"),
    ("10K to 100K", "holders_10k_100k"),
    ("100K and more", "holders_100k_plus"),
)


def of(*, token: Any, now: datetime) -> Panel:
    """Return the panel of a token's holders: distribution, classes, the largest, groups, what was left out."""
    found = spread.of(token_mint=token.mint_address)
    return Panel(_TEMPLATE, {"now": now, "token": token, **(_shown(found) if found else {})})


def _shown(found: Spread) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "largest": [
            (
                holding,
                words.tags(holding.row.flags, is_program=holding.is_program),
                words.left_out(holding.left_out_as),
            )
            for holding in found.largest
        ],
        "groups": [words.group(stored) for stored in found.clusters],
        "quality": found.quality,
    }
    return shown | (_measured(found, found.snapshot) if found.snapshot else {})


def _measured(found: Spread, snapshot: HolderSnapshot) -> dict[str, Any]:
    stored = snapshot.raw_distribution
    curve = words.curve(stored)
    shares = [(most, getattr(snapshot, f"top_{most}_percentage")) for most in _TOP]
    sizes = [(label, getattr(snapshot, name)) for label, name in _SIZES]
    return {
        "snapshot": snapshot,
        "curve": words.polyline(curve),
        "curve_words": words.of_curve(curve),
        "top": [Bar(f"Top {most}", share, 100, words.percent(share)) for most, share in shares],
        "sizes": snapshot.is_measured
        and [Bar(label, count, snapshot.total_holders, f"{count:,}") for label, count in sizes],
        "classes": snapshot.is_measured
        and words.classes(found.quality.get("classes", {}), holders=snapshot.total_holders),
        "excluded": words.excluded(stored),
    }
