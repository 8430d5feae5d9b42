"""Each way in which something is unknown, and the reason that is told of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from holders.choices import JobReason
from holders.models import HolderScoreJob
from scoring.domain import holder as holders
from scoring.domain import risk as risks
from scoring.domain import social as socials
from scoring.domain.signs import Signs
from scoring.domain.technical import facts as market
from scoring.models import SocialPoll, TechnicalDue
from scoring.services import explain, totals, why_unknown
from tests import factories
from tests.factories import NOON
from tests.holders import shown
from tests.scoring import parts
from tokens.models import Pool, Token

pytestmark = pytest.mark.django_db

D = Decimal
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def why(name: str, token: Token, at: datetime = NOON) -> str:
    return why_unknown.part(name, causes=why_unknown.Causes(token=token, at=at), blocks=())


def curve(token: Token, **fields: Any) -> Pool:
    """Create a launch curve; the database derives its progress: ``real_sol_reserves`` of 1,000."""
    return factories.pool(token, **{"quote_target": 1_000, "real_sol_reserves": 400, **fields})


# The technical part.


def test_truth_23_a_token_without_a_trade_has_no_market() -> None:
    """It was created, and nobody traded it."""
    assert why("technical", factories.token()) == "Its market was not measured: no trade of it is known."


def test_truth_23_a_token_that_did_not_exist_is_told_so() -> None:
    """Somebody asks about a time before its creation."""
    token = factories.token(creation_timestamp=NOON + HOUR)
    assert why("technical", token) == "It did not exist yet: it was created at 2026-07-03 13:00:00 UTC."


def test_truth_23_side_pools_price_nothing() -> None:
    """It trades, where nothing prices it."""
    token = factories.token()
    factories.pool(token, pool_type="permissionless", last_trade_at=NOON)
    assert why("technical", token) == (
        "Its market was not measured: it trades in side pools only, which do not price it."
    )


def test_truth_23_a_token_whose_turn_has_not_come_waits_for_a_worker() -> None:
    """It traded, is on the list, and nobody scored it; or it is not even there."""
    token = factories.token()
    curve(token, last_trade_at=NOON)
    assert why("technical", token).startswith("Its market was not measured by then")
    TechnicalDue.objects.create(token=token, due_at=NOON, traded_at=NOON)
    assert why("technical", token) == "Its market was not measured yet: it waits for a worker of the queue score."


# The holder part.


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"real_sol_reserves": 30},
            "nobody asked for it; its curve stands at 3 %, and an analysis is due at 10, 25",
        ),
        ({"real_sol_reserves": None}, "the progress of its curve is not known, which asks for an analysis"),
    ],
)
def test_truth_23_holders_that_nobody_asked_for(fields: dict[str, Any], reason: str) -> None:
    """What would ask for an analysis, and how far it is."""
    token = factories.token()
    curve(token, **fields)
    assert why("holder", token).startswith(f"Its holders were not measured: {reason}")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "an analysis is asked for since 2026-07-03 11:00 UTC and waits"),
        (
            {"last_error": "HTTP 429"},
            "an analysis is asked for since 2026-07-03 11:00 UTC, and the newest attempt failed: HTTP 429",
        ),
        (
            {"last_error": "no provider", "attempts": 3, "quarantined_at": NOON},
            "the analysis was set aside after 3 attempts: no provider",
        ),
        ({"finished_at": NOON}, "the analysis that was made found nobody who holds it"),
    ],
)
def test_truth_23_holders_whose_analysis_is_not_done(fields: dict[str, Any], reason: str) -> None:
    """It waits, failed, was set aside, or found nobody."""
    token = factories.token()
    curve(token)
    HolderScoreJob.objects.create(
        token_mint=token.mint_address,
        reason=JobReason.MILESTONE_CROSSED,
        scheduled_at=NOON - HOUR,
        due_at=NOON - HOUR,
        **fields,
    )
    assert why("holder", token) == f"Its holders were not measured: {reason}."


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"progress_quote_pct": None, "measured_at": NOON}, "Its progress is not known."),
        ({"progress_quote_pct": D(3), "measured_at": NOON}, "Its progress of 3 % is below 5 %."),
        ({"progress_quote_pct": D(100), "measured_at": NOON}, "Its progress of 100 % has reached 100 %."),
        ({"progress_quote_pct": D(40), "total_holders": 4, "measured_at": NOON}, "It has 4 holders, fewer than 5."),
        (
            {"progress_quote_pct": D(40), "measured_at": NOON},
            "Its measured holders wait to be scored: a worker of the queue score does that.",
        ),
        (
            {"progress_quote_pct": D(40), "measured_at": None},
            "Its holders are listed, and their wallets are still being looked at.",
        ),
    ],
)
def test_truth_23_measured_holders_without_a_score(fields: dict[str, Any], reason: str) -> None:
    """The window, the number of holders, or the turn that has not come."""
    token = factories.token()
    shown.snapshot(token, **fields)
    assert why("holder", token) == reason


def test_truth_23_a_graduated_token_without_a_frozen_score_is_not_said_to_have_one() -> None:
    """Measured after graduation there was nothing to keep; measured before, what decided then is told."""
    late = factories.token(is_graduated=True, graduation_timestamp=NOON - HOUR)
    shown.snapshot(late, measured_at=NOON)
    assert why("holder", late) == "It graduated before its holders were measured: there was no score to keep."
    early = factories.token(is_graduated=True, graduation_timestamp=NOON + HOUR)
    shown.snapshot(early, measured_at=NOON, progress_quote_pct=D(3))
    assert why("holder", early, NOON + DAY) == (
        "Its progress of 3 % is below 5 % at 2026-07-03 12:00 UTC, when it was measured last, and it has graduated since."
    )
    assert why("holder", factories.token(is_graduated=True)) == (
        "Its holders were not measured: it graduated before anybody asked for it."
    )


# The social part.


def poll(token: Token, **fields: Any) -> SocialPoll:
    return SocialPoll.objects.create(
        token=token, **{"source": "tweetscout", "due_at": NOON, "asked_at": NOON - HOUR, **fields}
    )


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (49, "its curve stands at 4.9 %, and nobody is asked below 5 %"),
        (None, "the progress of its curve is not known"),
        (50, "it did not trade enough of late, or no source is set up (SOCIAL_SOURCES)"),
    ],
)
def test_truth_23_a_token_about_which_nobody_was_asked(raised: int | None, reason: str) -> None:
    """Below 5 % nobody is asked, and of the others those that trade most."""
    token = factories.token()
    curve(token, real_sol_reserves=raised)
    assert why("social", token) == f"No source was asked how it is followed: {reason}."


def test_truth_23_what_came_of_asking_is_told() -> None:
    """Not answered yet, failed with the source's words, or answered without a figure."""
    token = factories.token()
    asked = poll(token)
    assert why("social", token) == "The sources were asked and have not answered yet."
    SocialPoll.objects.filter(pk=asked.pk).update(failures=1, error="Refused: HTTP 402")
    assert (
        why("social", token) == f"No source that was asked has told: {asked.get_source_display()}: Refused: HTTP 402."
    )
    SocialPoll.objects.filter(pk=asked.pk).update(failures=0, error="", answered_at=NOON - HOUR)
    assert why("social", token) == f"{asked.get_source_display()} answered and told no such figure."
    assert why("social", token, NOON - 2 * HOUR).startswith("No source was asked")


