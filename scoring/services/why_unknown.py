"""Why there is no score, or no part of one, in words that say what to look at."""

from datetime import datetime

from holders.selectors import measures
from scoring.domain import holder
from scoring.models import SocialScore, TechnicalScore
from scoring.services import policies
from tokens.models import Token


def total(*, token: Token, at: datetime) -> str:
    """Return why ``token`` had no total at ``at``."""
    reasons = " ".join(f"{name.capitalize()}: {part(name, token=token, at=at)}" for name in _WHY)
    return f"It had no score at {at:%Y-%m-%d %H:%M:%S} UTC. {reasons}"


def part(name: str, *, token: Token, at: datetime) -> str:
    """Return why the part ``name`` of ``token`` was not known at ``at``; one sentence."""
    return _WHY[name](token, at)


def _technical(token: Token, at: datetime) -> str:
    mint = token.mint_address
    if TechnicalScore.objects.filter(token_mint=mint, timestamp__lte=at).exists():
        return "Nothing of its market was known when it was measured."
    return "Its market was not measured: it is measured when it trades."


def _holder(token: Token, at: datetime) -> str:
    measured = measures.of(token_mint=token.mint_address, at=at)
    if measured is None:
        return "Its holders were not measured."
    graduated = token.is_graduated and (token.graduation_timestamp is None or token.graduation_timestamp <= at)
    why = holder.why_not_active(
        progress_quote_pct=measured.progress_quote_pct,
        total_holders=measured.total_holders,
        is_graduated=graduated,
        terms=policies.active().holder,
        is_measured=not measured.why_not_measured,
    )
    return f"{why or measured.why_not_measured or 'Its measured holders wait to be scored'}."


def _social(token: Token, at: datetime) -> str:
    if SocialScore.objects.filter(token=token, calculated_at__lte=at).exists():
        return "Every source that was asked says nothing of it."
    return "No source has told how it is followed."


_WHY = {"technical": _technical, "holder": _holder, "social": _social}
