"""What changed between two scores of a token, in words."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from scoring.domain.points import text

LINES = {
    "total_adjusted": "The total",
    "technical_score": "Technical",
    "market_cap_score": "Market cap",
    "bonding_curve_score": "Bonding curve",
    "trading_health_score": "Trading health",
    "selloff_response_score": "Sell-off response",
    "holder_score": "Holders",
    "distribution_score": "Distribution",
    "quality_score": "Quality",
    "activity_score": "Activity",
    "social_score": "Social",
    "twitter_score": "X",
    "community_score": "Community",
    "virality_score": "Virality",
}
"""Columns of points and what people call them, in the order in which they are told."""

COLUMNS = (
    *LINES,
    "available_max",
    "score_multiplier",
    "red_flags",
    "is_disqualified",
    "completeness",
    "policy_version",
)
"""What of two rows is compared."""


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Sequence[str]:
    """Return a sentence for each line in which ``new`` differs from ``old``; both have the :data:`COLUMNS` of a row of
    token_scores."""
    told = [_moved(name, old[column], new[column]) for column, name in LINES.items() if old[column] != new[column]]
    if old["available_max"] != new["available_max"]:
        told.append(f"Of {new['available_max']} points instead of {old['available_max']}.")
    if old["score_multiplier"] != new["score_multiplier"]:
        told.append(f"The multiplier went from {text(old['score_multiplier'])} to {text(new['score_multiplier'])}.")
    before, after = set(old["red_flags"]), set(new["red_flags"])
    told += [f"Red flag raised: {_words(name)}." for name in sorted(after - before)]
    told += [f"Red flag gone: {_words(name)}." for name in sorted(before - after)]
    if old["is_disqualified"] != new["is_disqualified"]:
        told.append("A hard red flag makes the total 0." if new["is_disqualified"] else "No hard red flag any more.")
    if old["completeness"] != new["completeness"]:
        told.append(f"{_percent(new['completeness'])} of the data was there, before {_percent(old['completeness'])}.")
    if old["policy_version"] != new["policy_version"]:
        told.append(f"Policy version {new['policy_version']} counts instead of {old['policy_version']}.")
    return told


def _moved(name: str, old: Decimal | int | None, new: Decimal | int | None) -> str:
    if new is None:
        return f"{name} is not known any more; it was {text(old)}."
    if old is None:
        return f"{name} is known now: {text(new)}."
    by = Decimal(new) - Decimal(old)
    return f"{name} went from {text(old)} to {text(new)} ({'+' if by > 0 else '−'}{text(abs(by))})."


def _words(name: str) -> str:
    return name.replace("_", " ")


def _percent(value: Decimal) -> str:
    return f"{value:.1f} %"
