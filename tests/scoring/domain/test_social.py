"""Social points: exact breakpoints, what is unknown, and what can never lose points."""

from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.domain import social
from scoring.domain.points import Component
from scoring.domain.policy import DEFAULT_TERMS
from scoring.domain.social import Figures
from scoring.domain.terms import PolicyMalformed, Section

TERMS = Section("social", DEFAULT_TERMS["social"])
ALL = {
    "follower_growth_24h": Decimal(25),
    "engagement_rate": Decimal("2.5"),
    "influencer_mentions": Decimal(4),
    "telegram_members": Decimal(90),
    "discord_members": Decimal(9),
    "messages_1h": Decimal(50),
    "sentiment": Decimal("0.5"),
    "mention_growth_1h": Decimal(10),
    "mentions_24h": Decimal(125),
    "twitter_followers": Decimal(7),
}


def line(name: str, **figures: Decimal | int | str) -> Component:
    """Return one line of the score of ``figures``."""
    scored = social.score(Figures(**{key: Decimal(value) for key, value in figures.items()}), TERMS)
    return next(line for part in scored.parts for line in part.components if line.name == name)


@pytest.mark.parametrize(
    ("name", "figure", "value", "points"),
    [
        ("follower_growth_24h", "follower_growth_24h", "-100", "0"),
        ("follower_growth_24h", "follower_growth_24h", "0", "0"),
        ("follower_growth_24h", "follower_growth_24h", "25", "20"),
        ("follower_growth_24h", "follower_growth_24h", "49.99", "39.99"),
        ("follower_growth_24h", "follower_growth_24h", "50", "40"),
        ("follower_growth_24h", "follower_growth_24h", "9999", "40"),
        ("engagement", "engagement_rate", "1", "8"),
        ("engagement", "engagement_rate", "5", "40"),
        ("influencers", "influencer_mentions", "1", "3.10"),
        ("influencers", "influencer_mentions", "10", "31"),
        ("influencers", "influencer_mentions", "11", "31"),
        ("members", "telegram_members", "0", "0"),
        ("members", "telegram_members", "9", "13.33"),
        ("members", "telegram_members", "99", "26.67"),
        ("members", "telegram_members", "998", "39.99"),
        ("members", "telegram_members", "999", "40"),
        ("members", "discord_members", "1000", "40"),
        ("messages_1h", "messages_1h", "50", "10"),
        ("messages_1h", "messages_1h", "200", "40"),
        ("sentiment", "sentiment", "-1", "0"),
        ("sentiment", "sentiment", "0", "15.50"),
        ("sentiment", "sentiment", "0.8", "27.90"),
        ("sentiment", "sentiment", "1", "31"),
        ("mention_growth_1h", "mention_growth_1h", "50", "20"),
        ("mention_growth_1h", "mention_growth_1h", "100", "40"),
        ("mentions_24h", "mentions_24h", "125", "10"),
        ("mentions_24h", "mentions_24h", "500", "40"),
        ("platforms", "twitter_followers", "1", "10.33"),
        ("platforms", "twitter_followers", "0", "0"),
    ],
)
def test_a_line_gives_its_points_in_proportion_up_to_a_cap(name: str, figure: str, value: str, points: str) -> None:
    """Half of the figure is half of the points; members by their logarithm; nothing is below zero."""
    assert line(name, **{figure: value}).points == Decimal(points)


def test_members_of_both_networks_count_together_and_platforms_by_their_number() -> None:
    """Ninety and nine are ninety-nine; three networks with somebody on them are all 31 points."""
    assert line("members", telegram_members=90, discord_members=9).points == Decimal("26.67")
    both = line("platforms", telegram_members=90, discord_members=9)
    assert (both.points, both.reason) == (Decimal("20.67"), "Followed on 2 of 3 networks; 31 points from 3")
    assert line("platforms", twitter_followers=1, telegram_members=1, discord_members=1).points == 31


def test_each_block_has_111_points_and_the_whole_333() -> None:
    """All at their caps."""
    full = Figures(**dict.fromkeys(ALL, Decimal(10_000)) | {"sentiment": Decimal(1)})
    scored = social.score(full, TERMS)
    assert [(part.name, part.points, part.available) for part in scored.parts] == [
        ("twitter", 111, 111),
        ("community", 111, 111),
        ("virality", 111, 111),
    ]
    assert (scored.points, scored.available) == (333, 333)


def test_what_nobody_knows_is_no_zero() -> None:
    """Without readings no block has points, and none are to be had; with one line known only its points are."""
    nothing = social.score(Figures(), TERMS)
    assert [part.points for part in nothing.parts] == [None, None, None]
    assert (nothing.points, nothing.available) == (None, 0)
    assert {line.reason for part in nothing.parts for line in part.components} == {"Not known: no source told"}
    some = social.score(Figures(discord_members=Decimal(0)), TERMS)
    assert [(part.points, part.available) for part in some.parts] == [(None, 0), (0, 40), (0, 31)]
    assert (some.points, some.available) == (0, 71)


