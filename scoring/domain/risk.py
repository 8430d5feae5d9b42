"""What speaks against a token: risk scores from 0 to 100, signs with their evidence, and how much of it is known (3.7).

What is unknown never looks safe (G8). A score of which only some lines are known is what these give, so at least that
bad; ``completeness`` says how much of the weights was known; and the level is low only when that is enough.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Self

from scoring.choices import RiskLevel
from scoring.domain import cautions, holder, signs, wash
from scoring.domain.points import ZERO, Component, Part, Ramp, Steps, stated, text
from scoring.domain.signs import Sign, Signs
from scoring.domain.terms import PolicyMalformed, Section

MOST = Decimal(100)
_EXACT = Decimal("0.0001")
WEIGHED = ("concentration", "bots", "rug", "wash_trading", "liquidity", "volatility")
"""The scores of the weighted risk; the first four are those of the seed's overall risk."""

DEFAULTS: dict[str, Any] = {
    "concentration": [
        {"since": "0", "to": "0.6", "first": "0", "last": "24"},
        {"to": "0.7", "points": "40"},
        {"to": "0.8", "points": "60"},
        {"to": "0.9", "points": "80"},
        {"points": "100"},
    ],
    "bots": {"for_all": "200"},
    "rug": {"for_a_top_1_pct": "2", "for_all_new": "100", "for_all_gini": "50"},
    "wash_trading": wash.DEFAULTS,
    "liquidity": [
        {"below": "10", "points": "90"},
        {"below": "50", "points": "70"},
        {"below": "100", "points": "50"},
        {"below": "500", "points": "30"},
        {"points": "10"},
    ],
    "volatility": {"for_all_sold": "50", "for_a_sell": "5", "sells_most": "50"},
    "pump_dump": {"pump": "30", "joint_buyers": "20", "insiders": "20", "dump": "30"},
    "weights": {
        "concentration": "0.25",
        "bots": "0.20",
        "rug": "0.25",
        "wash_trading": "0.10",
        "liquidity": "0.10",
        "volatility": "0.10",
    },
    "levels": {"critical_above": "80", "high_above": "60", "moderate_above": "30", "low_when_known_pct": "60"},
    "dominance_top_1_pct_above": "15",
    "swarm_bot_ratio_above": "0.5",
    "signs": signs.DEFAULTS,
    "cautions": cautions.DEFAULTS,
}
"""This section of a policy's terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What one snapshot says of a token's holders; ``None`` is unknown. ``*_pct`` is percent, ratios are parts of one."""

    total_holders: int | None = None
    gini: Decimal | None = None
    top_1_pct: Decimal | None = None
    top_10_pct: Decimal | None = None
    bot_ratio: Decimal | None = None
    mev_ratio: Decimal | None = None
    new_wallet_ratio: Decimal | None = None
    """Wallets younger than seven days."""
    smart_money_ratio: Decimal | None = None
    avg_wallet_age_days: Decimal | None = None
    holder_score: Decimal | None = None
    confidence_pct: Decimal | None = None
    why_unknown: str | None = None
    """Why no measure of the holders is known, in words: too little of what circulates was judged."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The risk section of a policy, read and checked."""

    concentration: Ramp
    bots: Decimal
    rug: tuple[Decimal, Decimal, Decimal]
    wash: Mapping[str, Decimal]
    liquidity: Steps
    volatility: tuple[Decimal, Decimal, Decimal]
    pump_dump: Mapping[str, Decimal]
    weights: Mapping[str, Decimal]
    levels: Mapping[RiskLevel, Decimal]
    enough_known: Decimal
    dominance: Decimal
    swarm: Decimal
    signs: signs.Rules
    cautions: cautions.Rules

    @classmethod
    def of(cls, terms: Section) -> Self:
        """Return the rules of ``policy.risk``. Raises ``PolicyMalformed`` and says what to write instead."""
        rug, volatility, levels = terms.section("rug"), terms.section("volatility"), terms.section("levels")
        rules = cls(
            concentration=Ramp.of(terms.rows("concentration"), name="risk.concentration"),
            bots=terms.section("bots").number("for_all"),
            rug=(rug.number("for_a_top_1_pct"), rug.number("for_all_new"), rug.number("for_all_gini")),
            wash=_numbers(terms.section("wash_trading")),
            liquidity=Steps.of(terms.rows("liquidity"), name="risk.liquidity"),
            volatility=(
                volatility.number("for_all_sold"),
                volatility.number("for_a_sell"),
                volatility.number("sells_most"),
            ),
            pump_dump=_numbers(terms.section("pump_dump")),
            weights={name: terms.section("weights").number(name) for name in WEIGHED},
            levels={
                RiskLevel.CRITICAL: levels.number("critical_above"),
                RiskLevel.HIGH: levels.number("high_above"),
                RiskLevel.MODERATE: levels.number("moderate_above"),
            },
            enough_known=levels.number("low_when_known_pct"),
            dominance=terms.number("dominance_top_1_pct_above"),
            swarm=terms.number("swarm_bot_ratio_above"),
            signs=signs.Rules.of(terms.section("signs")),
            cautions=cautions.Rules.of(terms.section("cautions")),
        )
        if any(weight < 0 for weight in rules.weights.values()) or sum(rules.weights.values()) != 1:
            raise PolicyMalformed("risk.weights: write weights that are not negative and add up to 1.")
        given = (rules.bots, *rules.rug, *rules.volatility, *rules.wash.values(), *rules.pump_dump.values())
        if any(number < 0 for number in given):
            raise PolicyMalformed("risk: nothing takes risk away; write no negative numbers.")
        for name, table in (("concentration", rules.concentration), ("liquidity", rules.liquidity)):
            if any(min(piece.first, piece.last) < 0 or max(piece.first, piece.last) > MOST for piece in table.pieces):
                raise PolicyMalformed(f"risk.{name}: write points from 0 to 100.")
        return rules


