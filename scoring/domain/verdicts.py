"""What raises a total and what spoils it: each multiplier and each red flag is decided from facts, with its reason.

A fact that nobody knows decides nothing: the verdict is unknown, raises nothing, spoils nothing and is named.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from scoring.domain import stored
from scoring.domain.points import text
from scoring.domain.terms import PolicyMalformed, Section

MULTIPLIERS: dict[str, Any] = {
    "organic_growth": {"factor": "1.20", "growth_pct": "50", "hours": "2"},
    "strong_curve": {"factor": "1.15", "progress_pct": "70", "hours": "6"},
    "quality_holders": {"factor": "1.10", "known_ratio": "0.6", "largest_pct": "5"},
    "social_momentum": {"factor": "1.10", "sentiment_pct": "80"},
}
"""Product of all: 1.6698."""

FLAGS: dict[str, Any] = {
    "wash_trading": {"hard": True, "score": "60"},
    "honeypot": {"hard": True},
    "mint_authority": {"hard": True},
    "freeze_authority": {"hard": True},
    # On a young curve nearly every token has a large wallet, and the distribution points already pay for it.
    "large_wallet": {"hard": False, "pct": "10"},
    "top_5_wallets": {"hard": False, "pct": "30"},
    "social_manipulation": {"hard": False, "mentions_24h": "500", "engagement_pct": "0.1"},
    "bot_swarm": {"hard": False},
    "whale_coordination": {"hard": False},
    "creator_dumping": {"hard": False},
    "insider_selling": {"hard": False},
    "pump_dump": {"hard": False},
    "coordinated_buying": {"hard": False},
}
"""A hard flag makes the total 0, a soft one is only named."""

LEAST_FACTOR, MOST_FACTOR = Decimal("0.1"), Decimal(2)
_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the verdicts are decided by; None is unknown. Percentages are 0 to 100, ratios 0 to 1, sentiment −1 to 1."""

    holders: Decimal | None = None
    holders_before: Decimal | None = None
    """The oldest count of the hours before the newest one that the policy looks back."""
    holders_hours: Decimal | None = None
    """Hours between the two counts."""
    progress_pct: Decimal | None = None
    """Of the quote that graduates the curve, now; 100 once graduated."""
    reached_pct: Decimal | None = None
    """The progress whose first time was looked up."""
    reached_after_hours: Decimal | None = None
    """Hours from the launch to that time."""
    known_ratio: Decimal | None = None
    """Analysed wallets that are neither new nor bots, of all analysed."""
    top_1_pct: Decimal | None = None
    top_5_pct: Decimal | None = None
    sentiment: Decimal | None = None
    mentions_24h: Decimal | None = None
    engagement_pct: Decimal | None = None
    wash_trading_score: Decimal | None = None
    honeypot: bool | None = None
    mint_authority: bool | None = None
    freeze_authority: bool | None = None
    bot_swarm: bool | None = None
    whale_coordination: bool | None = None
    creator_dumping: bool | None = None
    insider_selling: bool | None = None
    pump_dump: bool | None = None
    coordinated_buying: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the known facts, numbers as text."""
        return {name: value for name, value in stored.as_json(self).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a multiplier or a red flag holds. ``holds`` is None when a fact is missing."""

    name: str
    holds: bool | None
    reason: str
    """In words, with the values that decided."""
    inputs: Mapping[str, str | None]
    factor: Decimal | None = None
    """Of a multiplier: what it gives when it holds."""
    hard: bool = False
    """Of a red flag: whether it makes the total 0."""

    def as_json(self) -> dict[str, Any]:
        """Return the verdict for people and programs."""
        own = {"factor": text(self.factor)} if self.factor is not None else {"hard": self.hard}
        return {"name": self.name, "holds": self.holds, "reason": self.reason, "inputs": dict(self.inputs), **own}


Decided = tuple[bool | None, str]