def test_stored_inputs_give_the_same_score_again() -> None:
    """Through JSON and back, every line with its reason."""
    figures = Figures(**ALL)
    assert Figures.from_json(figures.as_json()) == figures
    assert social.score(Figures.from_json(figures.as_json()), TERMS) == social.score(figures, TERMS)
    assert figures.as_json()["engagement_rate"] == "2.5"


MORE_IS_BETTER = sorted(ALL)


@given(
    name=st.sampled_from(MORE_IS_BETTER),
    known=st.sets(st.sampled_from(MORE_IS_BETTER)),
    more=st.decimals(min_value=0, max_value=10**6, places=2),
)
def test_more_of_anything_never_gives_fewer_points(name: str, known: set[str], more: Decimal) -> None:
    """Whatever else is known: a larger figure keeps or raises the points, and the points never exceed what was to be had."""
    figures = {key: ALL[key] for key in known | {name}}
    less = social.score(Figures(**figures), TERMS)
    better = social.score(Figures(**{**figures, name: figures[name] + more}), TERMS)
    assert less.points is not None
    assert better.points is not None
    assert less.points <= better.points <= better.available == less.available


@given(known=st.sets(st.sampled_from(MORE_IS_BETTER)), new=st.sampled_from(MORE_IS_BETTER))
def test_knowing_more_never_takes_points_away(known: set[str], new: str) -> None:
    """A source that answers for the first time adds its points and what was to be had."""
    before = social.score(Figures(**{key: ALL[key] for key in known}), TERMS)
    after = social.score(Figures(**{key: ALL[key] for key in known | {new}}), TERMS)
    assert (before.points or 0) <= (after.points or 0)
    assert before.available <= after.available


@pytest.mark.parametrize(
    ("now", "before", "grown"),
    [(150, 100, "50"), (100, 150, "-33.33"), (0, 7, "-100"), (3, 0, None), (None, 5, None), (5, None, None)],
)
def test_growth_is_percent_of_what_was(now: int | None, before: int | None, grown: str | None) -> None:
    """From nothing, or with one end unknown, it is unknown."""
    assert social.growth(now, before) == (None if grown is None else Decimal(grown))


@pytest.mark.parametrize(
    ("road", "value", "told"),
    [
        (("twitter", "engagement", "full_at"), "0", 'social.twitter.engagement: write a "full_at" above 0'),
        (("community", "members", "full_at"), "1", 'social.community.members: write a "full_at" above 1'),
        (("virality", "platforms", "points"), "-1", '"points" that are not negative'),
        (("virality", "platforms", "points"), "32", "social.virality: its lines give 112 points; write 111 at most"),
    ],
)
def test_terms_that_make_no_line_are_refused(road: tuple[str, str, str], value: str, told: str) -> None:
    """With the name of the term and what to write."""
    terms: dict[str, Any] = deepcopy(DEFAULT_TERMS["social"])
    block, name, key = road
    terms[block][name][key] = value
    with pytest.raises(PolicyMalformed, match=told):
        social.score(Figures(), Section("social", terms))


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"twitter_followers": -1}, "twitter_followers is -1, which is not between 0 and 2147483647"),
        ({"twitter_followers": 2**31}, "is 2147483648, which is not between"),
        ({"twitter_followers": True}, "is True, which is no int"),
        ({"twitter_followers": "9" * 99}, "which is no int"),
        ({"telegram_members": 5.0}, "is 5.0, which is no int"),
        ({"twitter_engagement_rate": Decimal(101)}, "is 101, which is not between 0 and 100"),
        ({"twitter_engagement_rate": Decimal("NaN")}, "is NaN, which is not between 0 and 100"),
        ({"twitter_sentiment_score": Decimal("-1.01")}, "is -1.01, which is not between -1 and 1"),
        ({"twitter_followers": 0, "boosts_active": None, "twitter_sentiment_score": Decimal(-1)}, None),
    ],
)
def test_an_impossible_figure_is_named(figures: Mapping[str, object], told: str | None) -> None:
    """Below zero, beyond all people, of another type, no number."""
    said = social.impossible(figures)
    assert said is None if told is None else told in str(said)


def test_figures_are_fresh_for_as_long_as_the_terms_say() -> None:
    """In hours with decimals; none at all, or more than a day, makes no sense."""
    assert social.fresh(TERMS) == timedelta(hours=2)
    for hours, told in [("0.5", None), ("0", "above 0"), ("25", "24 at most")]:
        terms = Section("social", {**DEFAULT_TERMS["social"], "fresh_hours": hours})
        if told is None:
            assert social.fresh(terms) == timedelta(minutes=30)
        else:
            with pytest.raises(PolicyMalformed, match=told):
                social.score(Figures(), terms)
