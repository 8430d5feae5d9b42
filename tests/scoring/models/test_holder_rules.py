"""The rules of holder scores, their frozen copies and risks; the tables take no UPDATE, so each is broken by a new row."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from scoring.models import HolderScore, HolderScoreFreeze, RiskMetric
from tests import breaking, factories
from tests.breaking import Build, Case
from tests.factories import NOON
from tests.scoring.holder_rows import freeze, holder_score, risk_metric

pytestmark = pytest.mark.django_db

MINT = factories.address("scored twice")
PUBLISHED = Path(__file__).parents[2] / "tokens" / "sql" / "published" / "001_latest_holder_scores_v2.sql"

BROKEN: list[Case] = [
    ("valid_progress", holder_score, {"progress_quote_pct": None}),
    ("valid_progress", holder_score, {"progress_quote_pct": 100}),
    ("valid_progress", holder_score, {"total_holders": 0}),
    ("holder_distribution_score_0_to_111", holder_score, {"distribution_score": "111.01"}),
    ("holder_distribution_score_0_to_111", holder_score, {"distribution_score": "-0.01"}),
    ("holder_quality_score_0_to_111", holder_score, {"quality_score": "111.01"}),
    ("holder_activity_score_0_to_111", holder_score, {"activity_score": "-1"}),
    ("holder_score_available_max_0_to_333", holder_score, {"available_max": "333.01"}),
    ("holder_score_at_most_available", holder_score, {"available_max": "199.99"}),
    ("holder_score_confidence_known", holder_score, {"confidence_level": "SURE"}),
    ("holder_score_frozen_before_graduation", freeze, {"score_time": NOON + timedelta(seconds=1)}),
    ("risk_level_known", risk_metric, {"risk_level": "fine"}),
    ("risk_unknown_is_not_low", risk_metric, {"risk_level": "low", "overall_risk_weighted": None}),
]
"""Every named rule of one row."""

FIELDS: list[Case] = [
    *breaking.field_cases(holder_score, HolderScore),
    *breaking.field_cases(freeze, HolderScoreFreeze),
    *breaking.field_cases(risk_metric, RiskMetric),
]
"""What the types of the fields refuse."""

TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "holder_scores_pkey": (holder_score, ("token_mint", "timestamp")),
    "risk_metrics_pkey": (risk_metric, ("token_mint", "timestamp")),
    "holder_score_frozen_once": (freeze, ("token_mint",)),
}
"""What no two rows may share."""


def refusal(build: Any, change: Any) -> str:
    """Return the name of the rule that refuses the row."""
    with pytest.raises(DatabaseError) as refused, transaction.atomic():
        build(**change)
    return breaking.name_in(refused.value)


@pytest.mark.parametrize(
    ("name", "build", "change"), BROKEN, ids=[f"{name}-{next(iter(change))}" for name, _, change in BROKEN]
)
def test_a_row_that_cannot_be_is_refused(name: str, build: Any, change: Any) -> None:
    """Each rule refuses, by its own name, the row that breaks only it."""
    assert refusal(build, change) == name


@pytest.mark.parametrize(
    ("name", "build", "change"), FIELDS, ids=[f"{name}={next(iter(change.values()))}" for name, _, change in FIELDS]
)
def test_a_value_out_of_its_range_is_refused(name: str, build: Any, change: Any) -> None:
    """Addresses, percentages and versions refuse what their type rules out."""
    assert refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """A token has one score and one row of risks a snapshot, and is frozen once."""
    build: Any
    build, _ = TWINS[name]
    build(token_mint=MINT)
    assert refusal(build, {"token_mint": MINT}) == name


def test_g4_the_seeds_rule_would_take_an_unknown_progress() -> None:
    """The seed's CHECK is NULL for a row without progress, which PostgreSQL lets pass; ours refuses it."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE seeds (p numeric, frozen boolean, CHECK ((p >= 10 AND p < 100) OR frozen))")
        cursor.execute("INSERT INTO seeds VALUES (NULL, false)")
        assert cursor.rowcount == 1
    assert refusal(holder_score, {"progress_quote_pct": None}) == "valid_progress"


