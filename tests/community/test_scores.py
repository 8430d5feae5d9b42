"""Snapshots of holders and scores on a real TimescaleDB: their compressed chunks read, take late rows and freeze as others."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pgtrigger
import pytest
from django.db import models

from holders.models import HolderSnapshot
from megatron.core import ids
from scoring.models import (
    ActivityMetric,
    HolderScore,
    HolderScoreFreeze,
    RiskMetric,
    SelloffEvent,
    SocialMetric,
    SocialScore,
    TechnicalScore,
)
from scoring.services import holder as service
from tests import factories
from tests.factories import NOON
from tests.scoring import following, parts
from tests.scoring.holder_rows import holder_score, risk_metric, snapshot
from tokens.models import Token

pytestmark = [pytest.mark.django_db, pytest.mark.community]

EARLY = NOON - timedelta(days=35)


def activity(token: Token, **fields: Any) -> ActivityMetric:
    """Create the activity of a token with one buy."""
    of = {"token_mint": token.mint_address, "buys_1m": 1, "buys_5m": 1, "buys_1h": 1}
    return ActivityMetric.objects.create(id=ids.new_id(), **of, **fields)


SERIES: dict[type[models.Model], Callable[[Token, Any], models.Model]] = {
    HolderSnapshot: lambda token, at: snapshot(token.mint_address, at),
    HolderScore: lambda token, at: holder_score(token_mint=token.mint_address, timestamp=at),
    RiskMetric: lambda token, at: risk_metric(token_mint=token.mint_address, timestamp=at),
    TechnicalScore: lambda token, at: parts.technical(token, at=at),
    ActivityMetric: lambda token, at: activity(token, timestamp=at),
    SocialMetric: lambda token, at: following.metric(token, timestamp=at),
    SocialScore: lambda token, at: following.score(token, calculated_at=at),
}


def compress(sql: Any, *series: type[models.Model]) -> None:
    """Compress every chunk of these tables."""
    sql("SET CONSTRAINTS ALL IMMEDIATE")
    for model in series:
        ((chunks,),) = sql(f"SELECT count(compress_chunk(chunk)) FROM show_chunks('{model._meta.db_table}') AS chunk")
        assert chunks > 0


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series._meta.db_table)
def test_compressed_rows_are_the_same_and_take_late_ones(series, sql):
    """Computed columns are kept, a row that comes late computes its own, a known one is refused, and rows can go."""
    known, late = factories.token(), factories.token()
    first = SERIES[series](known, EARLY)
    before = series.objects.values().get()
    compress(sql, series)
    assert series.objects.values().get() == before
    series.objects.bulk_create([first], ignore_conflicts=True)
    assert series.objects.values().get() == before
    second = SERIES[series](late, EARLY + timedelta(minutes=1))
    same = {"id", "created_at", "measured_at", *(name for name in before if name.startswith("token_"))}
    times = {"snapshot_time", "timestamp", "calculated_at"}
    found = series.objects.values().get(pk=second.pk)
    assert {name: found[name] for name in found if name not in same | times} == {
        name: before[name] for name in before if name not in same | times
    }
    with pgtrigger.ignore():
        assert series.objects.filter(pk=first.pk).delete()[0] == 1
    assert series.objects.get() == second


def test_snapshots_and_scores_in_compressed_chunks_are_finished(sql):
    """A snapshot is scored and a score is frozen though their chunks were compressed meanwhile."""
    token = factories.token()
    snapshot(token.mint_address, EARLY)
    compress(sql, HolderSnapshot)
    assert service.score_measured(now=NOON) == 1
    before = HolderScore.objects.values().get()
    compress(sql, HolderScore, RiskMetric)
    Token.objects.filter(pk=token.pk).update(is_graduated=True, graduation_timestamp=NOON - timedelta(hours=1))
    assert service.freeze_graduated(now=NOON) == 1
    assert HolderScore.objects.values().get() == before | {"is_frozen": True}
    assert HolderSnapshot.objects.get().scored_at == NOON
    frozen = HolderScoreFreeze.objects.get()
    assert (frozen.score_time, Decimal(frozen.score["total_score"])) == (EARLY, before["total_score"])


def test_a_late_fall_in_a_compressed_chunk_opens_its_event(sql):
    """The trigger of technical scores works on chunks that are compressed."""
    token = factories.token()
    parts.technical(token, at=EARLY)
    compress(sql, TechnicalScore)
    parts.technical(token, at=EARLY + timedelta(minutes=1), price=Decimal("0.00000008"), price_drop_15m=Decimal(20))
    assert SelloffEvent.objects.get().detection_time == EARLY + timedelta(minutes=1)


def test_the_newest_scores_are_found_in_compressed_chunks(sql):
    """The views of the newest rows read the same whether or not the chunks are compressed."""
    token = factories.token()
    for at in (EARLY, EARLY + timedelta(days=1), EARLY + timedelta(days=9)):
        for series in (HolderScore, RiskMetric, TechnicalScore):
            SERIES[series](token, at)
    views = ("latest_technical_scores", "latest_holder_scores_v2")

    def newest() -> list[Any]:
        return [row for view in views for row in sql(f"SELECT * FROM {view} WHERE token_mint = %s", token.mint_address)]

    before = newest()
    assert [row[1] for row in before] == [EARLY + timedelta(days=9)] * 2
    compress(sql, HolderScore, RiskMetric, TechnicalScore)
    assert newest() == before


def test_new_snapshots_and_scores_leave_compressed_chunks_alone(sql):
    """Marking, measuring and freezing of today opens no compressed chunk: not a row of the past is written."""
    old, token = factories.token(), factories.token()
    for at in (EARLY, EARLY + timedelta(days=9)):
        for series in (HolderSnapshot, HolderScore, RiskMetric):
            SERIES[series](old, at)
    HolderSnapshot.objects.update(scored_at=NOON)
    compress(sql, HolderSnapshot, HolderScore, RiskMetric)
    snapshot(token.mint_address, NOON - timedelta(hours=2))
    partial = "SELECT count(*) FROM _timescaledb_catalog.chunk WHERE status & 8 > 0"
    assert sql(partial) == [(0,)]
    assert service.score_measured(now=NOON) == 1
    assert (HolderSnapshot.objects.filter(scored_at=None).count(), sql(partial)) == (0, [(0,)])
    Token.objects.filter(pk=token.pk).update(is_graduated=True, graduation_timestamp=NOON - timedelta(hours=1))
    assert service.freeze_graduated(now=NOON) == 1
    assert sql(partial) == [(0,)]
