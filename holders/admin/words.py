"""What was measured of a token's holders, in words and as lines to draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from holders.choices import ClusterKind, Exclusion, WalletClass
from megatron.core.admin.panels import Bar

Curve = Sequence[tuple[Decimal, Decimal]]


@dataclass(frozen=True, slots=True)
class Group:
    """Wallets of a token that belong together: those to name, how many more, and what ties them."""

    tie: str
    size: int
    share_pct: Decimal | float | None
    named: Sequence[str]
    more: int
    funders: Sequence[str]


@dataclass(frozen=True, slots=True)
class Left:
    """An account that is in no measure, and why."""

    wallet: str
    reason: str
    balance: Decimal | None


@dataclass(frozen=True, slots=True)
class Tag:
    """What a wallet is in a token, and why."""

    label: str
    why: str


def percent(value: Decimal | float | None) -> str:
    """Return a percentage with one decimal."""
    return "—" if value is None else f"{value:.1f} %"


def curve(stored: Mapping[str, Any]) -> Curve:
    """Return the Lorenz curve in a snapshot's ``raw_distribution``, empty where none is stored."""
    return [(Decimal(str(holders)), Decimal(str(held))) for holders, held in stored.get("lorenz") or ()]


def of_curve(points: Curve) -> str:
    """Return what a Lorenz curve shows to those who cannot see it."""
    if not points:
        return "No curve is stored with this snapshot."
    poorer, rest = _held(points, Decimal("0.5")) * 100, (1 - _held(points, Decimal("0.9"))) * 100
    return f"The half of the holders with the least has {percent(poorer)}, the tenth with the most {percent(rest)}."


def polyline(points: Curve) -> str:
    """Return a Lorenz curve as the points of an SVG line in a square of 100, which counts downwards."""
    return " ".join(f"{holders * 100:.2f},{100 - held * 100:.2f}" for holders, held in points)


def classes(counted: Mapping[str, int], *, holders: int) -> list[Bar]:
    """Return a bar for each class of wallets that was counted, in the order in which classes name a wallet."""
    known = [(kind, counted[kind.value]) for kind in WalletClass if counted.get(kind.value)]
    return [Bar(kind.label, count, holders, f"{count:,}") for kind, count in known]


def excluded(stored: Mapping[str, Any]) -> list[Left]:
    """Return the accounts that are in no measure, each with the reason."""
    rows = stored.get("excluded") or ()
    return [
        Left(row["wallet"], row.get("name") or _reason(row["reason"]), _decimal(row.get("balance"))) for row in rows
    ]


def group(stored: Mapping[str, Any], *, named: int = 6) -> Group:
    """Return a group of wallets that belong together; the first ``named`` of them are named."""
    members, kind = stored["members"], stored["kind"]
    tie = str(ClusterKind(kind).label) if kind in ClusterKind.values else kind
    more = max(0, len(members) - named)
    return Group(tie, len(members), stored["share_pct"], members[:named], more, stored["funders"])


def tags(flags: Sequence[Mapping[str, Any]] | None, *, is_program: bool = False) -> list[Tag] | None:
    """Return what an owner was found to be, ``None`` while nobody judged it."""
    program = [Tag("Program", "Nobody has its key: the vault of a multisig or of a program, weighed like a wallet")]
    if flags is None:
        return program if is_program else None
    return (program if is_program else []) + [
        Tag(_label(flag["class"]), _why(flag.get("evidence") or ())) for flag in flags
    ]


def _why(evidence: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(str(item["words"]) for item in evidence)


def _label(kind: str) -> str:
    return str(WalletClass(kind).label) if kind in WalletClass.values else kind


def left_out(reason: str) -> str:
    """Return what an account that is no holder is; empty for a holder."""
    return _reason(reason) if reason else ""


def _reason(reason: str) -> str:
    return str(Exclusion(reason).label) if reason in Exclusion.values else reason


def _decimal(number: Any) -> Decimal | None:
    return None if number is None else Decimal(str(number))


def _held(points: Curve, part: Decimal) -> Decimal:
    """Return what the ``part`` of the holders with the least has, on the straight line between two points."""
    before = points[0]
    for after in points:
        if after[0] >= part:
            width = after[0] - before[0]
            way = (part - before[0]) / width if width else Decimal(1)
            return before[1] + (after[1] - before[1]) * way
        before = after
    return before[1]
