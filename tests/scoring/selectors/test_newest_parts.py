"""The newest row of each part of a score is looked for since what is known of it, and what is found is the same."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from holders.models import HolderScoreJob
from holders.selectors import wallets
from holders.services import agenda
from megatron.core.timescale import policies as levels
from scoring.models import SocialScore
from scoring.selectors import social, standing
from scoring.selectors import totals as reads
from scoring.services import policies, totals
from tests import factories
from tests.chunks import chunks_planned
from tests.factories import NOON, address
from tests.holders import people
from tests.scoring import following, parts
from tokens.models import Pool, Token

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
OLD = NOON - 120 * DAY


@pytest.fixture
def tokens() -> Sequence[Token]:
    """A coin of four months with parts of long ago, one of them newer; one of today; and one without a time of creation.

    Others have rows every ten days, so that there are chunks.
    """
    old = factories.token(creation_timestamp=OLD)
    for at in (OLD + DAY, OLD + 40 * DAY, NOON - 2 * DAY):
        parts.technical(old, at=at)
    parts.holder(old, at=OLD + 40 * DAY)
    parts.risk(old, at=OLD + 40 * DAY)
    parts.social(old, at=OLD + 41 * DAY)
    young, unknown = factories.token(), factories.token(creation_timestamp=None, creation_signature=None)
    parts.technical(young)
    parts.technical(unknown, at=OLD)
    other = factories.token(creation_timestamp=OLD)
    for days in range(0, 120, 10):
        parts.technical(other, at=NOON - days * DAY)
        parts.social(other, at=NOON - days * DAY)
        parts.risk(other, at=NOON - days * DAY)
        following.metric(other, timestamp=NOON - days * DAY)
    return old, young, unknown


def _gathered(tokens: Sequence[Token]) -> list[reads.Gathered]:
    return list(reads.gathered(tokens=[token.pk for token in tokens], terms=policies.active().total))


@pytest.mark.community
def test_endurance_13_parts_since_what_is_known_are_the_newest(
    tokens: Sequence[Token], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before there is a total, after it, and when a newer row came: the same as without bounds."""
    for more in range(3):
        for these in (tokens, tokens[:1], tokens[1:2], []):
            monkeypatch.setattr(levels, "level", lambda _: "apache")
            bounded = _gathered(these)
            monkeypatch.setattr(levels, "level", lambda _: "none")
            assert _gathered(these) == bounded
        monkeypatch.undo()
        totals.refresh(mints=[token.mint_address for token in tokens], now=NOON)
        parts.technical(tokens[0], at=parts.later(more + 1))


@pytest.mark.community
def test_endurance_13_a_totals_plan_asks_a_few_chunks(tokens: Sequence[Token], monkeypatch: pytest.MonkeyPatch) -> None:
    """A coin of today plans today, not the days of others."""
    if levels.level(connection) == "none":
        monkeypatch.setattr(levels, "level", lambda _: "apache")
    with CaptureQueriesContext(connection) as queries:
        _gathered([tokens[1]])
    monkeypatch.undo()
    statement = next(query["sql"] for query in queries if "technical_scores" in query["sql"])
    assert statement.count(f"timestamp >= '{NOON - DAY}'") >= 4, statement
    if levels.level(connection) != "none":
        assert chunks_planned(statement) <= 8, statement


@pytest.mark.community
def test_endurance_13_social_points_and_risks_are_read_within_the_tokens_life(
    tokens: Sequence[Token], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest reading, points and risks of each coin are what they are without bounds, and a young one's plan is short."""
    old, young, unknown = tokens
    following.metric(old, timestamp=OLD + DAY)
    for token in (old, young, unknown):
        told = []
        for level in ("none", "apache"):
            monkeypatch.setattr(levels, "level", lambda _, level=level: level)
            told.append(
                (
                    list(social.newest_readings(token=token)),
                    social.find_newest_score(token=token),
                    standing.find_risk(token=token),
                )
            )
        assert told[0] == told[1]
    assert social.find_newest_score(token=old) == SocialScore.objects.get(token=old)
    monkeypatch.undo()
    with CaptureQueriesContext(connection) as queries:
        social.newest_readings(token=young)
        social.find_newest_score(token=young)
        standing.find_risk(token=young)
    assert len(queries) == 3
    if levels.level(connection) != "none":
        assert [chunks_planned(query["sql"]) <= 2 for query in queries] == [True, True, True]


@pytest.mark.community
def test_endurance_13_buyers_are_looked_for_since_their_token_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coin of today gets its analysis by its five buyers, and nothing older is planned."""
    for days in range(0, 120, 10):
        factories.transaction(factories.pool(), block_time=NOON - days * DAY)
    curve = factories.pool(quote_target=100, real_sol_reserves=20)
    for number in range(5):
        factories.transaction(curve, user_address=address(f"buyer {number}"))
    if levels.level(connection) == "none":
        monkeypatch.setattr(levels, "level", lambda _: "apache")
    with CaptureQueriesContext(connection) as queries:
        assert agenda.plan(scores={}, now=NOON).queued == 1
    monkeypatch.undo()
    statement = next(query["sql"] for query in queries if "INSERT INTO holder_score_queue" in query["sql"])
    assert "block_time >=" in statement
    HolderScoreJob.objects.all().delete()
    if levels.level(connection) != "none":
        assert chunks_planned(statement) <= 3, statement


@pytest.mark.community
def test_endurance_13_a_wallets_trades_are_read_where_it_traded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same trades as without bounds, and those of a wallet that stopped long ago plan the days in which it traded."""
    curve: Pool = factories.pool(factories.token(creation_timestamp=OLD))
    for days in range(0, 120, 10):
        people.trade(curve, address("others"), 5, at=NOON - days * DAY)
    gone = address("gone")
    for hours in (0, 5, 9):
        people.trade(curve, gone, 5, at=NOON - 50 * DAY + timedelta(hours=hours))
    asked: dict[str, Any] = {"wallets": [gone, address("nobody")], "at": NOON}
    told = []
    for level in ("none", "apache"):
        monkeypatch.setattr(levels, "level", lambda _, level=level: level)
        with CaptureQueriesContext(connection) as queries:
            told.append(wallets.own(**asked))
    monkeypatch.undo()
    assert told[0] == told[1]
    assert len(told[0][gone].trades) == 3
    at: datetime | None = told[0][gone].first_at
    assert at == NOON - 50 * DAY
    statement = next(query["sql"] for query in queries if "event_index" in query["sql"])
    if levels.level(connection) != "none":
        assert chunks_planned(statement) <= 2, statement
