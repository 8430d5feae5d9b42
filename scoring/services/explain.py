"""Why a token has its score: every line with its inputs, points and reason, what is unknown and why, and whether
computing it again from what was stored gives the same number."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from scoring.domain import total
from scoring.domain.points import Part, text
from scoring.domain.rescoring import PARTS, Rules
from scoring.domain.total import Inputs, PartPoints, Total
from scoring.domain.verdicts import Verdict
from scoring.models import TokenScore
from scoring.selectors import scores, sources
from scoring.selectors.sources import Source
from scoring.services import policies, why_unknown
from scoring.services.why_unknown import Causes
from tokens.models import Token

_SAME = Decimal("0.00001")
"""Rows hold points with six decimals, so a sum of them may differ in the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartExplained:
    """One of the three parts."""

    name: str
    points: Decimal | None
    """What it adds to the total; None when it is unknown."""
    stored: PartPoints
    """As its own row counted it, signed."""
    at: datetime | None
    """When its row was made."""
    policy_version: int | None
    blocks: tuple[Part, ...]
    """Its lines, computed again; empty when its inputs are not stored any more."""
    why_unknown: str
    """In words; empty for a part that is known."""
    again: Decimal | None
    """The points of the lines computed again, signed."""
    is_same: bool | None
    """Whether they are those that were stored; None when they could not be computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A token's total at a time, down to its lines."""

    token: Token
    asked_at: datetime
    score: TokenScore
    parts: tuple[PartExplained, ...]
    multipliers: tuple[Verdict, ...]
    flags: tuple[Verdict, ...]
    again: Total
    """The total computed again from its stored inputs."""
    is_same: bool
    """Whether that and all parts that could be computed again are what was stored."""


class NotScored(LookupError):
    """The token had no score at that time; the message says why."""


def explain(*, token: Token, at: datetime | None = None, now: datetime) -> Explanation:
    """Return why ``token`` had its score at ``at`` (None: now). Raises :class:`NotScored`."""
    score = scores.find_score(token=token, at=at)
    if score is None:
        raise NotScored(why_unknown.total(token=token, at=at or now))
    return of(score, asked_at=at or now)


def of(score: TokenScore, *, asked_at: datetime) -> Explanation:
    """Return why ``score`` is what it is; its token must be loaded with it."""
    inputs, found = Inputs.from_json(score.inputs), sources.of([score])[score.pk]
    versions = {score.policy_version} | {it.policy_version for it in found.values() if it is not None}
    known = policies.many(versions)
    rules = {version: Rules.of(policy) for version, policy in known.items()}
    again = total.score(inputs, rules[score.policy_version].total)
    assert again is not None, "A score that is stored has a known part."
    causes = Causes(token=score.token, at=score.calculated_at, policy=known[score.policy_version])
    parts = tuple(_part(name, score, getattr(inputs, name), found[name], rules, causes) for name in total.PARTS)
    risks = found["risk"]
    of_risks = None if risks is None else rules[risks.policy_version]
    multipliers, flags = (
        why_unknown.verdicts(some, source=risks, rules=of_risks, causes=causes)
        for some in (again.multipliers, again.flags)
    )
    return Explanation(
        token=score.token,
        asked_at=asked_at,
        score=score,
        parts=parts,
        multipliers=multipliers,
        flags=flags,
        again=again,
        is_same=_is_same(score, again) and all(part.is_same is not False for part in parts),
    )


def _part(
    name: str, score: TokenScore, stored: PartPoints, source: Source | None, rules: dict[int, Rules], causes: Causes
) -> PartExplained:
    blocks: tuple[Part, ...] = ()
    again: Decimal | None = None
    is_same: bool | None = None
    if source is not None and source.inputs is not None:
        computed = PARTS[name](source.inputs, rules[source.policy_version])
        blocks = why_unknown.lines(name, blocks=computed.parts, inputs=source.inputs, causes=causes)
        again = computed.points.points
        is_same = _is_close(again, stored.points) and (
            again is None or _is_close(computed.points.available, stored.available)
        )
    points: Decimal | None = getattr(score, f"{name}_score")
    return PartExplained(
        name=name,
        points=points,
        stored=stored,
        at=source.at if source else None,
        policy_version=source.policy_version if source else None,
        blocks=blocks,
        why_unknown="" if points is not None else why_unknown.part(name, causes=causes, blocks=blocks),
        again=again,
        is_same=is_same,
    )


def _is_close(first: Decimal | None, second: Decimal | None) -> bool:
    return first == second if first is None or second is None else abs(first - second) <= _SAME


def _is_same(score: TokenScore, again: Total) -> bool:
    stored = (score.technical_score, score.holder_score, score.social_score, score.score_multiplier)
    return (
        stored == (again.technical, again.holder, again.social, again.multiplier)
        and (score.total_adjusted, score.total_ratio) == (again.adjusted, again.ratio)
        and score.red_flags == [flag.name for flag in again.raised]
    )


def as_json(explained: Explanation) -> dict[str, Any]:
    """Return an explanation for programs: numbers as text, times ISO-8601, unknown is null with its reason."""
    score = explained.score
    return {
        "mint": explained.token.mint_address,
        "symbol": explained.token.symbol,
        "asked_at": explained.asked_at,
        "score": {
            "calculated_at": score.calculated_at,
            "policy_version": score.policy_version,
            "total_adjusted": score.total_adjusted,
            "total_raw": text(score.total_raw),
            "score_multiplier": text(score.score_multiplier),
            "available_max": score.available_max,
            "ratio": text(score.total_ratio),
            "completeness_pct": text(score.completeness),
            "is_disqualified": score.is_disqualified,
            "red_flags": list(score.red_flags),
        },
        "parts": [_part_json(part) for part in explained.parts],
        "multipliers": [one.as_json() for one in explained.multipliers],
        "flags": [one.as_json() for one in explained.flags],
        "computed_again": {
            "total_adjusted": explained.again.adjusted,
            "is_same": explained.is_same,
            "parts_not_stored_any_more": [
                part.name for part in explained.parts if part.points is not None and part.is_same is None
            ],
        },
    }


def _part_json(part: PartExplained) -> dict[str, Any]:
    return {
        "name": part.name,
        "points": text(part.points),
        "points_signed": text(part.stored.points),
        "available": text(part.stored.available),
        "calculated_at": part.at,
        "policy_version": part.policy_version,
        "why_unknown": part.why_unknown or None,
        "computed_again": text(part.again),
        "is_same": part.is_same,
        "blocks": [block.as_json() for block in part.blocks],
    }
