"""What a token scored and what speaks against it, as its page says it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from scoring.admin import lines, panels
from scoring.domain.points import Component, Part
from scoring.domain.total import PartPoints
from scoring.domain.verdicts import Facts
from scoring.services import explain, totals
from scoring.services.explain import PartExplained
from tests import factories
from tests.factories import NOON
from tests.scoring import parts, shown
from tokens.models import Token

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
CURVE = Facts(progress_pct=Decimal(80), reached_pct=Decimal(70), reached_after_hours=Decimal("1.3"))


@pytest.fixture
def scored() -> Token:
    """A token whose newest score is of now, with one a minute and one two hours earlier."""
    token = factories.token(symbol="WIF")
    shown.token_score(token, calculated_at=NOON - 120 * MINUTE, technical_score=100)
    shown.token_score(token, calculated_at=NOON - MINUTE, technical_score=Decimal("199.5"))
    shown.newest_score(
        token,
        technical_score=200,
        holder_score=Decimal("111.25"),
        available_max=666,
        score_multiplier=Decimal("1.15"),
        facts=CURVE,
    )
    return token


def context(token: Token) -> Any:
    """Return what the score's panel is made of."""
    return panels.score(token=token, now=NOON).context


def test_the_newest_score_is_read_with_its_course(scored: Token, django_assert_num_queries: Any) -> None:
    """As many queries for one score as for hundreds: two for scores, one for the rows behind them, one for the policy, and
    five that say why something is unknown: whether it was scored, pools, measured holders, the analysis, sources."""
    for seconds in range(200):
        shown.token_score(scored, calculated_at=NOON - 30 * MINUTE + timedelta(seconds=seconds))
    context(scored)
    with django_assert_num_queries(9):
        it = context(scored)
    assert (it["score"].total_adjusted, it["score"].available_max, it["multiplier"]) == (358, 666, "1.15")
    assert [label for label, _ in it["multipliers"]] == ["Strong curve"]
    assert "Organic growth" in [label for label, _ in it["unknown"]]
    assert it["checked"] == ""


def test_each_part_has_a_third_of_the_dial(scored: Token) -> None:
    """333 points fill 321 of 999; an unknown part fills nothing and is not called 0."""
    technical, holder, social = context(scored)["parts"]
    assert (technical.points, technical.start, round(technical.length, 4)) == (200, -6, Decimal("192.7928"))
    assert (holder.points, holder.start) == (Decimal("111.25"), -339)
    assert (social.points, social.start, social.length) == (None, -672, 0)
    assert context(scored)["dial"] == (
        "358 of 666 points that were to be had: Technical 200 of 333, Holders 111.25 of 333, Social unknown."
    )


def test_the_course_has_the_last_score_of_each_minute_of_a_day(scored: Token) -> None:
    """Oldest first; a part that nobody knew has no point, and a line without a point is left out."""
    shown.token_score(scored, calculated_at=NOON - MINUTE + timedelta(seconds=59), technical_score=190)
    shown.token_score(scored, calculated_at=NOON - timedelta(hours=24, seconds=1))
    lines = {line["name"]: line["points"] for line in context(scored)["chart"]["lines"]}
    assert lines == {
        "Total": [[1783072800, "100"], [1783079999, "190"], [1783080000, "358"]],
        "Technical": [[1783072800, "100"], [1783079999, "190"], [1783080000, "200"]],
        "Holders": [[1783080000, "111.25"]],
    }


def test_what_changed_is_told_since_an_hour_and_step_by_step(scored: Token) -> None:
    """Against the score that held an hour ago, and each newest score against the one before it."""
    it = context(scored)
    assert it["before"].calculated_at == NOON - 120 * MINUTE
    assert it["since"][0] == "The total went from 100 to 358 (+258)."
    assert [told[0] for _, told in it["changes"]] == [
        "The total went from 200 to 358 (+158).",
        "The total went from 100 to 200 (+100).",
    ]


