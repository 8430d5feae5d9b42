"""Scores that pages show, as rows; name only what the test is about."""

from decimal import Decimal
from typing import Any

from megatron.core import ids
from scoring.domain import total
from scoring.domain.total import Inputs, PartPoints
from scoring.domain.verdicts import Facts
from scoring.models import LatestTokenScore, RiskMetric, SelloffEvent, TokenScore
from tests.factories import NOON
from tokens.models import Token


def token_score(token: Token, **fields: Any) -> TokenScore:
    """Create a score at :data:`NOON` of which the technical part is known."""
    defaults = {
        "calculated_at": NOON,
        "technical_score": 200,
        "available_max": 333,
        "completeness": "33.3333",
        "policy_version": 1,
        "score_details": {},
    }
    values = {**defaults, **fields}
    known = {name: Decimal(values[f"{name}_score"]) for name in total.PARTS if values.get(f"{name}_score") is not None}
    inputs = Inputs(facts=fields.pop("facts", Facts()), **{name: PartPoints(points) for name, points in known.items()})
    defaults["inputs"] = {**inputs.as_json(), "sources": {}}
    return TokenScore.objects.create(token=token, **{**defaults, **fields})


def newest_score(token: Token, **fields: Any) -> TokenScore:
    """Create a score that lists find as the token's newest."""
    score = token_score(token, **fields)
    score.refresh_from_db()
    names = ("calculated_at", "technical_score", "holder_score", "social_score", "total_adjusted", "total_ratio")
    LatestTokenScore.objects.create(token=token, score=score, **{name: getattr(score, name) for name in names})
    return score


def risk(token: Token, **fields: Any) -> RiskMetric:
    """Create a high risk at :data:`NOON`: one sign that was seen, one that was not, one that nobody knows."""
    signs = {
        "bot_swarm_detected": (True, "61 % of the wallets are bots"),
        "creator_dumping": (False, "the creator sold nothing in the last hour"),
        "insider_selling": (None, "no insider is known"),
    }
    at = fields.pop("timestamp", NOON)
    defaults = {
        "id": ids.event_id(at, token.mint_address),
        "concentration_risk": 71,
        "bot_activity_score": 61,
        "risk_completeness": 80,
        "overall_risk_weighted": 63,
        "risk_level": "high",
        "alerts": [],
        "red_flags": [{"level": "red", "code": "top_1_pct_above", "words": "One wallet holds 16 %, more than 15 %"}],
        "yellow_flags": [],
        "evidence": {name: {"seen": seen, "words": words} for name, (seen, words) in signs.items()},
        "policy_version": 1,
        "breakdown": [],
        "inputs": {},
        **{name: seen for name, (seen, _) in signs.items()},
    }
    return RiskMetric.objects.create(token_mint=token.mint_address, timestamp=at, **{**defaults, **fields})


def selloff(token: Token, **fields: Any) -> SelloffEvent:
    """Create a sell-off by a third that is open since :data:`NOON`."""
    defaults = {"detection_time": NOON, "initial_price": "0.00000003", "lowest_price": "0.00000002"}
    return SelloffEvent.objects.create(token_mint=token.mint_address, **{**defaults, **fields})
