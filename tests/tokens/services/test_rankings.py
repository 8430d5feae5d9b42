"""The tokens with the most volume: one row a token, by its current pool, refreshed without blocking readers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests import factories
from tests.factories import NOON
from tokens import tasks

pytestmark = [pytest.mark.django_db, pytest.mark.community]

COLUMNS = "mint_address, latest_price_usd, volume_24h_usd"


@pytest.fixture
def now(sql: Any) -> datetime:
    """The database's own minute: the view counts back from it."""
    moment: datetime = sql("SELECT date_trunc('minute', now())")[0][0]
    return moment.astimezone(UTC)


def test_a_refresh_ranks_the_tokens_of_seven_days(sql: Any, now: datetime) -> None:
    """Volume of 24 hours over candles of the table; older tokens and older candles do not count; quiet ones have 0."""
    hot, quiet = factories.token(creation_timestamp=now), factories.token(creation_timestamp=now - timedelta(days=6))
    old = factories.token(creation_timestamp=now - timedelta(days=8))
    for token in (hot, old):
        factories.pool(token, latest_price_usd=Decimal("0.00004"))
        for hours, usd in ((1, 150), (2, 50), (25, 1_000)):
            factories.candle(token, bucket=now - timedelta(hours=hours), volume_usd=Decimal(usd))
    assert sql("SELECT * FROM top_tokens_by_usd_volume") == []  # nobody refreshed it yet
    tasks.refresh_top_tokens()
    assert sql(f"SELECT {COLUMNS} FROM top_tokens_by_usd_volume ORDER BY volume_24h_usd DESC") == [
        (hot.mint_address, Decimal("0.00004"), Decimal(200)),
        (quiet.mint_address, None, Decimal(0)),
    ]


def test_t14_the_current_pool_prices_a_token(sql: Any, now: datetime) -> None:
    """A token with a graduated pool has one row, with that pool's price."""
    token = factories.token(creation_timestamp=now)
    factories.pool(token, latest_price_usd=Decimal("0.00001"))
    factories.pool(token, pool_type="graduated", platform="pumpswap", latest_price_usd=Decimal("0.00009"))
    tasks.refresh_top_tokens()
    assert sql("SELECT latest_price_usd FROM top_tokens_by_usd_volume") == [(Decimal("0.00009"),)]


def test_a_token_without_a_known_launch_is_as_old_as_its_row(sql: Any) -> None:
    """The chain's time counts where it is known, else when we first heard of it; scores are unknown so far."""
    known = factories.token(creation_timestamp=NOON - timedelta(days=4000))
    unknown = factories.token(creation_timestamp=None)
    tasks.refresh_top_tokens()
    assert sql("SELECT token_id, technical_score, holder_score FROM top_tokens_by_usd_volume") == [
        (unknown.pk, None, None)
    ]
    assert known.pk != unknown.pk


def test_truth_21_the_ranking_is_net_of_wash_volume(sql: Any, now: datetime) -> None:
    """What ranks is the volume without what wallets bought and sold within a minute; the gross stands beside it."""
    washed, honest = factories.token(creation_timestamp=now), factories.token(creation_timestamp=now)
    for token, wash in ((washed, 140), (honest, None)):
        factories.candle(token, bucket=now - timedelta(hours=1), volume_usd=Decimal(150), wash_volume_usd=wash)
    tasks.refresh_top_tokens()
    columns = "token_id, volume_24h_usd, gross_volume_24h_usd"
    assert sql(f"SELECT {columns} FROM top_tokens_by_usd_volume ORDER BY volume_24h_usd DESC") == [
        (honest.pk, 150, 150),
        (washed.pk, 10, 150),
    ]