def test_truth_23_figures_that_are_too_old_are_not_said_to_be_missing() -> None:
    """The newest score knows nothing because what was told is older than two hours."""
    token = factories.token()
    parts.social(token, figures=socials.Figures())
    assert why("social", token) == "What sources told of it is older than 2 hours."


# Lines and verdicts.


def reasons(token: Token, name: str) -> dict[str, str]:
    """Return the reason of each unknown line of a part."""
    totals.refresh(mints=[token.mint_address], now=NOON)
    part = next(one for one in explain.explain(token=token, now=NOON).parts if one.name == name)
    return {line.name: line.reason for block in part.blocks for line in block.components if line.points is None}


@pytest.mark.parametrize(
    ("price", "fields", "cause"),
    [
        (None, {}, "no trade of it formed a price"),
        (D(1), {"market_cap": None, "market_cap_usd": None}, "its supply is not known"),
        (
            D(1),
            {"market_cap": D(5), "market_cap_usd": None},
            "what it trades against had no USD price at most two minutes older than its newest trade",
        ),
    ],
)
def test_truth_23_why_a_market_cap_is_unknown(price: Decimal | None, fields: dict[str, Any], cause: str) -> None:
    """No price, no supply or no USD: three causes, three sentences."""
    token = factories.token()
    curve(token, **fields)
    parts.technical(token, facts=replace(parts.CALM, market_cap_usd=None, price=price))
    assert reasons(token, "technical")["base"] == f"The market cap in USD is not known: {cause}."


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        (None, "its launch curve was never seen"),
        ({"quote_target": None}, "what its curve has to raise is not known"),
        ({"real_sol_reserves": None}, "no event told how much its curve has raised"),
    ],
)
def test_truth_23_why_progress_is_unknown(fields: dict[str, Any] | None, cause: str) -> None:
    """No curve, no target or no reserves."""
    token = factories.token()
    if fields is None:
        factories.pool(token, pool_type="graduated")
    else:
        curve(token, **fields)
    parts.technical(token, facts=replace(parts.CALM, progress=(None,) * 7))
    found = reasons(token, "technical")
    assert {found[name] for name in ("velocity", "consistency", "position")} == {
        f"The progress of its curve is not known: {cause}."
    }


