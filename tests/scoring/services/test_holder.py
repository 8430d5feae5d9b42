"""Measured snapshots become scores and risks, and the last score before graduation is frozen, once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from holders.models import HolderSnapshot
from holders.selectors import measures
from scoring.domain import holder, risk, stored
from scoring.domain.points import Part
from scoring.domain.signs import Signs
from scoring.models import HolderScore, HolderScoreFreeze, RiskMetric, TokenScore
from scoring.services import holder as service
from scoring.services import policies, totals
from tests import factories
from tests.factories import NOON
from tests.holders import people
from tests.scoring import parts
from tests.scoring.holder_rows import snapshot
from tokens.models import Token

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
LATEST = "SELECT timestamp, total_score, is_frozen FROM latest_holder_scores_v2 WHERE token_mint = %s"


@pytest.fixture
def token() -> Token:
    """A token with a curve and one trade of 1 SOL before noon."""
    pool = factories.pool()
    factories.transaction(pool, block_time=NOON - MINUTE)
    return pool.token


def graduate(token: Token, at: Any = NOON) -> None:
    """Let the curve of a token be complete."""
    Token.objects.filter(pk=token.pk).update(is_graduated=True, graduation_timestamp=at)


def test_a_token_remembers_how_far_its_curve_was_when_it_was_scored(
    token: Token, django_capture_on_commit_callbacks: Any
) -> None:
    """The seed's column says at which progress the holders were scored last, after the commit of the score."""
    snapshot(token.mint_address, bonding_curve_progress=Decimal("31.4567"))
    with django_capture_on_commit_callbacks(execute=True):
        service.score_measured(now=NOON + MINUTE)
    token.refresh_from_db()
    assert token.last_holder_score_progress == Decimal("31.46")


@pytest.mark.community
def test_what_was_measured_is_scored(token: Token) -> None:
    """A snapshot becomes a score with its lines and inputs, risks and a total, and is not read again."""
    snapshot(token.mint_address)
    assert service.score_measured(now=NOON + MINUTE) == 1
    score, risks = HolderScore.objects.get(), RiskMetric.objects.get()
    assert (score.token_mint, score.timestamp, score.policy_version) == (token.mint_address, NOON, 1)
    assert (score.distribution_score, score.quality_score, score.activity_score) == (72, None, 25)
    assert (score.total_score, score.available_max) == (97, 151)
    assert (score.data_completeness, score.confidence_level) == (60, "LOW")
    assert (risks.concentration_risk, risks.rug_risk_score, risks.risk_level) == (18, Decimal("40.5"), "moderate")
    assert TokenScore.objects.get().holder_score == 97
    assert HolderSnapshot.objects.get().scored_at == NOON + MINUTE
    assert service.score_measured(now=NOON + 2 * MINUTE) == 0


def test_a_row_is_computed_again_from_its_inputs(token: Token) -> None:
    """The stored inputs and the version that the row points to give the same lines and figures."""
    snapshot(token.mint_address)
    service.score_measured(now=NOON + MINUTE)
    score, risks = HolderScore.objects.get(), RiskMetric.objects.get()
    policy = policies.of(score.policy_version)
    again = holder.score(stored.from_json(holder.Facts, score.inputs), holder.Rules.of(policy.holder))
    assert [part.as_json() for part in again.parts] == score.breakdown
    assert (again.total, again.available, again.level) == (
        score.total_score,
        score.available_max,
        score.confidence_level,
    )
    assert sum(Part.from_json(part).points or 0 for part in score.breakdown) == score.total_score
    seen = stored.from_json(Signs, risks.inputs["signs"])
    found = risk.assess(stored.from_json(risk.Facts, risks.inputs["holders"]), seen, risk.Rules.of(policy.risk))
    assert (found.overall, found.weighted) == (risks.overall_risk_score, risks.overall_risk_weighted)
    assert {name: sign.seen for name, sign in found.signs.items()} == {
        name: getattr(risks, name) for name in risks.evidence
    }


def test_g4_seven_percent_is_in_the_window(token: Token) -> None:
    """At 7 % of the quote target a token is scored; the seed's rule, 10 to 100 %, would refuse the row."""
    snapshot(token.mint_address, progress_quote_pct=7, bonding_curve_progress=20)
    service.score_measured(now=NOON)
    row = HolderScore.objects.get()
    assert row.progress_quote_pct is not None
    assert (10 <= row.progress_quote_pct < 100, row.progress_quote_pct) == (False, 7)


@pytest.mark.parametrize(
    ("fields", "is_scored"),
    [
        ({"progress_quote_pct": "4.9999"}, False),
        ({"progress_quote_pct": "5"}, True),
        ({"progress_quote_pct": None}, False),
        ({"total_holders": 4, "holders_fetched": 4, "active_holders": 4}, False),
        ({"total_holders": 5, "holders_fetched": 5, "active_holders": 4}, True),
    ],
)
def test_g4_outside_the_window_there_are_risks_and_no_score(token: Token, fields: Any, is_scored: bool) -> None:
    """What is too early, too few or unknown gets its risks, and is not read again."""
    snapshot(token.mint_address, **fields)
    assert service.score_measured(now=NOON) == 1
    assert (HolderScore.objects.count(), RiskMetric.objects.count()) == (is_scored, 1)
    assert service.score_measured(now=NOON) == 0


