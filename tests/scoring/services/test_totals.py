"""Totals from the newest rows of their parts: written once, when something changed, by one worker at a time."""

from datetime import timedelta
from decimal import Decimal
from threading import Thread
from typing import Any

import pgtrigger
import pytest
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from scoring.models import LatestTokenScore, TokenScore
from scoring.selectors import scores, standing
from scoring.services import totals
from tests import factories
from tests.factories import NOON
from tests.scoring import parts
from tokens.models import Token
from tokens.services import rankings

pytestmark = pytest.mark.django_db


def refreshed(*tokens: Token, minutes: int = 0) -> int:
    """Refresh the totals of ``tokens`` so many minutes after noon."""
    return totals.refresh(mints=[token.mint_address for token in tokens], now=parts.later(minutes))


def newest(token: Token) -> TokenScore:
    """Return the score that lists find."""
    score = LatestTokenScore.objects.select_related("score").get(token=token).score
    assert score is not None
    return score


@pytest.mark.community
def test_a_total_is_the_sum_of_the_newest_rows_of_its_parts() -> None:
    """Older rows do not count, blocks are copied, and what was computed by the database is what the domain says."""
    token = factories.token()
    parts.technical(token, at=parts.later(-5), facts=parts.market.Facts(market_cap_usd=Decimal(1)))
    technical, holder, social = parts.technical(token), parts.holder(token), parts.social(token)
    assert refreshed(token) == 1
    score = newest(token)
    whole = technical.total_score + holder.total_score + social.total_score
    assert score.total_raw == score.technical_score + score.holder_score + score.social_score
    assert abs(score.total_raw - whole) <= Decimal("0.02")
    assert (score.total_score, score.available_max) == (round(score.total_raw), 333 + 333 + int(social.available_max))
    assert (score.quality_score, score.twitter_score) == (holder.quality_score, social.twitter_score)
    assert score.trading_score == score.trading_health_score + score.selloff_response_score


def test_g1_a_crash_adds_nothing_to_the_total() -> None:
    """A signed technical score below zero is kept where it was measured and counts as 0 here."""
    token = factories.token()
    parts.technical(
        token,
        market_cap_score=0,
        bonding_curve_score=Decimal("12.5"),
        trading_health_score=0,
        selloff_response_score=-60,
    )
    parts.holder(token)
    refreshed(token)
    score = newest(token)
    assert (score.technical_score, score.selloff_response_score, score.total_raw) == (0, -60, score.holder_score)


def test_g5_a_missing_part_is_null_and_not_to_be_had() -> None:
    """Without social the total is of 666, not of 999; without holders of 333."""
    token = factories.token()
    parts.technical(token)
    refreshed(token)
    assert (newest(token).available_max, newest(token).holder_score, newest(token).social_score) == (333, None, None)
    parts.holder(token)
    refreshed(token, minutes=1)
    score = newest(token)
    assert (score.available_max, score.social_score, score.completeness) == (666, None, Decimal("66.6667"))
    assert score.total_ratio == round(Decimal(score.total_adjusted) / 666, 4)


def test_g6_multiplier_and_hard_flag_are_in_the_total() -> None:
    """Half as many holders again within two hours give a fifth more; wash trading makes it 0."""
    token = factories.token()
    few = parts.holders.Facts(**{**parts.stored.asdict(parts.WIDE), "total_holders": 200})
    parts.holder(token, at=parts.later(-60), facts=few)
    parts.holder(token)
    refreshed(token)
    score = newest(token)
    assert (score.score_multiplier, score.total_adjusted) == (
        Decimal("1.2000"),
        min(333, round(score.total_raw * Decimal("1.2"))),
    )
    assert score.score_details["multipliers"][0]["reason"].startswith("Holders went from 200 to 320 in 1 hours")
    parts.risk(token, at=parts.later(1), wash_trading_score=Decimal(70))
    refreshed(token, minutes=1)
    score = newest(token)
    assert (
        score.total_adjusted,
        score.total_score > 0,
        score.is_disqualified,
        score.has_red_flags,
        score.red_flags,
    ) == (
        0,
        True,
        True,
        True,
        ["wash_trading"],
    )


def test_g7_one_row_has_the_three_shapes() -> None:
    """Parts, every breakdown of the documents, the model's columns, and the version that made it, with its inputs."""
    token = factories.token()
    parts.technical(token)
    refreshed(token)
    columns = {field.column for field in TokenScore._meta.concrete_fields}
    assert {
        "liquidity_score",
        "trading_score",
        "contract_score",
        "distribution_score",
        "ml_confidence_score",
    } <= columns
    score = newest(token)
    assert (score.policy_version, score.contract_score, score.ml_graduation_probability) == (1, None, None)
    assert score.inputs["sources"]["technical"] == {"at": NOON.isoformat(), "policy_version": 1}


def test_an_unchanged_total_writes_nothing() -> None:
    """The same parts again, or newer rows that say the same, leave the row that stands."""
    token = factories.token()
    parts.technical(token)
    assert (refreshed(token), refreshed(token, minutes=1)) == (1, 0)
    parts.technical(token, at=parts.later(2))
    assert (refreshed(token, minutes=2), TokenScore.objects.count()) == (0, 1)


def test_a_strong_curve_is_one_that_came_far_soon() -> None:
    """70 % of the quote within six hours of the launch raises; the same a minute after six hours does not."""
    soon, late = (factories.token(creation_timestamp=NOON - timedelta(hours=6)) for _ in range(2))
    for token, first in ((soon, -1), (late, 1)):
        parts.technical(token, at=parts.later(first), progress_quote_pct=70)
        parts.technical(token, at=parts.later(30), progress_quote_pct=72)
    refreshed(soon, late, minutes=30)
    assert [newest(token).score_multiplier for token in (soon, late)] == [Decimal("1.1500"), Decimal("1.0000")]