def test_truth_23_why_a_fall_is_unknown() -> None:
    """Without a price there is nothing to compare with."""
    token = factories.token()
    parts.technical(token, facts=market.Facts(market_cap_usd=D(5)))
    assert reasons(token, "technical")["pressure"] == (
        "No price is known to compare with: no trade of it formed a price."
    )


@pytest.mark.parametrize(
    ("facts", "line", "cause"),
    [
        (holders.Facts(total_holders=None, gini=D("0.1")), "holders", "they could not be counted"),
        (holders.Facts(total_holders=9, gini=D("0.1")), "top_1", "what circulates is not known"),
        (holders.Facts(total_holders=9, has_trades=False), "active", "no trade of it is stored"),
        (holders.Facts(total_holders=9), "bots", "the wallets of its holders were not analysed"),
        (holders.Facts(total_holders=9, wallets_sampled=0), "smart_money", "no wallet of its holders was analysed"),
        (
            holders.Facts(total_holders=9, wallets_sampled=7, wallets_enriched=0),
            "bots",
            "none of its 7 analysed wallets was looked at on the chain",
        ),
        (
            holders.Facts(total_holders=9, wallets_sampled=7, wallets_enriched=7),
            "wallet_age",
            "of none of its 7 analysed wallets the age is known",
        ),
        (
            holders.Facts(total_holders=9, wallets_sampled=7, wallets_enriched=7, has_trades=False),
            "organic",
            "no trade of it is stored",
        ),
        (
            holders.Facts(total_holders=9, wallets_sampled=0),
            "velocity",
            "neither a trade nor an analysed wallet tells when its holders were active",
        ),
    ],
)
def test_truth_23_why_a_line_of_holders_is_unknown(facts: holders.Facts, line: str, cause: str) -> None:
    """Each figure by what was missing when it was measured."""
    token = factories.token()
    parts.technical(token)
    parts.holder(token, facts=facts)
    assert reasons(token, "holder")[line].endswith(f": {cause}.")


def test_truth_23_why_a_social_line_is_unknown() -> None:
    """Growth needs an earlier figure; the others what the sources said or why they did not."""
    token = factories.token()
    failing = poll(token, failures=2, error="TryLater: HTTP 429")
    parts.social(token, figures=socials.Figures(twitter_followers=D(10), mentions_24h=D(5)))
    found = reasons(token, "social")
    assert found["follower_growth_24h"].endswith(": how many followed it a day earlier is not known.")
    assert found["mention_growth_1h"].endswith(": how often it was mentioned an hour earlier is not known.")
    assert found["members"].endswith(
        f": no source that was asked has told: {failing.get_source_display()}: TryLater: HTTP 429."
    )


def verdict(token: Token, name: str) -> str:
    totals.refresh(mints=[token.mint_address], now=NOON)
    found = explain.explain(token=token, now=NOON)
    return next(one.reason for one in (*found.flags, *found.multipliers) if one.name == name and one.holds is None)


def test_truth_23_a_flag_that_nobody_could_decide_says_what_was_missing() -> None:
    """Without a record of risks, why there is none; with one, what its signs say."""
    token = factories.token()
    parts.technical(token)
    assert verdict(token, "creator_dumping") == (
        "Unknown: its risks were not judged. Its holders were not measured: its launch curve was never seen, whose progress"
        " asks for an analysis."
    )
    judged = factories.token()
    parts.technical(judged)
    parts.risk(judged, facts=risks.Facts(), signs=Signs())
    assert verdict(judged, "bot_swarm") == "Unknown: no wallet was analysed"
    assert "no trade is stored" in verdict(judged, "wash_trading")
    assert verdict(judged, "quality_holders") == (
        "Unknown: no wallet of its holders was looked at and the largest holding is not measured."
    )
    assert verdict(judged, "social_momentum").startswith("Unknown: no source tells the sentiment: no source was asked")


def test_truth_23_a_part_whose_lines_are_all_unknown_says_what_they_say() -> None:
    """A holder score of which nothing is known is not "waiting to be scored"."""
    token = factories.token()
    parts.technical(token)
    parts.holder(token, facts=holders.Facts(total_holders=None))
    totals.refresh(mints=[token.mint_address], now=NOON)
    part = explain.explain(token=token, now=NOON).parts[1]
    assert part.points is None
    assert "the wallets of its holders were not analysed" in part.why_unknown
    assert "they could not be counted" in part.why_unknown
