"""Scores computed again from what was stored beside them, by their own version of the rules or by another."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Self

from scoring.domain import holder, risk, social, total
from scoring.domain.points import Part
from scoring.domain.policy import Policy
from scoring.domain.signs import Signs
from scoring.domain.stored import from_json
from scoring.domain.technical import facts as market
from scoring.domain.technical import scored as technical
from scoring.domain.terms import Section
from scoring.domain.total import Inputs, PartPoints, Total
from scoring.domain.verdicts import Facts

Stored = Mapping[str, Any]
"""The ``inputs`` of a row."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All sections of a policy, read and checked."""

    version: int
    technical: technical.Terms
    holder: holder.Rules
    risk: risk.Rules
    social: Section
    total: Section

    @classmethod
    def of(cls, policy: Policy) -> Self:
        """Return the rules of ``policy``. Raises ``PolicyMalformed`` with what to write instead."""
        rules = cls(
            policy.version,
            technical.Terms.of(policy.technical),
            holder.Rules.of(policy.holder),
            risk.Rules.of(policy.risk),
            policy.social,
            policy.total,
        )
        total.check(rules.total)
        # The social section is read while it scores.
        social.score(social.Figures(), rules.social)
        return rules


@dataclass(frozen=True, slots=True)
class Again:
    """One part of a total, computed again: its lines and what it brings."""

    parts: tuple[Part, ...]
    points: PartPoints


def technical_again(stored: Stored, rules: Rules) -> Again:
    """Return the technical score of stored facts."""
    found = technical.score(rules.technical, market.Facts.from_json(stored))
    is_known = any(part.points is not None for part in found.parts)
    return Again(found.parts, PartPoints(found.total if is_known else None, found.available))


def holder_again(stored: Stored, rules: Rules) -> Again:
    """Return the holder score of stored facts."""
    found = holder.score(from_json(holder.Facts, stored), rules.holder)
    return Again(found.parts, PartPoints(found.total, found.available, found.completeness / 100))


def social_again(stored: Stored, rules: Rules) -> Again:
    """Return the social score of stored figures."""
    found = social.score(social.Figures.from_json(stored), rules.social)
    return Again(found.parts, PartPoints(found.points, found.available))


def assessed_again(stored: Stored, rules: Rules) -> risk.Assessment:
    """Return the risks of stored facts and figures."""
    return risk.assess(from_json(risk.Facts, stored["holders"]), from_json(Signs, stored["signs"]), rules.risk)


PARTS = {"technical": technical_again, "holder": holder_again, "social": social_again}


def total_again(stored: Stored, parts: Mapping[str, Stored | None], rules: Rules) -> Total | None:
    """Return the total of stored inputs by ``rules``, its parts and risks computed again from *their* stored inputs.

    A part whose inputs are not there any more counts as it was stored, by the rules of then.
    """
    inputs = Inputs.from_json(stored)
    for name, again in PARTS.items():
        facts = parts.get(name)
        if facts is not None and getattr(inputs, name).points is not None:
            changed: dict[str, Any] = {name: again(facts, rules).points}
            inputs = replace(inputs, **changed)
    if (figures := parts.get("risk")) is not None:
        inputs = replace(inputs, facts=judged(inputs.facts, assessed_again(figures, rules)))
    return total.score(inputs, rules.total)


def judged(facts: Facts, found: risk.Assessment) -> Facts:
    """Return ``facts`` with what ``found`` says in the place of what an earlier assessment said."""
    seen = {name: sign.seen for name, sign in found.signs.items()}
    wash: Decimal | None = found.score("wash_trading")
    return replace(
        facts,
        wash_trading_score=wash,
        bot_swarm=seen["bot_swarm_detected"],
        whale_coordination=seen["whale_coordination_detected"],
        creator_dumping=seen["creator_dumping"],
        insider_selling=seen["insider_selling"],
        pump_dump=seen["pump_dump_pattern"],
        coordinated_buying=seen["coordinated_buying"],
    )