def test_a_prediction_stays_with_the_token() -> None:
    """The next total keeps the probability that a model gave."""
    token = factories.token()
    parts.technical(token)
    refreshed(token)
    TokenScore.objects.update(ml_graduation_probability=Decimal("0.8234"), ml_model_version="m1")
    parts.holder(token)
    refreshed(token, minutes=1)
    assert (newest(token).ml_graduation_probability, newest(token).ml_model_version) == (Decimal("0.8234"), "m1")


def test_a_frozen_holder_score_counts_after_its_row_is_gone() -> None:
    """A graduated token keeps the holders' points it graduated with, whatever retention drops."""
    token = factories.token(is_graduated=True, graduation_timestamp=parts.later(1), graduation_platform="pumpswap")
    row = parts.holder(token)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO holder_score_freezes (id, token_mint, frozen_at, score_time, score)"
            " SELECT id, token_mint, timestamp, timestamp, to_jsonb(h) FROM holder_scores h"
        )
        cursor.execute("DELETE FROM holder_scores")
    parts.technical(token, at=parts.later(11))
    assert refreshed(token, minutes=11) == 1
    assert newest(token).holder_score == row.total_score


def test_what_is_no_token_or_has_no_part_is_passed_over() -> None:
    """Nothing is written and no list shows an empty row."""
    token = factories.token()
    assert totals.refresh(mints=[token.mint_address, factories.address("nobody")], now=NOON) == 0
    assert LatestTokenScore.objects.count() == 0


def test_truth_19_a_total_of_which_no_part_is_known_any_more_stands_no_longer() -> None:
    """Lists, the token's page and the explanation have none; the history stays, and a part that is known again makes one."""
    token = factories.token()
    parts.holder(token)
    refreshed(token)
    unknown = dict.fromkeys(("distribution_score", "quality_score", "activity_score"))
    parts.holder(token, at=parts.later(5), available_max=0, data_completeness=0, **unknown)
    assert refreshed(token, minutes=5) == 1
    assert refreshed(token, minutes=6) == 0
    assert not LatestTokenScore.objects.exists()
    assert (scores.find_score(token=token), standing.newest(token=token, limit=4, and_before=parts.later(6))) == (
        None,
        ([], None),
    )
    assert scores.find_score(token=token, at=parts.later(1)) is not None
    assert TokenScore.objects.count() == 1
    parts.technical(token, at=parts.later(10))
    assert refreshed(token, minutes=10) == 1
    assert (newest(token).holder_score, newest(token).calculated_at) == (None, parts.later(10))


@pytest.mark.community
def test_the_tokens_with_the_most_volume_have_their_newest_scores(sql: Any) -> None:
    """The view is refreshed without blocking readers, as before; an unknown part is NULL."""
    token = factories.token(creation_timestamp=None)
    parts.holder(token)
    refreshed(token)
    rankings.refresh_top_tokens()
    rankings.refresh_top_tokens()
    assert sql("SELECT mint_address, technical_score, holder_score FROM top_tokens_by_usd_volume") == [
        (token.mint_address, None, Decimal("274.75"))
    ]


def test_a_list_by_score_reads_an_index_and_no_history(sql: Any) -> None:
    """The first page in each order comes off its index, however many scores there were before."""
    for column in ("total_ratio", "total_adjusted", "technical_score", "holder_score", "social_score"):
        page = scores.ranked().order_by(F(column).desc(nulls_last=True), F("token").desc())[:50]
        statement, values = page.query.sql_with_params()
        sql("SET LOCAL enable_seqscan = off")
        sql("SET LOCAL enable_sort = off")
        plan = "\n".join(line for (line,) in sql(f"EXPLAIN {statement}", *values))
        name = {"total_ratio": "ratio", "total_adjusted": "total"}.get(column, column.removesuffix("_score"))
        assert f"idx_latest_scores_{name}" in plan, plan
        assert "Sort" not in plan


def test_the_number_of_queries_does_not_grow() -> None:
    """Two tokens cost as many queries as twelve."""

    def asked(count: int) -> int:
        tokens = [factories.token() for _ in range(count)]
        for token in tokens:
            parts.technical(token)
        with CaptureQueriesContext(connection) as queries:
            assert refreshed(*tokens) == count
        return len(queries)

    asked(1)
    assert asked(2) == asked(12)


@pytest.mark.community
def test_scores_of_a_token_of_a_dropped_fork_go_with_it() -> None:
    """What takes back a fork removes the token; its scores do not hold it."""
    token = factories.token()
    parts.technical(token)
    refreshed(token)
    with pgtrigger.ignore("tokens.Token:kept_for_ever"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM tokens WHERE id = %s", [token.pk])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert (TokenScore.objects.count(), LatestTokenScore.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_two_workers_with_a_part_each_leave_a_total_of_both() -> None:
    """The second waits for the first one's commit and then sees its part; neither overwrites the other."""
    token = factories.token()
    waiting = Thread(target=_score_technically, args=[token])
    with transaction.atomic():
        parts.holder(token)
        assert refreshed(token) == 1
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
    waiting.join(10)
    score = newest(token)
    assert (score.technical_score is None, score.holder_score is None, TokenScore.objects.count()) == (False, False, 2)


def _score_technically(token: Token) -> None:
    """Do what another worker does, in a connection of its own."""
    try:
        with transaction.atomic():
            parts.technical(token)
            # An earlier clock than the first worker's: its row is the newer one all the same.
            refreshed(token, minutes=-1)
    finally:
        connection.close()