def test_g4_a_frozen_row_may_be_at_a_hundred_percent() -> None:
    """The window holds for rows that are not frozen."""
    assert holder_score(progress_quote_pct=100, is_frozen=True).is_frozen


def test_g8_the_seeds_overall_passes_over_what_is_unknown() -> None:
    """GREATEST of one known 0 is 0, which looks safe; the row itself says that nearly nothing was known."""
    row = risk_metric(
        concentration_risk=None,
        bot_activity_score=None,
        rug_risk_score=None,
        risk_completeness=10,
        risk_level="unknown",
    )
    assert (row.overall_risk_score, row.risk_completeness, row.risk_level) == (0, 10, "unknown")
    nothing = risk_metric(
        concentration_risk=None, bot_activity_score=None, rug_risk_score=None, wash_trading_score=None
    )
    assert nothing.overall_risk_score is None


@pytest.mark.parametrize(
    ("parts", "total"),
    [(("75", "65", "60"), "200.00"), (("75.25", None, "0.75"), "76.00"), ((None, None, None), None)],
)
def test_a_total_is_the_sum_of_the_known_blocks(parts: tuple[str | None, ...], total: str | None) -> None:
    """The database adds the blocks up; a NULL adds nothing, and three of them leave the total unknown."""
    names = ("distribution_score", "quality_score", "activity_score")
    row = holder_score(**dict(zip(names, parts, strict=True)))
    assert row.total_score == (None if total is None else Decimal(total))


def refused(change: Any) -> str:
    """Return what the database says to a change that it does not take."""
    with pytest.raises(DatabaseError) as said, transaction.atomic():
        change()
    return str(said.value).split("\n")[0]


@pytest.mark.community
def test_a_score_never_changes() -> None:
    """Points, inputs and times of a stored score stay; freezing it is the only change, and final."""
    rows = HolderScore.objects.filter(pk=holder_score().pk)
    for change in ({"quality_score": 66}, {"inputs": {"gini": "0"}}, {"timestamp": NOON + timedelta(seconds=1)}):
        assert refused(lambda change=change: rows.update(**change)).startswith("A holder score never changes")
    assert rows.update(is_frozen=True) == 1
    assert refused(lambda: rows.update(is_frozen=False)).startswith("A holder score never changes")
    assert refused(lambda: rows.update(is_frozen=True)).startswith("A holder score never changes")


@pytest.mark.community
def test_nothing_is_added_to_a_frozen_token() -> None:
    """Once a token's score is frozen no later one is stored, whoever writes it."""
    freeze(token_mint=MINT)
    assert refused(lambda: holder_score(token_mint=MINT)) == f"The holder score of {MINT} is frozen"


@pytest.mark.community
def test_frozen_copies_and_risks_stay() -> None:
    """A frozen copy is neither edited nor removed, and risks are not edited."""
    copy, risk = freeze(), risk_metric()
    for change in (
        lambda: HolderScoreFreeze.objects.filter(pk=copy.pk).update(frozen_at=NOON),
        copy.delete,
        lambda: RiskMetric.objects.filter(pk=risk.pk).update(rug_risk_score=0),
    ):
        assert "Cannot" in refused(change)


@pytest.mark.community
def test_the_view_shows_what_the_seeds_query_shows() -> None:
    """Of tokens that have not graduated the newest rows, with the newest risks, are those of the published query."""
    for name in ("a", "b"):
        mint = factories.token(mint_address=factories.address(name)).mint_address
        for minutes in (0, 1):
            holder_score(token_mint=mint, timestamp=NOON + timedelta(minutes=minutes), activity_score=minutes)
            risk_metric(token_mint=mint, timestamp=NOON + timedelta(minutes=2 * minutes), rug_risk_score=minutes)
    with connection.cursor() as cursor:
        cursor.execute(PUBLISHED.read_text())
        theirs = cursor.fetchall()
        cursor.execute("SELECT * FROM latest_holder_scores_v2 ORDER BY token_mint")
        ours = [row[: len(theirs[0])] for row in cursor.fetchall()]
    assert ours == theirs
    assert [(row[2], row[10]) for row in ours] == [(141, 1), (141, 1)]
