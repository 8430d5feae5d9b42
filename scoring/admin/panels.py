"""What a token scored, and what speaks against it, on the token's page."""

from datetime import datetime, timedelta
from typing import Any

from megatron.core.admin.panels import Bar, Panel
from scoring.admin import lines, words
from scoring.domain.points import text
from scoring.models import RiskMetric, TokenScore
from scoring.selectors import scores, standing
from scoring.services import explain

CHANGES = 3
"""Scores of which the page says what changed."""
SINCE = timedelta(hours=1)
"""And it says what changed since then: a score moves every few seconds while a token trades."""

_RISKS = (
    ("Concentration", "concentration_risk"),
    ("Bots", "bot_activity_score"),
    ("Rug", "rug_risk_score"),
    ("Wash trading", "wash_trading_score"),
    ("Few holders", "liquidity_risk"),
    ("Sellers", "volatility_risk"),
    ("Pump and dump", "pump_dump_risk"),
    ("Liquidity taken", "liquidity_removal_risk"),
)


def score(*, token: Any, now: datetime) -> Panel:
    """Return the panel of a token's points: the dial, their course, every line, multipliers, red flags, what changed."""
    latest, before = standing.newest(token=token, limit=CHANGES + 1, and_before=now - SINCE)
    shown: dict[str, Any] = {"now": now, "token": token}
    if latest:
        shown |= {
            **_of_score(latest[0], token, now),
            "before": before,
            "since": next((told for _, told in scores.what_changed([latest[0], before])), ()) if before else (),
            "changes": [(row, told) for row, told in scores.what_changed(latest) if told],
        }
    return Panel("console/score_of_token.html", shown)


def _of_score(newest: TokenScore, token: Any, now: datetime) -> dict[str, Any]:
    newest.token = token
    explained = explain.of(newest, asked_at=now)
    course = standing.course(token=token, until=newest.calculated_at)
    return {
        "score": newest,
        "share": None if newest.total_ratio is None else newest.total_ratio * 100,
        "multiplier": text(newest.score_multiplier),
        "parts": words.parts(newest),
        "dial": words.of_dial(newest),
        **lines.told(explained),
        "chart": words.chart(course),
        "course": words.of_course(course),
    }


def risk(*, token: Any, now: datetime) -> Panel | None:
    """Return the panel of what speaks against a token: risks, signs with their evidence, sell-offs. Two queries."""
    found = standing.find_risk(token=token)
    selloffs = standing.selloffs(token_mint=token.mint_address)
    if found is None and not selloffs:
        return None
    shown = {"now": now, "token": token, "risk": found, "selloffs": selloffs}
    return Panel("console/risk_of_token.html", shown | ({} if found is None else _of_risk(found)))


def _of_risk(found: RiskMetric) -> dict[str, Any]:
    measured = [(label, getattr(found, name)) for label, name in _RISKS]
    return {
        "bars": [Bar(label, value, 100, "unknown" if value is None else f"{value:.0f}") for label, value in measured],
        "signs": [
            {**sign, "label": words.said(name)} for name, sign in sorted(found.evidence.items(), key=_first_seen)
        ],
        "cautions": [*found.red_flags, *found.yellow_flags, *found.alerts],
    }


def _first_seen(sign: tuple[str, dict[str, Any]]) -> tuple[int, str]:
    """Put signs that were seen first, then those that nobody knows, then those that were not seen."""
    name, told = sign
    return {True: 0, None: 1, False: 2}[told["seen"]], name
