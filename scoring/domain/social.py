"""The social score of 333 points: X, community and virality, 111 each.

The documents name the parts and leave their breakpoints open; these are straight lines to a cap, as repaired (formulas 4.1).
What no source tells is unknown, and a block of which nothing is known has no points at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Any, Final, Self

from scoring.domain.points import ZERO, Component, Part, text
from scoring.domain.terms import PolicyMalformed, Section

DEFAULTS: Final[dict[str, Any]] = {
    # A figure that is older is unknown again.
    "fresh_hours": "2",
    # Each line gives its points at "full_at" and above, and in proportion below.
    "twitter": {
        "follower_growth_24h": {"full_at": "50", "points": "40"},
        "engagement": {"full_at": "5", "points": "40"},
        "influencers": {"full_at": "10", "points": "31"},
    },
    "community": {
        # In proportion to the logarithm.
        "members": {"full_at": "1000", "points": "40"},
        "messages_1h": {"full_at": "200", "points": "40"},
        # From -1 to 1.
        "sentiment": {"full_at": "1", "points": "31"},
    },
    "virality": {
        "mention_growth_1h": {"full_at": "100", "points": "40"},
        "mentions_24h": {"full_at": "500", "points": "40"},
        "platforms": {"full_at": "3", "points": "31"},
    },
}

BLOCK_MOST: Final = Decimal(111)
MOST: Final = 3 * BLOCK_MOST
MOST_PEOPLE: Final = 2**31 - 1
"""What a column of counts can hold, and more people than any network has."""
_LONGEST_FRESH_HOURS: Final = 24
_CENT: Final = Decimal("0.01")
_RANGES: Final[Mapping[str, tuple[int, int, type[int] | type[Decimal]]]] = {
    "twitter_engagement_rate": (0, 100, Decimal),
    "twitter_sentiment_score": (-1, 1, Decimal),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is known of a token's following; ``None`` is unknown. Growth, engagement are percent, sentiment −1 to 1."""

    follower_growth_24h: Decimal | None = None
    engagement_rate: Decimal | None = None
    influencer_mentions: Decimal | None = None
    telegram_members: Decimal | None = None
    discord_members: Decimal | None = None
    messages_1h: Decimal | None = None
    sentiment: Decimal | None = None
    mention_growth_1h: Decimal | None = None
    mentions_24h: Decimal | None = None
    twitter_followers: Decimal | None = None

    @property
    def members(self) -> Decimal | None:
        """Members on Telegram and Discord together, as far as they are known."""
        return _sum(self.telegram_members, self.discord_members)

    @property
    def platforms(self) -> Decimal | None:
        """On how many of the three networks somebody follows; ``None`` when none of them was seen."""
        seen = [it for it in (self.twitter_followers, self.telegram_members, self.discord_members) if it is not None]
        return Decimal(sum(it >= 1 for it in seen)) if seen else None

    def as_json(self) -> dict[str, str | None]:
        """Return what :meth:`from_json` reads: numbers as text."""
        return {one.name: text(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, stored: Mapping[str, str | None]) -> Self:
        """Return the figures that :meth:`as_json` wrote."""
        return cls(**{name: None if it is None else Decimal(it) for name, it in stored.items()})


@dataclass(frozen=True, slots=True)
class Scored:
    """The three blocks with every line."""

    twitter: Part
    community: Part
    virality: Part

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """The blocks in their order."""
        return (self.twitter, self.community, self.virality)

    @property
    def points(self) -> Decimal | None:
        """The sum of the known blocks; ``None`` when all are unknown."""
        return _sum(*(part.points for part in self.parts))

    @property
    def available(self) -> Decimal:
        """What the known lines can give at most."""
        return sum((part.available for part in self.parts), ZERO)


def score(figures: Figures, terms: Section) -> Scored:
    """Return the points of ``figures``. Raises ``PolicyMalformed`` for terms that make no line, or a block above 111."""
    fresh(terms)
    x, community, virality = (terms.section(name) for name in ("twitter", "community", "virality"))
    return Scored(
        _block(
            "twitter",
            (
                _line("follower_growth_24h", figures.follower_growth_24h, x, "Followers grew {} % in 24 hours"),
                _line("engagement", figures.engagement_rate, x, "{} % of the views of its posts did something"),
                _line("influencers", figures.influencer_mentions, x, "{} influencers spoke of it in 24 hours"),
            ),
        ),
        _block(
            "community",
            (
                _line("members", figures.members, community, "{} members on Telegram and Discord", shape=_log_shape),
                _line("messages_1h", figures.messages_1h, community, "{} messages in an hour"),
                _line("sentiment", figures.sentiment, community, "Sentiment {} between −1 and 1", shape=_centred_shape),
            ),
        ),
        _block(
            "virality",
            (
                _line("mention_growth_1h", figures.mention_growth_1h, virality, "Mentions grew {} % in an hour"),
                _line("mentions_24h", figures.mentions_24h, virality, "{} mentions in 24 hours"),
                _line("platforms", figures.platforms, virality, "Followed on {} of 3 networks"),
            ),
        ),
    )


def impossible(figures: Mapping[str, object]) -> str | None:
    """Return what is wrong with a reading's ``figures``, a sentence; ``None`` when each could be true."""
    for name, figure in figures.items():
        if figure is None:
            continue
        low, high, kind = _RANGES.get(name, (0, MOST_PEOPLE, int))
        if type(figure) is not kind or not isinstance(figure, int | Decimal):
            return f"{name} is {figure!r:.40}, which is no {kind.__name__}"
        if not Decimal(figure).is_finite() or not low <= figure <= high:
            return f"{name} is {figure}, which is not between {low} and {high}"
    return None


def _block(name: str, lines: tuple[Component, ...]) -> Part:
    together = sum((line.most for line in lines), ZERO)
    if together > BLOCK_MOST:
        raise PolicyMalformed(
            f"social.{name}: its lines give {text(together)} points; write {text(BLOCK_MOST)} at most."
        )
    return Part(name, lines, BLOCK_MOST)


def fresh(terms: Section) -> timedelta:
    """Return how old a figure may be. Raises ``PolicyMalformed``."""
    hours = terms.number("fresh_hours")
    if not 0 < hours <= _LONGEST_FRESH_HOURS:
        raise PolicyMalformed(
            f"social.fresh_hours is {text(hours)}: write hours above 0, {_LONGEST_FRESH_HOURS} at most."
        )
    return timedelta(minutes=int((hours * 60).to_integral_value(ROUND_CEILING)))


def growth(now: int | None, before: int | None) -> Decimal | None:
    """Return by how many percent ``before`` became ``now``, two decimals; ``None`` when one is unknown or it began at 0."""
    if now is None or not before:
        return None
    return (Decimal(100 * (now - before)) / before).quantize(_CENT, ROUND_HALF_UP)


def _straight_shape(value: Decimal, full_at: Decimal) -> Decimal:
    return value / full_at


def _log_shape(value: Decimal, full_at: Decimal) -> Decimal:
    return (1 + max(value, ZERO)).log10() / full_at.log10()


def _centred_shape(value: Decimal, full_at: Decimal) -> Decimal:
    return (value + full_at) / (2 * full_at)


def _line(name: str, value: Decimal | None, terms: Section, words: str, *, shape: Any = _straight_shape) -> Component:
    line = terms.section(name)
    full_at, most = line.number("full_at"), line.number("points")
    if full_at <= (1 if shape is _log_shape else 0) or most < 0:
        least = "above 1" if shape is _log_shape else "above 0"
        raise PolicyMalformed(f'{line.name}: write a "full_at" {least} and "points" that are not negative.')
    inputs = {name: text(value)}
    if value is None:
        return Component(name, None, most, "Not known: no source told", inputs)
    ratio = min(max(shape(value, full_at), ZERO), Decimal(1))
    points = (most * ratio).quantize(_CENT, ROUND_HALF_UP)
    reason = f"{words.format(text(value))}; {text(most)} points from {text(full_at)}"
    return Component(name, points, most, reason, inputs)


def _sum(*figures: Decimal | None) -> Decimal | None:
    known = [figure for figure in figures if figure is not None]
    return sum(known, ZERO) if known else None
