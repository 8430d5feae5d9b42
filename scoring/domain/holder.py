"""The holder score of 333 points: distribution, quality and activity, 111 each (formulas 3.1).

An unknown figure gives no points *and* takes its line's points out of what was available: unknown is not bad, and not
good either.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Self

from scoring.choices import Confidence
from scoring.domain.points import ZERO, Component, Part, Read, Steps, text
from scoring.domain.terms import PolicyMalformed, Section

BLOCK = Decimal(111)
"""What each of the three blocks gives at most, whatever the policy says."""
_CENT = Decimal("0.01")

DEFAULTS: dict[str, Any] = {
    # Decision G4: the progress is the quote's.
    "window": {"progress_from_pct": "5", "progress_below_pct": "100", "holders_at_least": "5"},
    "gini": [
        {"below": "0.3", "points": "40"},
        {"below": "0.5", "points": "30"},
        {"below": "0.7", "points": "20"},
        {"below": "0.8", "points": "10"},
        {"points": "0"},
    ],
    "top_1_pct": [
        {"below": "5", "points": "40"},
        {"below": "10", "points": "30"},
        {"below": "15", "points": "20"},
        {"below": "20", "points": "10"},
        {"points": "0"},
    ],
    "holders": {"a_point_for": "10", "most": "31"},
    "few_holders": {"below": "10", "least_factor": "0.3", "points_each": "2"},
    "bot_ratio": [
        {"below": "0.1", "points": "40"},
        {"below": "0.2", "points": "30"},
        {"below": "0.3", "points": "20"},
        {"below": "0.4", "points": "10"},
        {"points": "0"},
    ],
    "smart_money": {"points_for_all": "400", "most": "40"},
    "wallet_age_days": [
        {"to": "7", "points": "5"},
        {"to": "14", "points": "10"},
        {"to": "30", "points": "15"},
        {"to": "60", "points": "20"},
        {"to": "90", "points": "25"},
        {"points": "31"},
    ],
    "active": {"points_for_all": "50", "most": "40"},
    "organic": {"points_for_all": "40", "most": "40"},
    "velocity": {"points_for_all": "31", "most": "31"},
    "completeness": {"holders": "40", "wallets": "40", "trades": "20"},
    "confidence": {"full_from_wallets": "100", "high_from": "80", "medium_from": "50"},
}
"""This section of a policy's terms. ``points_for_all``: what a ratio of one would give, were it not for ``most``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one snapshot says of a token's holders; ``None`` is unknown. ``*_pct`` is percent, ratios are parts of one.

    ``stored.as_json`` writes it down and ``stored.from_json`` reads it again."""

    total_holders: int | None = None
    gini: Decimal | None = None
    top_1_pct: Decimal | None = None
    bot_ratio: Decimal | None = None
    smart_money_ratio: Decimal | None = None
    avg_wallet_age_days: Decimal | None = None
    active_holders: int | None = None
    """Those who traded in the last 24 hours."""
    organic: Decimal | None = None
    velocity: Decimal | None = None
    holders_fetched: int | None = None
    wallets_sampled: int | None = None
    wallets_enriched: int | None = None
    has_trades: bool | None = None
    why_unknown: str | None = None
    """Why no measure of the holders is known, in words: too little of what circulates was judged."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Points in a straight line from zero, up to ``most``."""

    points_for_all: Decimal
    most: Decimal

    @classmethod
    def of(cls, terms: Section) -> Self:
        """Return the line of a section; ``PolicyMalformed`` for one that goes down."""
        line = cls(terms.number("points_for_all"), terms.number("most"))
        if line.points_for_all < 0 or line.most < 0:
            raise PolicyMalformed(f"{terms.name}: points begin at zero and go up; write no negative number.")
        return line

    def at(self, ratio: Decimal) -> Read:
        """Return the points of ``ratio``, a part of one."""
        points = min(self.most, max(ZERO, ratio) * self.points_for_all)
        return Read(points, f"at {text(self.points_for_all)} points for all, {text(self.most)} at most")