@pytest.mark.parametrize("holders", [0, 1, 10**6])
def test_any_number_of_holders_is_taken(token: Token, holders: int) -> None:
    """Nobody, one who owns everything and a million holders are read like any others."""
    alone = {"gini_coefficient": None if not holders else 0, "top_1_percentage": None if not holders else 100}
    counts = dict.fromkeys(("total_holders", "unique_holders", "holders_fetched", "active_holders"), holders)
    snapshot(token.mint_address, **counts, **alone)
    assert service.score_measured(now=NOON) == 1
    assert RiskMetric.objects.get().liquidity_risk == (10 if holders > 1 else 90)


def test_risks_hold_at_the_snapshots_time(token: Token) -> None:
    """What the creator sells after the snapshot is not in its risks, however late they are computed."""
    pool, creator = token.pools.get(), token.creator_address
    snapshot(token.mint_address)
    factories.transaction(pool, block_time=NOON - 2 * MINUTE, user_address=creator, amount_out=100)
    factories.transaction(
        pool, block_time=NOON + MINUTE, type="sell", user_address=creator, amount_in=100, amount_out=1
    )
    snapshot(token.mint_address, NOON + 2 * MINUTE)
    assert service.score_measured(now=NOON + 3 * MINUTE) == 2
    assert list(RiskMetric.objects.order_by("timestamp").values_list("creator_dumping", flat=True)) == [False, True]


def test_a_failure_leaves_nothing_behind(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores, risks, totals and the mark on the snapshot are one transaction."""

    def fail(**given: Any) -> int:
        raise RuntimeError("totals")

    snapshot(token.mint_address)
    with monkeypatch.context() as patch:
        patch.setattr(totals, "refresh", fail)
        with pytest.raises(RuntimeError):
            service.score_measured(now=NOON)
    assert not HolderScore.objects.exists()
    assert [one.snapshot_time for one in measures.since(cursor=None, limit=9)] == [NOON]


def test_many_snapshots_ask_as_much_as_one() -> None:
    """The number of queries does not grow with the number of tokens."""
    policies.active()  # which version holds is remembered for a while
    asked = []
    for some in (1, 12):
        for _ in range(some):
            snapshot(factories.pool().token.mint_address)
        with CaptureQueriesContext(connection) as queries:
            assert service.score_measured(now=NOON) == some
        asked.append(len(queries))
    assert asked[0] == asked[1]


def scored_and_graduated(token: Token) -> None:
    """Score a token five minutes before noon and let it graduate at noon."""
    snapshot(token.mint_address, NOON - 5 * MINUTE)
    service.score_measured(now=NOON - 5 * MINUTE)
    graduate(token)


@pytest.mark.community
def test_g4_the_last_score_before_graduation_is_frozen_once(token: Token, sql: Callable[..., Any]) -> None:
    """It is marked, copied whole with its risks, shown by the view, and never frozen again."""
    scored_and_graduated(token)
    assert service.freeze_graduated(now=NOON + MINUTE) == 1
    (row,), (copy,) = HolderScore.objects.all(), HolderScoreFreeze.objects.all()
    assert (row.is_frozen, copy.score_time, copy.graduated_at) == (True, NOON - 5 * MINUTE, NOON)
    assert (copy.score["total_score"], copy.score["is_frozen"], copy.score["inputs"]) == (97, True, row.inputs)
    assert copy.risk is not None
    assert copy.risk["rug_risk_score"] == 40.5
    assert sql(LATEST, token.mint_address) == [(NOON - 5 * MINUTE, 97, True)]
    assert service.freeze_graduated(now=NOON + 9 * MINUTE) == 0


@pytest.mark.community
def test_g4_a_frozen_score_stays_whatever_comes(token: Token, sql: Callable[..., Any]) -> None:
    """Snapshots before and after graduation that are measured later add nothing; the seed's view would hide the row."""
    scored_and_graduated(token)
    service.freeze_graduated(now=NOON + MINUTE)
    for minutes in (-1, 5):
        snapshot(token.mint_address, NOON + minutes * MINUTE, gini_coefficient="0.1")
    assert service.score_measured(now=NOON + 6 * MINUTE) == 2
    assert (HolderScore.objects.count(), RiskMetric.objects.count()) == (1, 3)
    assert sql(LATEST, token.mint_address) == [(NOON - 5 * MINUTE, 97, True)]


@pytest.mark.community
def test_a_frozen_score_outlives_its_row(token: Token, sql: Callable[..., Any]) -> None:
    """When retention has dropped the rows, the view still shows score and risks as they were."""
    scored_and_graduated(token)
    service.freeze_graduated(now=NOON + MINUTE)
    view = "SELECT * FROM latest_holder_scores_v2 WHERE token_mint = %s"
    before = sql(view, token.mint_address)
    HolderScore.objects.all().delete()
    RiskMetric.objects.all().delete()
    assert sql(view, token.mint_address) == before
    assert before[0][2] == 97


def test_a_snapshot_of_before_is_scored_and_then_frozen(token: Token) -> None:
    """What was measured just before graduation and scored just after it is the score that is frozen."""
    scored_and_graduated(token)
    snapshot(token.mint_address, NOON - MINUTE, top_1_percentage=4)
    snapshot(token.mint_address, NOON + MINUTE)
    service.score_measured(now=NOON + 2 * MINUTE)
    assert service.freeze_graduated(now=NOON + 2 * MINUTE) == 1
    assert HolderScoreFreeze.objects.get().score_time == NOON - MINUTE
    assert list(HolderScore.objects.order_by("timestamp").values_list("is_frozen", flat=True)) == [False, True]


def test_a_fresh_graduation_waits_until_it_is_final(token: Token) -> None:
    """A graduation that a fork may still take back freezes nothing; one of an unknown time counts at once."""
    scored_and_graduated(token)
    assert service.freeze_graduated(now=NOON + 59 * timedelta(seconds=1)) == 0
    graduate(token, None)
    assert service.freeze_graduated(now=NOON) == 1
    assert HolderScoreFreeze.objects.get().graduated_at is None


def test_without_a_score_there_is_nothing_to_freeze(token: Token) -> None:
    """A token that was never scored graduates without a frozen score."""
    graduate(token)
    snapshot(token.mint_address, NOON + MINUTE)
    service.score_measured(now=NOON + MINUTE)
    assert service.freeze_graduated(now=NOON + MINUTE) == 0


@pytest.fixture
def policy(transactional_db: None) -> None:
    """Write version 1 again where a test before has emptied the tables."""
    import_module("scoring.migrations.0001_score_policy").seed(apps, connection.schema_editor())


@pytest.mark.django_db(transaction=True)
def test_g4_two_workers_freeze_once(policy: None, token: Token) -> None:
    """Two workers that score and freeze at the same moment leave one score, one copy and no error."""
    scored_and_graduated(token)
    snapshot(token.mint_address, NOON - MINUTE)
    start, done = threading.Barrier(2), []

    def work() -> None:
        try:
            start.wait(timeout=10)
            service.score_measured(now=NOON + MINUTE)
            done.append(service.freeze_graduated(now=NOON + MINUTE))
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)
    assert sorted(done) == [0, 1]
    assert HolderScoreFreeze.objects.get().score_time == NOON - MINUTE
    assert HolderScore.objects.filter(is_frozen=True).count() == 1


