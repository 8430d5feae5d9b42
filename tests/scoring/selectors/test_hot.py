"""The hot list by scores: of the tokens that trade, the highest total first."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from megatron.core import cache as core_cache
from scoring.selectors import hot
from tests import factories
from tests.factories import NOON
from tests.scoring.shown import newest_score
from tokens.models import PriceCandle1m, Token
from tokens.services import cache

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


def trading(sol: str) -> Token:
    token = factories.token()
    factories.candle(token, bucket=NOON - 5 * MINUTE, volume_sol=Decimal(sol))
    return token


@pytest.fixture
def tokens() -> list[Token]:
    """In the order in which they are hot: two by points, a disqualified one, two without a score by volume."""
    best, next_best, disqualified = trading("0.1"), trading("5"), trading("900")
    known, quiet = trading("70"), trading("60")
    newest_score(best, technical_score=Decimal("300.5"))
    newest_score(next_best, technical_score=Decimal(290))
    newest_score(disqualified, technical_score=Decimal(333), is_disqualified=True, red_flags=["honeypot"])
    resting = factories.token()
    factories.candle(resting, bucket=NOON - 60 * MINUTE, volume_sol=Decimal(1))
    newest_score(resting, technical_score=Decimal(333))
    return [best, next_best, disqualified, known, quiet]


def test_tokens_that_trade_are_ranked_by_their_total(tokens: list[Token]) -> None:
    """Points before volume; 0 points before none at all; who did not trade in the hour is not hot."""
    totals = [301, 290, 0, None, None]
    assert list(hot.ranking(now=NOON, limit=9).items()) == list(zip([it.pk for it in tokens], totals, strict=True))
    assert list(hot.ranking(now=NOON, limit=1).values()) == [301]


@pytest.mark.usefixtures("tokens", "redis")
def test_the_sorted_set_holds_totals_and_reads_as_the_database(settings: Any) -> None:
    """Redis and the database give the same list, ties too, and the set's scores are the totals."""
    newest_score(trading("3"), technical_score=Decimal(290))
    cache.rebuild_hot(now=NOON)
    kept = cache.hot(now=NOON, limit=10)
    ranked = core_cache.read_ranking("tokens:hot", limit=10) or []
    assert [score for _, score in ranked] == [301.0, 290.0, 290.0, 0.0, -5.0, -6.0]
    settings.CACHE_URL = ""
    assert cache.hot(now=NOON, limit=10) == kept
    assert [it.score for it in kept] == [301, 290, 290, 0, None, None]


def test_truth_21_wash_volume_ranks_nobody() -> None:
    """Of two tokens without a score the one with more volume net of wash volume is first; unknown wash volume is none."""
    washed, honest = trading("70"), trading("2")
    PriceCandle1m.objects.filter(token=washed).update(wash_volume_sol=Decimal("68.5"))
    assert list(hot.ranking(now=NOON, limit=9)) == [honest.pk, washed.pk]