@dataclass(frozen=True, slots=True)
class Rules:
    """The holder section of a policy, read and checked: no block may give more than 111."""

    gini: Steps
    top_1: Steps
    holders_a_point: Decimal
    holders_most: Decimal
    few_below: Decimal
    few_least: Decimal
    few_points: Decimal
    bots: Steps
    smart_money: Linear
    age: Steps
    active: Linear
    organic: Linear
    velocity: Linear
    shares: tuple[Decimal, Decimal, Decimal]
    full_from: Decimal
    high_from: Decimal
    medium_from: Decimal

    @classmethod
    def of(cls, terms: Section) -> Self:
        """Return the rules of ``policy.holder``. Raises ``PolicyMalformed`` and says what to write instead."""
        holders, few, complete = terms.section("holders"), terms.section("few_holders"), terms.section("completeness")
        confidence = terms.section("confidence")
        rules = cls(
            gini=Steps.of(terms.rows("gini"), name="holder.gini"),
            top_1=Steps.of(terms.rows("top_1_pct"), name="holder.top_1_pct"),
            holders_a_point=holders.number("a_point_for"),
            holders_most=holders.number("most"),
            few_below=few.number("below"),
            few_least=few.number("least_factor"),
            few_points=few.number("points_each"),
            bots=Steps.of(terms.rows("bot_ratio"), name="holder.bot_ratio"),
            smart_money=Linear.of(terms.section("smart_money")),
            age=Steps.of(terms.rows("wallet_age_days"), name="holder.wallet_age_days"),
            active=Linear.of(terms.section("active")),
            organic=Linear.of(terms.section("organic")),
            velocity=Linear.of(terms.section("velocity")),
            shares=(complete.number("holders"), complete.number("wallets"), complete.number("trades")),
            full_from=confidence.number("full_from_wallets"),
            high_from=confidence.number("high_from"),
            medium_from=confidence.number("medium_from"),
        )
        rules._check()
        return rules

    def _check(self) -> None:
        blocks = {
            "gini, top_1_pct and holders": self.gini.most + self.top_1.most + self.holders_most,
            "bot_ratio, smart_money and wallet_age_days": self.bots.most + self.smart_money.most + self.age.most,
            "active, organic and velocity": self.active.most + self.organic.most + self.velocity.most,
        }
        for names, most in blocks.items():
            if most > BLOCK:
                raise PolicyMalformed(f"holder.{names} give {text(most)} points together: write at most {text(BLOCK)}.")
        tables = (
            ("gini", self.gini),
            ("top_1_pct", self.top_1),
            ("bot_ratio", self.bots),
            ("wallet_age_days", self.age),
        )
        for name, table in tables:
            if any(min(piece.first, piece.last) < 0 for piece in table.pieces):
                raise PolicyMalformed(
                    f"holder.{name}: a line of this score takes nothing away; write no negative points."
                )
        if self.holders_a_point <= 0 or self.full_from <= 0:
            raise PolicyMalformed(
                "holder.holders.a_point_for and confidence.full_from_wallets: write numbers above zero."
            )
        if not 0 <= self.few_least <= 1 or self.few_points < 0:
            raise PolicyMalformed("holder.few_holders: write a least_factor from 0 to 1 and no negative points_each.")
        if any(share < 0 for share in self.shares) or sum(self.shares) != 100:
            raise PolicyMalformed("holder.completeness: write three shares that add up to 100.")


@dataclass(frozen=True, slots=True)
class Score:
    """The three blocks of one snapshot and how far they can be believed."""

    distribution: Part
    quality: Part
    activity: Part
    completeness: Decimal
    """Percent."""
    confidence: Decimal
    """Percent."""
    level: Confidence

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """The three blocks in their order."""
        return self.distribution, self.quality, self.activity

    @property
    def total(self) -> Decimal | None:
        """The sum of the known blocks; None when nothing is known."""
        known = [part.points for part in self.parts if part.points is not None]
        return sum(known, ZERO) if known else None

    @property
    def available(self) -> Decimal:
        """What the known lines can give at most."""
        return sum((part.available for part in self.parts), ZERO)


def why_not_active(
    *,
    progress_quote_pct: Decimal | None,
    total_holders: int | None,
    is_graduated: bool,
    terms: Section,
    is_measured: bool = True,
) -> str | None:
    """Return why a token's holders are not scored now, or ``None`` when they are (G4). ``terms`` is ``policy.holder``.

    Progress is percent of the quote target. Unknown means no, but for holders that could not be measured (``is_measured``
    false): those have a score of which nothing is known, so that an older one does not pass for it.
    """
    window = terms.section("window")
    least, below = window.number("progress_from_pct"), window.number("progress_below_pct")
    fewest = window.whole("holders_at_least")
    if is_graduated:
        return "It has graduated: the score that it had then is frozen"
    if progress_quote_pct is None:
        return "Its progress is not known"
    if progress_quote_pct < least:
        return f"Its progress of {text(progress_quote_pct)} % is below {text(least)} %"
    if progress_quote_pct >= below:
        return f"Its progress of {text(progress_quote_pct)} % has reached {text(below)} %"
    if total_holders is None and not is_measured:
        return None
    if total_holders is None:
        return "The number of its holders is not known"
    if total_holders < fewest:
        return f"It has {total_holders} holders, fewer than {fewest}"
    return None


