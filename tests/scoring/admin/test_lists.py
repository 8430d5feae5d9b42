"""Lists of scores and sell-offs: in order, by an index, with the same number of queries for any number of rows."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.test import Client
from django.urls import reverse

from scoring.admin.score import LatestTokenScoreAdmin
from scoring.models import LatestTokenScore
from tests import factories
from tests.factories import NOON
from tests.scoring import holder_rows, shown

pytestmark = pytest.mark.django_db

QUERIES = {"latesttokenscore": 6, "tokenscore": 7, "selloffevent": 7}


@pytest.fixture
def console(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def page_of(name: str) -> str:
    return reverse(f"admin:scoring_{name}_changelist")


@pytest.mark.parametrize("name", QUERIES)
def test_a_list_asks_the_same_number_of_queries_for_any_number_of_rows(
    console: Client, django_assert_num_queries: Any, name: str
) -> None:
    """Twelve rows of twelve tokens cost what is written above."""
    for number in range(12):
        token = factories.token()
        shown.newest_score(token, technical_score=number)
        shown.selloff(token)
    console.get(page_of(name))
    with django_assert_num_queries(QUERIES[name]):
        answer = console.get(page_of(name))
    assert answer.context["cl"].result_count == 12


def test_tokens_are_in_the_order_of_their_points(console: Client) -> None:
    """The highest total first; sorted by a part, those that do not have it come last in the first click's order."""
    scores = {"low": {"technical_score": 50}, "high": {"technical_score": 40, "holder_score": 90, "available_max": 666}}
    for symbol, points in scores.items():
        shown.newest_score(factories.token(symbol=symbol), **points)
    shown.newest_score(
        factories.token(symbol="bad"), technical_score=300, is_disqualified=True, red_flags=["honeypot", "pump_dump"]
    )

    def order(**asked: str) -> list[str]:
        rows = console.get(page_of("latesttokenscore"), asked).context["cl"].result_list
        return [row.token.symbol for row in rows]

    assert order() == ["high", "low", "bad"]
    assert order(o="3") == ["bad", "low", "high"]
    assert order(o="4")[0] == "high"
    assert order(q="low") == ["low"]
    page = console.get(page_of("latesttokenscore")).content.decode()
    assert "Honeypot, Pump dump" in page
    assert "130\u00a0of\u00a0666" in page


@pytest.mark.parametrize("column", ["total_adjusted", "total_ratio", "technical_score", "holder_score", "social_score"])
def test_each_order_of_the_list_has_its_index(column: str) -> None:
    """A page of the list reads an index in its order and sorts nothing."""
    rows = LatestTokenScore.objects.filter(score__isnull=False)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off")
    plan = rows.order_by(F(column).desc(nulls_last=True), "-pk")[:50].explain()
    assert "idx_latest_scores_" in plan
    assert "Sort" not in plan
    assert LatestTokenScoreAdmin.ordering == (F("total_adjusted").desc(nulls_last=True), "-pk")


def test_open_sell_offs_are_those_of_now(console: Client) -> None:
    """The filter keeps those that have neither recovered nor expired; the row leads to the token."""
    falling, back = factories.token(symbol="FALL"), factories.token(symbol="BACK")
    shown.selloff(falling)
    shown.selloff(
        back,
        status="recovered",
        recovery_price=Decimal("0.000000029"),
        recovery_time=NOON + timedelta(minutes=12),
        ended_at=NOON + timedelta(minutes=12),
        duration_minutes=12,
    )
    every = console.get(page_of("selloffevent")).content.decode()
    now = console.get(page_of("selloffevent"), {"status__exact": "open"}).content.decode()
    assert ("BACK" in every, "12 min" in every) == (True, True)
    assert ("FALL" in now, "BACK" in now, "33.3 %" in now) == (True, False, True)
    assert reverse("admin:tokens_token_change", args=[falling.pk]) in now


def test_the_page_of_a_score_explains_it_as_it_was(console: Client) -> None:
    """Its parts in words, and why each verdict is what it is."""
    score = shown.token_score(factories.token(symbol="WIF"), holder_score=Decimal(111), available_max=666)
    page = console.get(reverse("admin:scoring_tokenscore_change", args=[score.pk])).content.decode()
    assert "311 of 666 points that were to be had" in page
    assert "Unknown: its risks were not judged. Its holders were not measured: its launch curve was never seen" in page


def test_truth_23_lines_of_a_risk_are_rounded_for_eyes_and_unknown_is_said(console: Client) -> None:
    """28 digits of a division are no precision; what is unknown is that word and no 0."""
    lines = [
        {
            "name": "sold",
            "points": "14.28571428571428571428571428",
            "most": "50",
            "reason": "One of seven",
            "inputs": {},
        },
        {"name": "sells", "points": "0", "most": "50", "reason": "None", "inputs": {}},
        {"name": "alike", "points": None, "most": "50", "reason": "Nobody was asked", "inputs": {}},
    ]
    risks = holder_rows.risk_metric(breakdown=[{"name": "volatility", "components": lines, "most": "100"}])
    page = console.get(reverse("admin:scoring_riskmetric_change", args=[risks.pk])).content.decode()
    assert "Volatility, sold: 14.29</strong>. One of seven" in page
    assert "Volatility, sells: 0</strong>. None" in page
    assert "Volatility, alike: unknown</strong>. Nobody was asked" in page
