"""Old totals: those of tokens that never graduated go, in batches; what graduated stays."""

from datetime import timedelta

import pytest

from scoring.models import LatestTokenScore, TokenScore
from scoring.services import cleaning, totals
from tests import factories
from tests.factories import NOON
from tests.scoring import parts, shown
from tokens.models import RetentionPolicy

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=61)


@pytest.mark.community
def test_old_scores_of_tokens_that_never_graduated_go() -> None:
    """60 days are kept; the newest of a quiet token goes too, and with it its place in the lists."""
    quiet, alive = factories.token(), factories.token()
    graduated = factories.token(is_graduated=True, graduation_platform="pumpswap", graduation_timestamp=NOON)
    for token in (quiet, graduated):
        shown.newest_score(token)
    shown.token_score(alive)
    shown.newest_score(alive, calculated_at=LATER - timedelta(days=59))
    assert cleaning.remove(older_than=LATER - timedelta(days=60), most=10) == 2
    assert set(LatestTokenScore.objects.values_list("token", flat=True)) == {alive.pk, graduated.pk}
    assert TokenScore.objects.filter(token=graduated).count() == 1


def test_a_batch_takes_the_oldest_first() -> None:
    """At most as many as were asked for."""
    token = factories.token()
    rows = [shown.token_score(token, calculated_at=NOON - timedelta(days=day)) for day in range(4)]
    assert cleaning.remove(older_than=LATER, most=3) == 3
    assert list(TokenScore.objects.values_list("pk", flat=True)) == [rows[0].pk]


@pytest.mark.django_db(transaction=True)
def test_scores_are_kept_as_long_as_their_parts() -> None:
    """The retention of technical scores says how long; without one nothing goes. In batches of its own transactions."""
    token = factories.token()
    shown.newest_score(token)
    RetentionPolicy.objects.filter(table_name="technical_scores").delete()
    policy = RetentionPolicy.objects.create(table_name="technical_scores", drop_after=None)
    assert cleaning.clean(now=LATER) == 0
    policy.drop_after = timedelta(days=60)
    policy.save()
    assert cleaning.clean(now=LATER) == 1
    assert not LatestTokenScore.objects.exists()


def test_a_token_whose_scores_went_is_scored_anew() -> None:
    """It trades again: its total comes back, and the lists have it."""
    token = factories.token()
    shown.newest_score(token)
    cleaning.remove(older_than=LATER, most=10)
    parts.technical(token, at=LATER)
    assert totals.refresh(mints=[token.mint_address], now=LATER) == 1
    assert LatestTokenScore.objects.get().token_id == token.pk