def score(facts: Facts, rules: Rules) -> Score:
    """Return the score of ``facts``: each line rounded to hundredths (half up), so that the lines add up to the total."""
    complete = completeness(facts, rules)
    sure = _rounded(complete * min(Decimal(1), Decimal(facts.wallets_sampled or 0) / rules.full_from))
    level = Confidence.HIGH if sure >= rules.high_from else Confidence.LOW
    if level is Confidence.LOW and sure >= rules.medium_from:
        level = Confidence.MEDIUM
    return Score(
        distribution=Part("distribution", _distribution(facts, rules), BLOCK),
        quality=Part("quality", _quality(facts, rules), BLOCK),
        activity=Part("activity", _activity(facts, rules), BLOCK),
        completeness=complete,
        confidence=sure,
        level=level,
    )


def completeness(facts: Facts, rules: Rules) -> Decimal:
    """Return how much of what a score rests on was there: percent of holders fetched, wallets enriched and trades."""
    holders, wallets, trades = rules.shares
    got = holders * (ratio(facts.holders_fetched, facts.total_holders) or ZERO)
    got += wallets * (ratio(facts.wallets_enriched, facts.wallets_sampled) or ZERO)
    return _rounded(got + (trades if facts.has_trades else ZERO))


def ratio(part: int | None, whole: int | None) -> Decimal | None:
    """Return ``part`` of ``whole`` as a part of one; ``None`` when either is unknown or the whole is nothing."""
    if part is None or not whole:
        return None
    return min(Decimal(1), Decimal(part) / Decimal(whole))


def _distribution(facts: Facts, rules: Rules) -> tuple[Component, ...]:
    holders = facts.total_holders
    few = holders is not None and holders < rules.few_below
    factor = max(rules.few_least, Decimal(holders or 0) / rules.few_below) if few else Decimal(1)
    why = f"; times {text(_rounded(factor))}, as there are only {holders} holders" if few else ""
    return (
        _line("gini", "The Gini coefficient", facts.gini, rules.gini, facts, factor=factor, why=why),
        _line("top_1", "The largest holder's percent", facts.top_1_pct, rules.top_1, facts, factor=factor, why=why),
        _holders(facts, rules, few=few, factor=factor, why=why),
    )


def _holders(facts: Facts, rules: Rules, *, few: bool, factor: Decimal, why: str) -> Component:
    holders = facts.total_holders
    inputs = {"holders": text(holders)}
    if holders is None:
        reason = unknown("The number of holders", facts.why_unknown)
        return Component("holders", None, rules.holders_most, reason, inputs)
    if few:
        full, how = rules.few_points * holders, f"{text(rules.few_points)} points each"
    else:
        full, how = Decimal(int(holders / rules.holders_a_point)), f"a point for each {text(rules.holders_a_point)}"
    points = _rounded(min(rules.holders_most, full) * factor)
    reason = f"The number of holders is {holders}: {how}, {text(rules.holders_most)} at most{why}"
    return Component("holders", points, rules.holders_most, reason, inputs)


def _quality(facts: Facts, rules: Rules) -> tuple[Component, ...]:
    smart = facts.smart_money_ratio
    return (
        _line("bots", "The part of bots", facts.bot_ratio, rules.bots, facts),
        _line("smart_money", "The part of smart money", smart, rules.smart_money, facts),
        _line("wallet_age", "The wallets' mean age in days", facts.avg_wallet_age_days, rules.age, facts),
    )


def _activity(facts: Facts, rules: Rules) -> tuple[Component, ...]:
    active = ratio(facts.active_holders, facts.total_holders)
    return (
        _line("active", "The part that was active in 24 hours", active, rules.active, facts),
        _line("organic", "The organic measure", facts.organic, rules.organic, facts),
        _line("velocity", "The velocity measure", facts.velocity, rules.velocity, facts),
    )


def _line(
    name: str,
    label: str,
    value: Decimal | None,
    table: Steps | Linear,
    facts: Facts,
    *,
    factor: Decimal = Decimal(1),
    why: str = "",
) -> Component:
    inputs, most = {"value": text(value)}, table.most
    if value is None:
        return Component(name, None, most, unknown(label, facts.why_unknown), inputs)
    read = table.at(value)
    shown = text(value.quantize(Decimal("0.0001"), ROUND_HALF_UP))
    return Component(name, _rounded(read.points * factor), most, f"{label} is {shown}, {read.words}{why}", inputs)


def unknown(label: str, why: str | None) -> str:
    """Return the reason of a line whose figure is not known, with the words that say why."""
    return f"Unknown: {label[0].lower()}{label[1:]}" + (f". {why}" if why else "")


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_UP)
