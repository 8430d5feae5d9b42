"""Scores that pages show, as rows; name only what the test is about."""

from typing import Any

from scoring.models import LatestTokenScore, TokenScore
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
        "inputs": {},
        "score_details": {},
    }
    return TokenScore.objects.create(token=token, **{**defaults, **fields})


def newest_score(token: Token, **fields: Any) -> TokenScore:
    """Create a score that lists find as the token's newest."""
    score = token_score(token, **fields)
    score.refresh_from_db()
    names = ("calculated_at", "technical_score", "holder_score", "social_score", "total_adjusted", "total_ratio")
    LatestTokenScore.objects.create(token=token, score=score, **{name: getattr(score, name) for name in names})
    return score
