"""Versions of the rules: published with what differs, refused in words, and compared before they hold."""

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from megatron.core.models import AuditEntry
from scoring.domain.terms import PolicyMalformed
from scoring.models import ScorePolicy
from scoring.services import policies, previews, totals
from tests import factories
from tests.factories import NOON
from tests.scoring import parts

pytestmark = pytest.mark.django_db


def terms(road: str = "", value: Any = None) -> dict[str, Any]:
    """Return the active terms with one changed."""
    found = deepcopy(ScorePolicy.objects.get(active=True).terms)
    if road:
        *groups, last = road.split(".")
        inner = found
        for group in groups:
            inner = inner[group]
        inner[last] = value
    return found


def publish(road: str, value: Any, **given: Any) -> ScorePolicy:
    """Publish the active terms with one changed."""
    asked = {"operator": "ada", "reason": "Try it", "now": NOON, **given}
    return policies.publish(terms=terms(road, value), **asked)


def test_a_new_version_is_active_and_audited() -> None:
    """One version is active, the old one keeps its terms, and the log names the term that differs."""
    made = publish("holder.window.holders_at_least", "6")
    assert list(ScorePolicy.objects.order_by("version").values_list("version", "active")) == [(1, False), (2, True)]
    assert policies.active().version == 2
    assert policies.active().holder.section("window").whole("holders_at_least") == 6
    assert policies.of(1).holder.section("window").whole("holders_at_least") == 5
    entry = AuditEntry.objects.get(action="score_policy.publish")
    assert (entry.actor, entry.reason, entry.object_id) == ("ada", "Try it", str(made.version))
    assert (entry.before, entry.after) == (
        {"version": 1, "terms": {"holder.window.holders_at_least": "5"}},
        {"version": 2, "terms": {"holder.window.holders_at_least": "6"}},
    )


@pytest.mark.parametrize(
    ("road", "value", "said"),
    [
        ("total.multipliers.organic_growth.factor", "many", 'write a number as text, for example "12.5"'),
        ("total.multipliers.organic_growth.factor", "-1", "write a number from 0.1 to 2"),
        ("total.flags.honeypot.hard", "yes", "total.flags.honeypot.hard is 'yes': write true or false"),
        ("total.flags.honeypot", {}, "total.flags.honeypot.hard is missing"),
        ("risk.weights.bots", "0.9", "add up to 1"),
        ("holder.gini", [{"points": "900"}], "points together: write at most 111"),
        ("holder.gini", [{"below": "1", "points": "1"}], "end with a row that has points and no bound"),
        ("social.twitter.engagement.points", "500", "111"),
        ("surprise", "1", "surprise is no term of a policy"),
    ],
)
def test_terms_that_cannot_be_are_refused_in_words(road: str, value: Any, said: str) -> None:
    """The sentence names the term and what to write; no version is made."""
    with pytest.raises(PolicyMalformed) as refusal:
        publish(road, value)
    assert said in str(refusal.value)
    assert ScorePolicy.objects.count() == 1


def test_the_same_terms_an_old_form_and_no_reason_are_refused() -> None:
    """Nothing to say, nothing to publish; and nobody overwrites what he has not seen."""
    with pytest.raises(policies.PolicyUnchanged):
        policies.publish(terms=terms(), operator="ada", reason="Again", now=NOON)
    with pytest.raises(ValueError, match="Say why"):
        publish("total.high_ratio", "0.8", reason=" ")
    publish("total.high_ratio", "0.8", on_top_of=1)
    with pytest.raises(policies.PolicyMoved, match="Version 2 is active by now, not 1"):
        publish("total.high_ratio", "0.9", on_top_of=1)


def test_a_term_that_came_later_counts_as_its_default() -> None:
    """An old version stays readable when the code learns a new term."""
    old = terms()
    del old["total"]["high_ratio"]
    ScorePolicy.objects.create(version=7, terms=old, reason="Old", created_by="ada")
    assert policies.of(7).total.number("high_ratio") == Decimal("0.70")


def test_g12_a_version_never_changes() -> None:
    """The database refuses other terms for a version that scores point to."""
    with pytest.raises(Exception, match="never changes"), transaction.atomic():
        ScorePolicy.objects.update(terms=terms("total.high_ratio", "0.1"))
    with pytest.raises(IntegrityError), transaction.atomic():
        ScorePolicy.objects.create(version=2, active=True, terms=terms(), reason="Two", created_by="ada")


def test_a_preview_says_who_would_move_and_by_how_much() -> None:
    """From stored inputs, with nothing written: two of three tokens have holders, and would lose 20 points each."""
    tokens = [factories.token() for _ in range(3)]
    for token in tokens:
        parts.technical(token)
    for token in tokens[:2]:
        parts.holder(token)
    totals.refresh(mints=[token.mint_address for token in tokens], now=NOON)
    wanted = terms("holder.wallet_age_days", [{"points": "11"}])
    with CaptureQueriesContext(connection) as asked:
        found = previews.preview(terms=wanted)
    assert (found.first, found.second, found.compared, found.moved, found.up, found.down) == (1, 0, 3, 2, 0, 2)
    assert ([move.by for move in found.largest], found.mean_change) == ([-20, -20], pytest.approx(-40 / 3))
    assert {move.token.pk for move in found.largest} == {token.pk for token in tokens[:2]}
    assert len(asked) <= 4
    assert ScorePolicy.objects.count() == 1


def test_a_hard_flag_in_a_preview_counts_as_disqualified() -> None:
    """A flag that becomes hard takes the total of who raises it."""
    token = factories.token()
    parts.holder(token)
    facts = parts.risks.Facts(**{**parts.stored.asdict(parts.SAFE), "top_1_pct": Decimal(12)})
    parts.risk(token, facts=facts)
    totals.refresh(mints=[token.mint_address], now=NOON)
    found = previews.preview(terms=terms("total.flags.large_wallet.hard", True))
    assert (found.disqualified_before, found.disqualified_after, found.down) == (0, 1, 1)
    assert found.largest[0].after.adjusted == 0


def test_two_versions_stand_side_by_side() -> None:
    """Both compute the same inputs; the active one need not be among them."""
    token = factories.token()
    parts.holder(token)
    totals.refresh(mints=[token.mint_address], now=NOON)
    publish("holder.wallet_age_days", [{"points": "11"}])
    publish("holder.wallet_age_days", [{"points": "21"}])
    found = previews.side_by_side(first=2, second=1)
    assert (found.first, found.second, [move.by for move in found.largest]) == (2, 1, [20])
