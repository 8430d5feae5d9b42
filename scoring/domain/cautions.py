"""Alerts and flags in words: what an operator should read about a token's holders (formulas 3.7).

Each is a figure beyond a limit of the policy. An unknown figure raises none, and its absence is told by completeness.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal, Self

from scoring.domain.points import text
from scoring.domain.terms import Section

Level = Literal["critical", "warning", "positive", "red", "yellow"]

DEFAULTS: dict[str, Any] = {
    "critical": {"gini_above": "0.9", "bot_ratio_above": "0.5", "overall_above": "80"},
    "warning": {"top_1_pct_above": "20", "avg_wallet_age_days_below": "7"},
    "positive": {"smart_money_ratio_above": "0.1", "holder_score_above": "250"},
    "red": {"top_1_pct_above": "15", "bot_ratio_above": "0.3", "gini_above": "0.8", "top_10_pct_above": "50"},
    "yellow": {"top_1_pct_above": "10", "bot_ratio_above": "0.2", "avg_wallet_age_days_below": "7"},
}
"""``cautions`` in the risk section of a policy's terms: alerts (critical, warning, positive) and flags (red, yellow)."""

_WORDS = {
    "gini_above": "The Gini coefficient is {value}, above {limit}: few hold nearly everything",
    "bot_ratio_above": "{value} % of the analysed wallets are bots, more than {limit} %",
    "overall_above": "The overall risk is {value}, above {limit}",
    "top_1_pct_above": "One wallet holds {value} %, more than {limit} %",
    "top_10_pct_above": "Ten wallets hold {value} %, more than {limit} %",
    "avg_wallet_age_days_below": "The wallets are {value} days old on average, below {limit}",
    "smart_money_ratio_above": "{value} % of the analysed wallets are smart money, more than {limit} %",
    "holder_score_above": "The holder score is {value}, above {limit}",
}
_PERCENT = ("bot_ratio_above", "smart_money_ratio_above")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """The figures that cautions look at; ``None`` is unknown."""

    gini: Decimal | None = None
    bot_ratio: Decimal | None = None
    top_1_pct: Decimal | None = None
    top_10_pct: Decimal | None = None
    avg_wallet_age_days: Decimal | None = None
    smart_money_ratio: Decimal | None = None
    holder_score: Decimal | None = None
    overall: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Caution:
    """One thing to read."""

    level: Level
    code: str
    """The limit's name in the policy."""
    words: str

    @property
    def is_flag(self) -> bool:
        """Whether it is a red or yellow flag; else it is an alert."""
        return self.level in ("red", "yellow")

    def as_json(self) -> dict[str, str]:
        """Return it as it is stored."""
        return {"level": self.level, "code": self.code, "words": self.words}


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits by level."""

    limits: Mapping[Level, Mapping[str, Decimal]]

    @classmethod
    def of(cls, terms: Section) -> Self:
        """Return the rules of ``policy.risk.section("cautions")``. Raises ``PolicyMalformed``."""
        levels: tuple[Level, ...] = ("critical", "warning", "positive", "red", "yellow")
        return cls({level: {name: terms.section(level).number(name) for name in DEFAULTS[level]} for level in levels})


def of(stated: Stated, rules: Rules) -> tuple[Caution, ...]:
    """Return what is to be read, alerts first. A figure with a red flag gets no yellow one as well."""
    found: list[Caution] = []
    for level, limits in rules.limits.items():
        for code, limit in limits.items():
            figure, _, side = code.rpartition("_")
            value: Decimal | None = getattr(stated, figure)
            if value is None or not (value > limit if side == "above" else value < limit):
                continue
            if level == "yellow" and any(caution.level == "red" and caution.code == code for caution in found):
                continue
            found.append(Caution(level, code, _said(code, value, limit)))
    return tuple(found)


def _said(code: str, value: Decimal, limit: Decimal) -> str:
    factor = 100 if code in _PERCENT else 1
    shown = (value * factor).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return _WORDS[code].format(value=text(shown), limit=text(limit * factor))