@pytest.mark.parametrize(
    ("looked_up", "seen", "words"),
    [(0, None, "Unknown: nobody has looked for insiders"), (1, False, "There are no insiders")],
)
def test_truth_23_without_a_look_up_nobody_has_looked_for_insiders(
    token: Token, looked_up: int, seen: bool | None, words: str
) -> None:
    """Trades do not tell who funded a wallet: judged by them alone a holder is no insider, and no proof that none sells."""
    people.holding(token.pools.get(), factories.address("judged"), flagged_at=NOON, flags={})
    snapshot(token.mint_address)
    people.quality(token_mint=token.mint_address, snapshot_time=NOON, wallets_sampled=1, wallets_enriched=looked_up)
    service.score_measured(now=NOON + MINUTE)
    risks = RiskMetric.objects.get()
    assert (risks.insider_selling, risks.evidence["insider_selling"]["words"]) == (seen, words)
    assert risks.inputs["signs"]["insiders"] == (None if seen is None else "0")


def test_truth_19_of_too_few_known_holders_nothing_is_safe(token: Token) -> None:
    """Where those who are known hold 0.008 % of what circulates there is no level, no risk and no point, and the reason is
    said; an older score does not pass for the new one."""
    parts.technical(token, at=NOON - MINUTE)
    snapshot(token.mint_address, NOON - MINUTE)
    service.score_measured(now=NOON)
    measured = {"judged_percentage": Decimal("0.0080"), "circulating_supply": 400_000}
    snapshot(token.mint_address, total_holders=1, **measured)
    service.score_measured(now=NOON + MINUTE)
    score, risks = HolderScore.objects.get(timestamp=NOON), RiskMetric.objects.get(timestamp=NOON)
    assert (score.total_score, score.available_max, score.total_holders) == (None, 0, None)
    assert (score.gini_coefficient, score.top_10_concentration, score.bot_wallet_ratio) == (None, None, None)
    assert (risks.risk_level, risks.rug_risk_score, risks.concentration_risk, risks.liquidity_risk) == (
        "unknown",
        None,
        None,
        None,
    )
    assert risks.single_wallet_dominance is None
    why = "The known owners hold 0.0080 % of what circulates; a measure needs 80 %"
    lines = [line for part in score.breakdown for line in part["components"]]
    assert {line["reason"].partition(". ")[2] for line in lines} == {why}
    first, last = TokenScore.objects.order_by("calculated_at")
    assert (first.holder_score, last.holder_score) == (97, None)