def test_lines_say_points_of_most_and_why() -> None:
    """Unknown is not 0, a penalty is a loss, a bonus has no most, and a part below zero says what it counts."""
    given = (
        ("velocity", "12.5", "40", "fast"),
        ("ratio", None, "25", "no trades"),
        ("red_candles", "-15", "0", "three"),
        ("bonus", "2", "0", "quick"),
    )
    components = tuple(
        Component(name, None if points is None else Decimal(points), Decimal(most), why, {})
        for name, points, most, why in given
    )
    part = PartExplained(
        name="technical",
        points=Decimal(0),
        stored=PartPoints(Decimal("-0.5"), Decimal(65)),
        at=NOON,
        policy_version=1,
        blocks=(Part("selloff_response", components, Decimal(75)),),
        why_unknown="",
        again=Decimal("-0.5"),
        is_same=True,
    )
    shown_part = lines._part(part)
    (block,) = shown_part.blocks
    assert (shown_part.said, shown_part.note) == ("0 of 65", "Counted -0.5; what is below zero adds nothing.")
    assert (block.label, block.said) == ("Selloff response", "-0.5 of 75")
    assert [(line.bar.label, line.bar.part, line.bar.whole, line.bar.said, line.is_loss) for line in block.lines] == [
        ("Velocity", Decimal("12.5"), 40, "12.5 of 40", False),
        ("Ratio", None, 1, "unknown", False),
        ("Red candles", 15, 15, "-15.00", True),
        ("Bonus", 2, 2, "+2.00", False),
    ]


def test_risks_come_with_signs_and_sell_offs(scored: Token, django_assert_num_queries: Any) -> None:
    """Seen signs first, then those that nobody knows; an unknown risk is said to be unknown. Two queries."""
    shown.risk(scored, timestamp=NOON - MINUTE, risk_level="low")
    shown.risk(scored)
    shown.selloff(scored)
    with django_assert_num_queries(2):
        panel = panels.risk(token=scored, now=NOON)
    assert panel is not None
    it = panel.context
    assert it["risk"].risk_level == "high"
    assert [(sign["label"], sign["seen"]) for sign in it["signs"]] == [
        ("Bot swarm detected", True),
        ("Insider selling", None),
        ("Creator dumping", False),
    ]
    assert [(bar.label, bar.said) for bar in it["bars"][:3]] == [
        ("Concentration", "71"),
        ("Bots", "61"),
        ("Rug", "unknown"),
    ]
    assert panels.risk(token=factories.token(), now=NOON) is None


def test_the_page_says_it_in_words(client: Client, scored: Token) -> None:
    """Dial, multiplier, unknown verdicts, risks and the open sell-off; a hard flag says that it makes the total 0."""
    client.force_login(User.objects.create_superuser("operator"))
    shown.risk(scored)
    shown.selloff(scored)
    page = client.get(reverse("admin:tokens_token_change", args=[scored.pk])).content.decode()
    for said in (
        'aria-label="358 of 666 points',
        "Strong curve × 1.15",
        "Unknown: no source tells the sentiment: no source was asked how it is followed",
        "No source was asked how it is followed: the progress of its curve is not known.",
        "61 % of the wallets are bots",
        "Fell 33.3 %",
    ):
        assert said in page
    bad = factories.token()
    shown.newest_score(bad, is_disqualified=True, red_flags=["honeypot"], facts=Facts(honeypot=True))
    page = client.get(reverse("admin:tokens_token_change", args=[bad.pk])).content.decode()
    assert "makes it 0" in page
    assert "disqualified" in page
    assert (
        "It is not scored yet"
        in client.get(reverse("admin:tokens_token_change", args=[factories.token().pk])).content.decode()
    )


def test_truth_23_no_raised_flag_is_not_said_to_be_no_flag(client: Client) -> None:
    """Of a token of which only the market is known nobody could decide most flags, and the page says how many."""
    token = factories.token()
    parts.technical(token)
    totals.refresh(mints=[token.mint_address], now=NOON)
    client.force_login(User.objects.create_superuser("operator"))
    page = client.get(reverse("admin:tokens_token_change", args=[token.pk])).content.decode()
    undecided = sum(one.holds is None for one in explain.explain(token=token, now=NOON).flags)
    assert undecided > 5
    assert f"None is raised; {undecided} of them nobody could decide." in page
