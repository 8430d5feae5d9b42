"""``manage.py explain_score``: what a person reads, what a program reads, and that computing again gives the same."""

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from scoring.models import TokenScore
from scoring.services import cleaning, totals
from tests import factories
from tests.factories import NOON
from tests.scoring import parts
from tokens.models import Token

pytestmark = pytest.mark.django_db


def explained(token: Token, *arguments: str) -> str:
    """Return what the command prints."""
    out = io.StringIO()
    call_command("explain_score", token.mint_address, *arguments, stdout=out)
    return out.getvalue()


def scored(**given: Any) -> Token:
    """Return a token with a technical score below zero at noon, and holders and risks from a minute later."""
    token = factories.token(symbol="CALM", **given)
    parts.technical(token)
    totals.refresh(mints=[token.mint_address], now=NOON)
    parts.holder(token, at=parts.later(1))
    parts.risk(token, at=parts.later(1))
    totals.refresh(mints=[token.mint_address], now=parts.later(1))
    return token


def test_a_person_reads_every_line_and_what_is_unknown() -> None:
    """Totals, parts, lines with points of their most and the reason; and in the end that it is the same again."""
    said = explained(scored())
    score = TokenScore.objects.latest("calculated_at")
    assert f"TOTAL {score.total_adjusted} of 666 (" in said
    assert f"HOLDERS {score.holder_score.normalize():f} of 333" in said
    assert "    Wallet age               31.00 of 31     The wallets' mean age in days is 120, above 90" in said
    assert "SOCIAL unknown\n  No source was asked how it is followed: the progress of its curve is not known.\n" in said
    assert "  Social momentum         unknown          no source tells the sentiment: no source was asked" in said
    assert said.endswith(f"Computed again from its stored inputs: {score.total_adjusted}, the same.\n")


def test_a_program_reads_the_same_as_json() -> None:
    """Numbers are text, unknown is null with its reason."""
    found = json.loads(explained(scored(), "--json"))
    score = TokenScore.objects.latest("calculated_at")
    assert found["score"]["total_adjusted"] == score.total_adjusted
    assert found["computed_again"] == {
        "total_adjusted": score.total_adjusted,
        "is_same": True,
        "parts_not_stored_any_more": [],
    }
    technical, holder, social = found["parts"]
    assert [block["name"] for block in technical["blocks"]] == [
        "market_cap",
        "bonding_curve",
        "trading_health",
        "selloff_response",
    ]
    assert (
        sum(Decimal(block["points"]) for block in holder["blocks"]) == score.holder_score == Decimal(holder["points"])
    )
    assert (social["points"], social["why_unknown"]) == (
        None,
        "No source was asked how it is followed: the progress of its curve is not known.",
    )


def test_a_past_score_is_explained_as_it_was() -> None:
    """A minute earlier nobody knew the holders."""
    token = scored()
    found = json.loads(explained(token, "--json", "--at", NOON.isoformat()))
    assert (found["score"]["available_max"], found["parts"][1]["why_unknown"]) == (
        333,
        "Its holders were not measured: its launch curve was never seen, whose progress asks for an analysis.",
    )


@pytest.mark.parametrize("table", ["technical_scores", "holder_scores"])
def test_lines_that_retention_dropped_are_said_to_be_gone(table: str) -> None:
    """The points are as they were stored, and the total is the same."""
    token = scored()
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
    said = explained(token)
    assert "Its lines are not stored any more; the points are as they were stored." in said
    assert "the same. The lines of" in said


def test_a_graduated_token_keeps_the_lines_of_its_last_score() -> None:
    """The night copies what its parts were made from before retention drops their rows."""
    token = scored(is_graduated=True, graduation_timestamp=parts.later(2), graduation_platform="pumpswap")
    assert cleaning.keep_parts(now=parts.later(60 * 25)) == 1
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM technical_scores")
    found = json.loads(explained(token, "--json"))
    assert (found["parts"][0]["is_same"], len(found["parts"][0]["blocks"])) == (True, 4)


def test_another_number_is_said_and_fails() -> None:
    """Somebody changed what the score was made from."""
    token = scored()
    with connection.cursor() as cursor:
        cursor.execute('UPDATE technical_scores SET inputs = inputs || \'{"market_cap_usd": "1"}\'')
    with pytest.raises(CommandError, match="it is another number") as refusal:
        explained(token)
    assert refusal.value.returncode == 1


def test_a_negative_part_is_told_as_it_was_counted() -> None:
    """What is below zero adds nothing, and the page says so."""
    token = factories.token()
    facts = parts.market.Facts(
        price=Decimal(1),
        first_5m=Decimal(2),
        first_15m=Decimal(2),
        first_30m=Decimal(2),
        red=5,
        selloff_minutes=40,
        market_cap_usd=Decimal(10),
    )
    row = parts.technical(token, facts=facts)
    totals.refresh(mints=[token.mint_address], now=NOON)
    assert row.total_score < 0
    assert f"(counted {row.total_score.normalize():f}; what is below zero adds nothing)" in explained(token)


def test_why_there_is_no_score() -> None:
    """Each part says what is missing."""
    with pytest.raises(CommandError) as refusal:
        explained(factories.token())
    assert refusal.value.returncode == 2
    assert "Technical: Its market was not measured: no trade of it is known." in str(refusal.value)
    with pytest.raises(CommandError, match="No token") as refusal:
        call_command("explain_score", factories.address("nobody"))
    assert refusal.value.returncode == 2


def test_truth_20_it_says_why_a_graduated_silent_token_has_no_points() -> None:
    """The curve that is over and the silence of an hour are given as reasons, and the lines are computed again the same."""
    token = factories.token()
    calm = {f"high_{minutes}m": Decimal(1) for minutes in (5, 15, 30, 60)}
    parts.technical(
        token,
        facts=parts.market.Facts(
            price=Decimal(1), market_cap_usd=Decimal(30_000), is_silent=True, is_graduated=True, **calm
        ),
    )
    totals.refresh(mints=[token.mint_address], now=NOON)
    found = explained(token)
    assert "It has graduated: its curve is over and is not scored any more." in found
    assert "No trade of the last hour forms a price: silence is no strength." in found
    assert json.loads(explained(token, "--json"))["parts"][0]["available"] == "250"
