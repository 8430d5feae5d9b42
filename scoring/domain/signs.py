"""What trades tell about a token's risk: the figures behind the booleans of formulas 3.7, and whether each is a sign.

The figures come from one statement for many tokens (``scoring.selectors.signs``) and hold at a time: nothing later is in
them. ``None`` is unknown, and unknown is never "no risk".
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple, Self

from scoring.domain.points import text
from scoring.domain.terms import PolicyMalformed, Section

DEFAULTS: dict[str, Any] = {
    "selling_minutes": "60",
    "creator_sold_ratio_above": "0.2",
    "insiders_sold_ratio_above": "0.3",
    "whale_share_pct": "5",
    "whales_at_least": "3",
    "whales_within_seconds": "60",
    "whales_sol_above": "10",
    "joint_buyers_at_least": "5",
    "joint_within_seconds": "10",
    "joint_apart_pct": "2",
    "pump_times": "2",
    "dump_ratio": "0.5",
    "pump_minutes": "30",
    "look_back_hours": "24",
}
"""``signs`` in the risk section of a policy's terms. Whales and sales are looked for in the last ``selling_minutes``,
the pump, removed liquidity and who was active in the last ``look_back_hours``, joint first buys in the token's life."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Where a figure becomes a sign, and over which times the figures are taken."""

    selling: timedelta
    creator_sold: Decimal
    insiders_sold: Decimal
    whale_share: Decimal
    """Part of the supply, percent."""
    whales: int
    whales_within: timedelta
    whales_sol: Decimal
    joint_buyers: int
    joint_within: timedelta
    joint_apart: Decimal
    """Percent."""
    pump_times: Decimal
    dump_ratio: Decimal
    pump_within: timedelta
    look_back: timedelta

    @classmethod
    def of(cls, terms: Section) -> Self:
        """Return the rules of ``policy.risk.section("signs")``. Raises ``PolicyMalformed``."""
        if wrong := [name for name in DEFAULTS if terms.number(name) <= 0]:
            raise PolicyMalformed(f"{terms.name}.{wrong[0]}: write a number above zero.")
        return cls(
            selling=timedelta(minutes=terms.whole("selling_minutes")),
            creator_sold=terms.number("creator_sold_ratio_above"),
            insiders_sold=terms.number("insiders_sold_ratio_above"),
            whale_share=terms.number("whale_share_pct"),
            whales=terms.whole("whales_at_least"),
            whales_within=timedelta(seconds=terms.whole("whales_within_seconds")),
            whales_sol=terms.number("whales_sol_above"),
            joint_buyers=terms.whole("joint_buyers_at_least"),
            joint_within=timedelta(seconds=terms.whole("joint_within_seconds")),
            joint_apart=terms.number("joint_apart_pct"),
            pump_times=terms.number("pump_times"),
            dump_ratio=terms.number("dump_ratio"),
            pump_within=timedelta(minutes=terms.whole("pump_minutes")),
            look_back=timedelta(hours=terms.whole("look_back_hours")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The figures of one token at one time. Amounts ``_raw`` are base units of the token or the quote, times ISO-8601.

    A peak is the most that a wallet's trades left it with; what it sold without having bought it counts in, so a wallet
    that was *given* its tokens has a peak as well.
    """

    traders: int | None = None
    """Wallets that ever traded the token; None when no trade is stored, and then nothing here is known."""
    creator: str | None = None
    creator_sold_raw: int | None = None
    creator_peak_raw: int | None = None
    insiders: int | None = None
    """None when nobody has looked for insiders."""
    insiders_sold_raw: int | None = None
    insiders_peak_raw: int | None = None
    whales: tuple[str, ...] | None = None
    """The wallets of the strongest group on one side; None when the supply is not known, and so who is a whale."""
    whales_bought: bool | None = None
    whales_sol: Decimal | None = None
    whales_at: str | None = None
    joint_buyers: int | None = None
    """The largest group of wallets whose first buys are close in time and amount."""
    joint_at: str | None = None
    joint_least_raw: int | None = None
    joint_most_raw: int | None = None
    pump_at: str | None = None
    """The minute of the sharpest rise and fall; None when there was no minute to look at."""
    pump_low_before: Decimal | None = None
    pump_high: Decimal | None = None
    pump_low_after: Decimal | None = None
    pools: int | None = None
    """Pools whose liquidity can be taken out: a launch curve is none."""
    removed_raw: int | None = None
    """Quote taken out of them of late, whatever was put in."""
    reserve_raw: int | None = None
    """Quote that they hold."""
    alike: tuple[tuple[int, ...], ...] = ()
    """Numbers of trades that many wallets share, each with how many wallets."""
    round_trippers: int | None = None
    born: int | None = None
    """Holders whose creation is known; None when nobody's is."""
    born_together: int | None = None
    """The most of them that were created in one hour."""
    born_hours: tuple[int, ...] = ()
    """How many were created in each hour, the twenty largest first; figures from before it was counted have none."""
    volume_raw: int | None = None
    """Quote bought and sold, of the quote that is SOL if any is; None in figures from before it was counted."""
    wash_volume_raw: int | None = None
    """So much of it wallets both bought and sold while their trades were no further apart than the policy says."""
    sold_active: int | None = None
    """Wallets that sold and traded in the last hours."""
    sells_of_those: int | None = None


class Sign(NamedTuple):
    """Whether something is seen: ``None`` when it is not known. ``words`` say why."""

    seen: bool | None
    words: str


def creator_dumping(signs: Signs, rules: Rules) -> Sign:
    """Return whether the creator sold too much of his peak in the last hour."""
    if signs.traders is None or signs.creator is None:
        return Sign(None, "Unknown: the creator" if signs.creator is None else "Unknown: no trade is stored")
    part = sold(signs.creator_sold_raw, signs.creator_peak_raw)
    if part is None:
        return Sign(False, "The creator has not traded")
    words = f"The creator sold {percent(part)} of his peak in {minutes(rules.selling)}"
    return Sign(part > rules.creator_sold, f"{words}; a sign is more than {percent(rules.creator_sold)}")


def insider_selling(signs: Signs, rules: Rules) -> Sign:
    """Return whether insiders sold too much of what they held at their peaks in the last hour."""
    if signs.traders is None or signs.insiders is None:
        return Sign(
            None, "Unknown: nobody has looked for insiders" if signs.insiders is None else "Unknown: no trade is stored"
        )
    part = sold(signs.insiders_sold_raw, signs.insiders_peak_raw)
    if part is None:
        return Sign(False, "No insider has traded" if signs.insiders else "There are no insiders")
    words = f"{signs.insiders} insiders sold {percent(part)} of their peak in {minutes(rules.selling)}"
    return Sign(part > rules.insiders_sold, f"{words}; a sign is more than {percent(rules.insiders_sold)}")


def whale_coordination(signs: Signs, rules: Rules) -> Sign:
    """Return whether enough whales traded the same side at nearly the same time."""
    if signs.traders is None or signs.whales is None:
        return Sign(None, "Unknown: no trade is stored" if signs.traders is None else "Unknown: the supply")
    within = f"within {rules.whales_within.seconds} s"
    if len(signs.whales) < rules.whales or signs.whales_sol is None:
        return Sign(False, f"No {rules.whales} whales traded the same side {within}")
    side = "bought" if signs.whales_bought else "sold"
    words = f"{len(signs.whales)} whales {side} for {text(signs.whales_sol)} SOL {within}"
    return Sign(signs.whales_sol > rules.whales_sol, f"{words}; a sign is more than {text(rules.whales_sol)} SOL")


def coordinated_buying(signs: Signs, rules: Rules) -> Sign:
    """Return whether enough wallets bought first at nearly the same time for nearly the same amount."""
    if signs.traders is None:
        return Sign(None, "Unknown: no trade is stored")
    group = signs.joint_buyers or 0
    close = f"within {rules.joint_within.seconds} s for amounts within {text(rules.joint_apart)} %"
    words = f"{group} wallets bought first {close}; a sign is {rules.joint_buyers}"
    return Sign(group >= rules.joint_buyers, words)


def pump(signs: Signs, rules: Rules) -> tuple[Sign, Sign]:
    """Return whether the price rose as in a pump, and whether it fell as in a dump after it."""
    low, high, after = signs.pump_low_before, signs.pump_high, signs.pump_low_after
    if low is None or high is None or after is None or low <= 0:
        return Sign(None, "Unknown: no minute of prices is stored"), Sign(
            None, "Unknown: no minute of prices is stored"
        )
    within = f"within {minutes(rules.pump_within)}"
    rise, fall = (high / low).quantize(Decimal("0.01")), percent(1 - after / high)
    risen = Sign(high >= rules.pump_times * low, f"The price rose {rise} times {within}")
    fallen = Sign(after <= rules.dump_ratio * high, f"It fell by {fall} {within}")
    return risen, fallen


def pump_dump(signs: Signs, rules: Rules) -> Sign:
    """Return whether the price rose and fell again as in a pump and dump."""
    risen, fallen = pump(signs, rules)
    if risen.seen is None:
        return risen
    asked = f"a sign is {text(rules.pump_times)} times up and then {percent(1 - rules.dump_ratio)} down"
    return Sign(bool(risen.seen and fallen.seen), f"{risen.words}. {fallen.words}; {asked}")


def sold(sold_raw: int | None, peak_raw: int | None) -> Decimal | None:
    """Return what was sold as a part of a peak; ``None`` without a peak."""
    return Decimal(sold_raw or 0) / Decimal(peak_raw) if peak_raw else None


def percent(part: Decimal) -> str:
    """Return a part of one as percent in words."""
    return f"{text((part * 100).quantize(Decimal('0.1'), ROUND_HALF_UP))} %"


def minutes(length: timedelta) -> str:
    """Return a length of time in words."""
    return f"{int(length.total_seconds() // 60)} minutes"