@dataclass(frozen=True, slots=True)
class Risk:
    """One score from 0 to 100, more is worse."""

    part: Part
    limit: Decimal = MOST

    @property
    def score(self) -> Decimal | None:
        """What the known lines give, 100 at most; None when no line is known. Then it is *at least* so bad."""
        points = self.part.points
        return None if points is None else min(self.limit, points).quantize(_EXACT, ROUND_HALF_UP)

    @property
    def known(self) -> Decimal:
        """Which part of its lines is known, 0 to 1. What has reached 100 cannot become worse, so it is known."""
        if self.score == MOST:
            return Decimal(1)
        lines = self.part.components
        return Decimal(sum(line.points is not None for line in lines)) / len(lines)


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that speaks against a token at one time."""

    risks: Mapping[str, Risk]
    signs: Mapping[str, Sign]
    overall: Decimal | None
    """The worst of the first four scores that are known, as the seed has it."""
    weighted: Decimal | None
    completeness: Decimal
    """Percent of the weights that was known."""
    level: RiskLevel
    confidence: Decimal | None
    """Percent: completeness times how far the holders' figures can be believed."""
    cautions: tuple[cautions.Caution, ...]

    def score(self, name: str) -> Decimal | None:
        """Return the score called ``name``."""
        return self.risks[name].score


def assess(facts: Facts, figures: Signs, rules: Rules) -> Assessment:
    """Return what speaks against the token of which ``facts`` and ``figures`` tell."""
    seen = _signs(facts, figures, rules)
    risks = {
        "concentration": _tabled("concentration", "The Gini coefficient", facts.gini, rules.concentration, facts),
        "bots": Risk(Part("bots", (_scaled("bots", "The part of bots", facts.bot_ratio, rules.bots, facts),), MOST)),
        "rug": _rug(facts, rules),
        "wash_trading": Risk(wash.rate(figures, rules.wash)),
        "liquidity": _tabled(
            "liquidity", "The number of holders", _decimal(facts.total_holders), rules.liquidity, facts
        ),
        "volatility": _volatility(figures, rules),
        "liquidity_removal": _removal(figures),
        "pump_dump": _pump_dump(figures, rules, seen),
    }
    known = {name: score for name in WEIGHED if (score := risks[name].score) is not None}
    weight = sum((rules.weights[name] for name in known), ZERO)
    weighted = sum((rules.weights[name] * score for name, score in known.items()), ZERO) / weight if weight else None
    completeness = _exact(sum((rules.weights[name] * risks[name].known for name in WEIGHED), ZERO) * 100)
    overall = max((known[name] for name in WEIGHED[:4] if name in known), default=None)
    level = _level(overall, None if weighted is None else _exact(weighted), completeness, rules)
    confidence = None if facts.confidence_pct is None else _exact(completeness * facts.confidence_pct / 100)
    stated = cautions.Stated(
        gini=facts.gini,
        bot_ratio=facts.bot_ratio,
        top_1_pct=facts.top_1_pct,
        top_10_pct=facts.top_10_pct,
        avg_wallet_age_days=facts.avg_wallet_age_days,
        smart_money_ratio=facts.smart_money_ratio,
        holder_score=facts.holder_score,
        overall=overall,
    )
    return Assessment(
        risks=risks,
        signs=seen,
        overall=overall,
        weighted=None if weighted is None else _exact(weighted),
        completeness=completeness,
        level=level,
        confidence=confidence,
        cautions=cautions.of(stated, rules.cautions),
    )


def _level(overall: Decimal | None, weighted: Decimal | None, completeness: Decimal, rules: Rules) -> RiskLevel:
    worst = max((score for score in (overall, weighted) if score is not None), default=None)
    if worst is not None:
        for level, above in rules.levels.items():
            if worst > above:
                return level
    # What would be low is only low when enough of it is known (G8).
    return RiskLevel.LOW if worst is not None and completeness >= rules.enough_known else RiskLevel.UNKNOWN