def multipliers(facts: Facts, terms: Section) -> tuple[Verdict, ...]:
    """Return the verdict of each multiplier in ``terms``, in the order of :data:`MULTIPLIERS`."""
    found = []
    for name in MULTIPLIERS:
        section = terms.section(name)
        holds, reason = _MULTIPLIERS[name](facts, section)
        found.append(Verdict(name, holds, reason, _inputs(facts, _READ[name]), factor=factor(section)))
    return tuple(found)


def flags(facts: Facts, terms: Section) -> tuple[Verdict, ...]:
    """Return the verdict of each red flag in ``terms``, in the order of :data:`FLAGS`."""
    found = []
    for name in FLAGS:
        section = terms.section(name)
        if name in _SIGNS:
            holds, reason = _sign(getattr(facts, name), *_SIGNS[name])
        else:
            holds, reason = _FLAGS[name](facts, section)
        read = _READ.get(name, (name,))
        found.append(Verdict(name, holds, reason, _inputs(facts, read), hard=section.flag("hard")))
    return tuple(found)


def factor(terms: Section) -> Decimal:
    """Return what a multiplier gives; ``PolicyMalformed`` unless it is 0.1 to 2."""
    given = terms.number("factor")
    if not LEAST_FACTOR <= given <= MOST_FACTOR:
        raise PolicyMalformed(f"{terms.name}.factor is {given}: write a number from {LEAST_FACTOR} to {MOST_FACTOR}.")
    return given


