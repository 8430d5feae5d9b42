"""Rows of tokens' followings for tests: plain functions with defaults; name only what the test is about."""

from decimal import Decimal
from typing import Any

from megatron.core import ids
from scoring.choices import SocialOrigin
from scoring.models import SocialMetric, SocialPoll, SocialScore
from tests import factories
from tests.factories import NOON
from tokens.models import Token


def metric(of: Token | None = None, **fields: Any) -> SocialMetric:
    """Create what Telegram said of ``of`` (or of a new token) at :data:`NOON`: 99 members."""
    of = of or factories.token()
    defaults = {"timestamp": NOON, "source": SocialOrigin.TELEGRAM, "telegram_members": 99}
    return SocialMetric.objects.create(id=ids.new_id(), token=of, **{**defaults, **fields})


def score(of: Token | None = None, **fields: Any) -> SocialScore:
    """Create the social points of ``of`` (or of a new token) at :data:`NOON`: a community of 99 members, followed there."""
    of = of or factories.token()
    members = {
        "name": "members",
        "points": "26.67",
        "most": "40",
        "reason": "99 members on Telegram and Discord; 40 points from 1000",
        "inputs": {"members": "99"},
    }
    defaults = {
        "calculated_at": NOON,
        "community_score": Decimal("26.67"),
        "virality_score": Decimal("10.33"),
        "available_max": Decimal(71),
        "breakdown": [{"name": "community", "points": "26.67", "most": "111", "components": [members]}],
        "inputs": {"telegram_members": "99"},
        "policy_version": 1,
    }
    row = SocialScore.objects.create(id=ids.new_id(), token=of, **{**defaults, **fields})
    row.refresh_from_db()
    return row


def poll(of: Token | None = None, **fields: Any) -> SocialPoll:
    """Create the turn of ``of`` (or of a new token) at Telegram, due at :data:`NOON` after one failure."""
    of = of or factories.token()
    defaults = {
        "source": SocialOrigin.TELEGRAM,
        "due_at": NOON,
        "asked_at": NOON,
        "failures": 1,
        "error": "Refused: telegram: the page shows no group and no channel",
    }
    return SocialPoll.objects.create(token=of, **{**defaults, **fields})
