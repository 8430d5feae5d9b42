"""``token:score``: the seed's shape, written through after the commit, and nothing lost without Redis."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from scoring.services import cache, totals
from tests import factories
from tests.factories import NOON
from tests.scoring import parts
from tokens.models import Token

pytestmark = pytest.mark.django_db(transaction=True)


def scored(token: Token, minutes: int = 0) -> None:
    """Refresh the total of ``token``, in a transaction of its own."""
    with transaction.atomic():
        totals.refresh(mints=[token.mint_address], now=parts.later(minutes))


def test_a_score_is_kept_in_the_seeds_shape(redis: Any) -> None:
    """Parts and total as numbers, the time as ISO-8601 in UTC, for 300 seconds; what is unknown is null."""
    token = factories.token()
    parts.holder(token)
    scored(token)
    (score,) = cache.newest(ids=[token.pk], now=NOON).values()
    kept = json.loads(redis.get(f"token:score:{token.pk}"))
    assert {name: kept[name] for name in ("technical_score", "holder_score", "social_score", "ml_probability")} == {
        "technical_score": None,
        "holder_score": 274.75,
        "social_score": None,
        "ml_probability": None,
    }
    assert (kept["total_score"], kept["last_updated"], kept["available_max"]) == (275, "2026-07-03T12:00:00Z", 333)
    assert 295 < redis.ttl(f"token:score:{token.pk}") <= 300
    assert cache.newest(ids=[token.pk], now=NOON) == {token.pk: score}


def test_who_looked_sees_the_next_score_at_once(redis: Any) -> None:
    """The score is replaced after its commit, not when the old one expires; one that nobody looked at is not written."""
    token, other = factories.token(), factories.token()
    for one in (token, other):
        parts.holder(one)
        scored(one)
    assert cache.newest(ids=[token.pk], now=NOON)[token.pk].holder == Decimal("274.75")
    parts.technical(token, at=parts.later(1))
    with transaction.atomic():
        totals.refresh(mints=[token.mint_address], now=parts.later(1))
        assert json.loads(redis.get(f"token:score:{token.pk}"))["technical_score"] is None
    assert json.loads(redis.get(f"token:score:{token.pk}"))["technical_score"] == 333
    assert redis.get(f"token:score:{other.pk}") is None


def test_without_redis_the_database_answers() -> None:
    """A flushed or absent cache costs a query; a token without a score has none."""
    token, unscored = factories.token(), factories.token()
    parts.holder(token)
    scored(token)
    found = cache.newest(ids=[token.pk, unscored.pk], now=NOON)
    assert {key: score.total_score for key, score in found.items()} == {token.pk: 275}
