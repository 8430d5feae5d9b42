"""The newest scores decide whose holders are analysed next."""

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from holders.models import HolderScoreJob
from holders.services.agenda import Planned
from scoring.models import HolderScore, TechnicalScore
from scoring.selectors import newest
from scoring.services import urgency
from tests import factories
from tests.factories import NOON
from tests.scoring import holder_rows, parts
from tokens.models import Token

pytestmark = pytest.mark.django_db


def curve() -> Token:
    """Create a token at 60 % of its quote target, bought by five wallets at :data:`NOON`."""
    pool = factories.pool(quote_target=100, real_sol_reserves=60)
    for number in range(5):
        factories.transaction(pool, user_address=factories.address(f"buyer {number}"))
    return pool.token


def test_the_newest_scores_are_pushed_down() -> None:
    """A token's tier follows from its newest technical and holder score, not from an older or a later one."""
    token = curve()
    technical = parts.technical(token, at=NOON)
    parts.technical(token, at=NOON - timedelta(minutes=5))
    holder = holder_rows.holder_score(token_mint=token.mint_address, timestamp=NOON)
    technical.refresh_from_db()
    holder.refresh_from_db()
    known = newest.scores(mints=[token.mint_address], now=NOON)[token.mint_address]
    assert (known.technical, known.holder, known.momentum) == (
        technical.total_score,
        holder.total_score,
        technical.progress_velocity,
    )
    assert urgency.push(now=NOON) == Planned(considered=1, queued=1)


def test_scores_of_yesterday_are_not_known() -> None:
    """After a day a score says nothing of how a token does now."""
    token = curve()
    parts.technical(token, at=NOON - timedelta(days=1))
    holder_rows.holder_score(token_mint=token.mint_address, timestamp=NOON + timedelta(seconds=1))
    known = newest.scores(mints=[token.mint_address], now=NOON)[token.mint_address]
    assert (known.technical, known.holder, known.momentum) == (None, None, None)


def test_a_score_raises_what_waits() -> None:
    """A job that waits at its tier becomes as urgent as the new score says."""
    token = curve()
    urgency.push(now=NOON)
    holder_rows.holder_score(token_mint=token.mint_address, timestamp=NOON, activity_score=85, quality_score=90)
    assert urgency.push(now=NOON) == Planned(considered=1, raised=1)
    assert HolderScore.objects.get().total_score == 250
    assert HolderScoreJob.objects.get().priority == 200


@pytest.mark.parametrize("tokens", [1, 12])
def test_many_tokens_are_planned_with_as_many_statements_as_one(
    tokens: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    """Curves, scores, wishes: and the savepoint of the test with its limit on waiting."""
    for _ in range(tokens):
        parts.technical(curve(), at=NOON)
    assert TechnicalScore.objects.count() == tokens
    with django_assert_num_queries(6):
        assert urgency.push(now=NOON).queued == tokens