def _inputs(facts: Facts, names: tuple[str, ...]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in names:
        value = getattr(facts, name)
        found[name] = str(value).lower() if isinstance(value, bool) else text(value)
    return found


def _organic_growth(facts: Facts, terms: Section) -> Decided:
    now, before, hours = facts.holders, facts.holders_before, facts.holders_hours
    asked, within = terms.number("growth_pct"), terms.number("hours")
    if now is None or not before or hours is None:
        return None, f"Unknown: no earlier count of holders within {text(within)} hours to compare with."
    grown = (now - before) / before * 100
    holds = grown >= asked and hours <= within
    said = f"Holders went from {text(before)} to {text(now)} in {_short(hours)} hours, {_short(grown)} %"
    return holds, f"{said}; asked is at least {text(asked)} % within {text(within)} hours."


def _strong_curve(facts: Facts, terms: Section) -> Decided:
    progress, hours = facts.progress_pct, facts.reached_after_hours
    asked, within = terms.number("progress_pct"), terms.number("hours")
    wanted = f"asked is at least {text(asked)} % in less than {text(within)} hours."
    if progress is None:
        return None, "Unknown: no progress of the curve is known."
    if progress < asked:
        return False, f"The curve stands at {_short(progress)} %; {wanted}"
    if hours is None or facts.reached_pct != asked:
        return None, f"Unknown: when the curve first reached {text(asked)} % after the launch is not known."
    return hours < within, f"The curve reached {text(asked)} % {_short(hours)} hours after the launch; {wanted}"


def _quality_holders(facts: Facts, terms: Section) -> Decided:
    known, largest = facts.known_ratio, facts.top_1_pct
    asked, most = terms.number("known_ratio"), terms.number("largest_pct")
    if known is None or largest is None:
        return None, "Unknown: the holders' wallets or the largest holding are not analysed."
    said = f"{_short(known * 100)} % of the wallets are known, the largest holds {_short(largest)} %"
    wanted = f"asked is more than {_short(asked * 100)} % known and none above {text(most)} %."
    return known > asked and largest <= most, f"{said}; {wanted}"


def _social_momentum(facts: Facts, terms: Section) -> Decided:
    if facts.sentiment is None:
        return None, "Unknown: no source tells the sentiment."
    positive, asked = (facts.sentiment + 1) * 50, terms.number("sentiment_pct")
    return positive > asked, f"The sentiment is {_short(positive)} % positive; asked is more than {text(asked)} %."


def _wash_trading(facts: Facts, terms: Section) -> Decided:
    score, limit = facts.wash_trading_score, terms.number("score")
    if score is None:
        return None, "Unknown: wash trading is not measured."
    return score >= limit, f"Wash trading is rated {_short(score)} of 100; the flag is raised from {text(limit)} on."


def _large_wallet(facts: Facts, terms: Section) -> Decided:
    return _above(facts.top_1_pct, terms.number("pct"), "The largest wallet holds", "the largest holding")


def _top_5_wallets(facts: Facts, terms: Section) -> Decided:
    return _above(facts.top_5_pct, terms.number("pct"), "The five largest wallets hold", "the five largest holdings")


def _above(share: Decimal | None, limit: Decimal, who: str, what: str) -> Decided:
    if share is None:
        return None, f"Unknown: {what} are not measured." if what.endswith("s") else f"Unknown: {what} is not measured."
    return share > limit, f"{who} {_short(share)} %; the flag is raised above {text(limit)} %."


def _social_manipulation(facts: Facts, terms: Section) -> Decided:
    mentions, engagement = facts.mentions_24h, facts.engagement_pct
    many, few = terms.number("mentions_24h"), terms.number("engagement_pct")
    if mentions is None or engagement is None:
        return None, "Unknown: no source tells mentions and engagement."
    said = f"{text(mentions)} mentions in 24 hours with {_short(engagement)} % engagement"
    return (
        mentions >= many and engagement < few,
        f"{said}; bought from {text(many)} mentions with below {text(few)} % on.",
    )


def _sign(value: bool | None, yes: str, no: str, unknown: str) -> Decided:
    return value, f"Unknown: {unknown}" if value is None else yes if value else no


def _short(number: Decimal) -> str:
    return str(text(number.quantize(_HUNDREDTH)))


_MULTIPLIERS: Mapping[str, Callable[[Facts, Section], Decided]] = {
    "organic_growth": _organic_growth,
    "strong_curve": _strong_curve,
    "quality_holders": _quality_holders,
    "social_momentum": _social_momentum,
}
_FLAGS: Mapping[str, Callable[[Facts, Section], Decided]] = {
    "wash_trading": _wash_trading,
    "large_wallet": _large_wallet,
    "top_5_wallets": _top_5_wallets,
    "social_manipulation": _social_manipulation,
}
_NO_TRADES = "the trades were not analysed for it."
_NO_CONTRACT = "no source tells it."
_SIGNS: Mapping[str, tuple[str, str, str]] = {
    "honeypot": ("What is bought cannot be sold again.", "What is bought can be sold.", _NO_CONTRACT),
    "mint_authority": ("Somebody can still mint more.", "Nobody can mint more.", _NO_CONTRACT),
    "freeze_authority": ("Somebody can freeze holdings.", "Nobody can freeze holdings.", _NO_CONTRACT),
    "bot_swarm": ("Most of the wallets are bots.", "Bots are not the most.", "the wallets were not analysed."),
    "whale_coordination": ("Whales trade together.", "Whales do not trade together.", _NO_TRADES),
    "creator_dumping": ("The creator sells out.", "The creator does not sell out.", _NO_TRADES),
    "insider_selling": ("Insiders sell.", "Insiders do not sell.", _NO_TRADES),
    "pump_dump": ("The price was pumped and dumped.", "No pump and dump in the price.", _NO_TRADES),
    "coordinated_buying": ("Wallets bought the same at once.", "No coordinated buying.", _NO_TRADES),
}
_READ: Mapping[str, tuple[str, ...]] = {
    "organic_growth": ("holders", "holders_before", "holders_hours"),
    "strong_curve": ("progress_pct", "reached_pct", "reached_after_hours"),
    "quality_holders": ("known_ratio", "top_1_pct"),
    "social_momentum": ("sentiment",),
    "wash_trading": ("wash_trading_score",),
    "large_wallet": ("top_1_pct",),
    "top_5_wallets": ("top_5_pct",),
    "social_manipulation": ("mentions_24h", "engagement_pct"),
}