def _signs(facts: Facts, figures: Signs, rules: Rules) -> dict[str, Sign]:
    top, bots = facts.top_1_pct, facts.bot_ratio
    dominance = Sign(None, holder.unknown("The largest holder's share", facts.why_unknown))
    if top is not None:
        dominance = Sign(
            top > rules.dominance,
            f"The largest holder has {signs.percent(top / 100)}; a sign is more than {text(rules.dominance)} %",
        )
    swarm = Sign(None, f"Unknown: {facts.why_unknown or 'no wallet was analysed'}")
    if bots is not None:
        swarm = Sign(
            bots > rules.swarm,
            f"{signs.percent(bots)} of the wallets are bots; a sign is more than {signs.percent(rules.swarm)}",
        )
    return {
        "single_wallet_dominance": dominance,
        "whale_coordination_detected": signs.whale_coordination(figures, rules.signs),
        "bot_swarm_detected": swarm,
        "creator_dumping": signs.creator_dumping(figures, rules.signs),
        "insider_selling": signs.insider_selling(figures, rules.signs),
        "pump_dump_pattern": signs.pump_dump(figures, rules.signs),
        "coordinated_buying": signs.coordinated_buying(figures, rules.signs),
    }


def _rug(facts: Facts, rules: Rules) -> Risk:
    top, new, gini = rules.rug
    lines = (
        _scaled("top_1", "The largest holder's percent", facts.top_1_pct, top, facts),
        _scaled("new_wallets", "The part of new wallets", facts.new_wallet_ratio, new, facts),
        _scaled("gini", "The Gini coefficient", facts.gini, gini, facts),
    )
    return Risk(Part("rug", lines, MOST))


def _volatility(figures: Signs, rules: Rules) -> Risk:
    for_all, for_each, most = rules.volatility
    sold = sells = None
    if figures.traders:
        active = figures.sold_active or 0
        part = Decimal(active) / figures.traders
        sold = for_all * part, f"{signs.percent(part)} of {figures.traders} traders sold and were active of late"
        each = Decimal(figures.sells_of_those or 0) / active if active else ZERO
        sells = min(most, for_each * each), f"each of them sold {text(each.quantize(Decimal('0.1')))} times"
    lines = (
        stated("sold", sold, for_all, "no trade is stored"),
        stated("sells", sells, most, "no trade is stored"),
    )
    return Risk(Part("volatility", lines, MOST))


def _removal(figures: Signs) -> Risk:
    said = None
    if figures.pools == 0:
        said = ZERO, "A launch curve's liquidity cannot be taken out"
    elif figures.pools and figures.reserve_raw is not None:
        removed = max(0, figures.removed_raw or 0)
        whole = removed + figures.reserve_raw
        part = Decimal(removed) / whole if whole else Decimal(1)
        said = part * 100, f"{signs.percent(part)} of the pools' quote was taken out"
    return Risk(Part("liquidity_removal", (stated("removed", said, MOST, "what the pools hold"),), MOST))


def _pump_dump(figures: Signs, rules: Rules, seen: Mapping[str, Sign]) -> Risk:
    risen, fallen = signs.pump(figures, rules.signs)
    creator, insiders = seen["creator_dumping"], seen["insider_selling"]
    inside = insiders if insiders.seen or (creator.seen is False) else creator
    dumped = Sign(None if risen.seen is None else bool(risen.seen and fallen.seen), fallen.words)
    asked = {"pump": risen, "joint_buyers": seen["coordinated_buying"], "insiders": inside, "dump": dumped}
    lines = tuple(
        Component(
            name,
            None if sign.seen is None else rules.pump_dump[name] if sign.seen else ZERO,
            rules.pump_dump[name],
            sign.words,
            {},
        )
        for name, sign in asked.items()
    )
    return Risk(Part("pump_dump", lines, MOST))


def _tabled(name: str, label: str, value: Decimal | None, table: Ramp, facts: Facts) -> Risk:
    if value is None:
        line = Component(name, None, MOST, holder.unknown(label, facts.why_unknown), {"value": None})
    else:
        read = table.at(value)
        line = Component(name, read.points, MOST, f"{label} is {_short(value)}, {read.words}", {"value": text(value)})
    return Risk(Part(name, (line,), MOST))


def _scaled(name: str, label: str, value: Decimal | None, factor: Decimal, facts: Facts) -> Component:
    if value is None:
        return Component(name, None, MOST, holder.unknown(label, facts.why_unknown), {"value": None})
    reason = f"{label} is {_short(value)}, times {text(factor)}"
    return Component(name, max(ZERO, value) * factor, MOST, reason, {"value": text(value)})


def _numbers(terms: Section) -> dict[str, Decimal]:
    return {name: terms.number(name) for name in terms.terms}


def _short(value: Decimal) -> str | None:
    return text(value.quantize(_EXACT, ROUND_HALF_UP))


def _exact(value: Decimal) -> Decimal:
    return value.quantize(_EXACT, ROUND_HALF_UP)


def _decimal(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value)
