"""One list of owners as a row: measures, shares of what circulates, and what moved lately."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from holders.choices import Exclusion, HolderOrigin
from holders.domain import concentration, exclusions
from holders.domain.concentration import Distribution, Ordered
from holders.models import HolderSnapshot
from holders.selectors import moves
from tokens.choices import PoolType
from tokens.models import Pool, Token
from tokens.selectors.tokens import current_of

_LARGEST = 20
_PERCENT = Decimal("0.0001")
_SHORT = Decimal("1E-8")
_CLASSES = (("whale", Decimal(5)), ("large", Decimal(1)), ("medium", Decimal("0.1")))
"""Classes by size: percent of what circulates, from which each begins."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What one owner holds, over all its accounts, and their addresses where they are known."""

    raw: int
    accounts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A list of owners, from wherever."""

    origin: HolderOrigin
    slot: int | None
    missing: str
    owners: Mapping[str, Owner]
    accounts: int | None
    credits: int


def save(
    *,
    token: Token,
    found: Found,
    holders: Mapping[str, int],
    excluded: Mapping[str, tuple[int, Exclusion]],
    names_pool: bool,
    now: datetime,
) -> None:
    """Store the snapshot of ``holders`` and of those who were left out, in base units. Without ``names_pool`` the list was cut
    before it named what the token's own curve or pool holds: then nobody knows what circulates, nor any share of it."""
    unit = Decimal(1).scaleb(-token.decimals)
    ordered = concentration.order(list(holders.values()))
    measured = concentration.measure(ordered)
    out = sum(raw for raw, _ in excluded.values())
    pool = current_of(token.pools.all())
    circulating = _circulating(token, pool, found, held=measured.total, out=out) if names_pool else None
    moved = moves.of(token=token, excluded=sorted(excluded), holders=len(holders), origin=found.origin, now=now)
    price = pool.latest_price_usd if pool else None
    mean, median = concentration.mean(ordered), concentration.median(ordered)
    sizes = concentration.sizes(ordered, decimals=token.decimals)
    curve = _curve(token)
    creator = sum(holders.get(wallet, 0) for wallet in token.dev_wallets) if token.creator_address else None
    row = HolderSnapshot(
        token_mint=token.mint_address,
        snapshot_time=now,
        slot=found.slot,
        data_source=found.origin,
        is_complete=not found.missing,
        incomplete_reason=found.missing,
        total_holders=len(holders),
        unique_holders=len(found.owners),
        holders_fetched=len(found.owners),
        token_accounts=found.accounts,
        active_holders=moved.active,
        dust_accounts=concentration.below(ordered, limit=1 / price / unit) if price else None,
        new_holders_1h=moved.new,
        holder_growth_rate=moved.growth_pct,
        unique_buyers_1h=moved.buyers,
        unique_sellers_1h=moved.sellers,
        has_trades=moved.has_trades,
        gini_coefficient=_short(measured.gini),
        theil_index=_short(measured.theil),
        shannon_entropy=_short(measured.shannon),
        hhi=None if measured.hhi is None else measured.hhi.quantize(_PERCENT),
        circulating_supply=None if circulating is None else circulating * unit,
        excluded_balance=out * unit,
        creator_percentage=None if creator is None else _percent(creator, circulating),
        holders_1_100=sizes[0],
        holders_100_1k=sizes[1],
        holders_1k_10k=sizes[2],
        holders_10k_100k=sizes[3],
        holders_100k_plus=sizes[4],
        average_holding_size=None if mean is None else mean * unit,
        median_holding_size=None if median is None else median * unit,
        diamond_hands_count=moved.diamonds,
        raw_distribution=_distribution(ordered, holders, excluded, circulating, unit),
        bonding_curve_progress=curve.bonding_curve_progress if curve else None,
        progress_quote_pct=curve.progress_quote_pct if curve else None,
        market_cap_usd=pool.market_cap_usd if pool else None,
    )
    _top(row, measured, circulating, unit)
    row.save(force_insert=True)


def _top(row: HolderSnapshot, measured: Distribution, circulating: int | None, unit: Decimal) -> None:
    if not measured.holders:
        return
    for most, raw in measured.top.items():
        setattr(row, f"top_{most}_balance", raw * unit)
        setattr(row, f"top_{most}_percentage", _percent(raw, circulating))


def _circulating(token: Token, pool: Pool | None, found: Found, *, held: int, out: int) -> int | None:
    """Return the base units that somebody may hold, ``None`` when neither the supply nor the whole list is known.

    Never less than what is held: a list and the supply are not of the same slot.
    """
    curve = _curve(token)
    # What a mayhem coin began with its agent has burned in part by the second day.
    began = None if token.is_mayhem else token.initial_supply
    supply = _whole((pool.base_supply if pool else None) or (curve.base_supply if curve else None) or began)
    if found.origin == HolderOrigin.TRADES:
        return max(held, _sold(pool, supply) or 0)
    if supply is None:
        return None if found.missing else held
    return max(held, supply - out)


def _curve(token: Token) -> Pool | None:
    return next((one for one in token.pools.all() if one.pool_type == PoolType.INITIAL), None)


def _sold(pool: Pool | None, supply: int | None) -> int | None:
    """Return what has left the pool that prices the token."""
    if pool is None or pool.real_token_reserves is None:
        return None
    start = _whole(pool.initial_real_token_reserves) if pool.pool_type == PoolType.INITIAL else supply
    return None if start is None else start - int(pool.real_token_reserves)


def _whole(amount: Decimal | int | None) -> int | None:
    return None if amount is None else int(amount)


def _distribution(
    ordered: Ordered,
    holders: Mapping[str, int],
    excluded: Mapping[str, tuple[int, Exclusion]],
    circulating: int | None,
    unit: Decimal,
) -> dict[str, object]:
    """Return what no column holds: who was left out and why, the Lorenz curve, the largest holders, classes by size."""
    largest = sorted(holders.items(), key=lambda item: (-item[1], item[0]))[:_LARGEST]
    without = sorted(excluded.items(), key=lambda item: (-item[1][0], item[0]))
    return {
        "excluded": [
            {"wallet": wallet, "reason": reason.value, "balance": f"{raw * unit:f}"}
            | ({"name": name} if (name := exclusions.EXCHANGES.get(wallet)) else {})
            for wallet, (raw, reason) in without
        ],
        "lorenz": [[f"{part:f}", f"{share:f}"] for part, share in concentration.lorenz(ordered)],
        "top": [
            {"wallet": wallet, "balance": f"{raw * unit:f}", "percentage": _text(_percent(raw, circulating))}
            for wallet, raw in largest
        ],
        "classes": _classes(ordered, circulating),
    }


def _classes(ordered: Ordered, circulating: int | None) -> dict[str, int]:
    if not circulating:
        return {}
    classes, above = {}, 0
    for name, least in _CLASSES:
        reached = len(ordered) - concentration.below(ordered, limit=least * circulating / 100)
        classes[name], above = reached - above, reached
    return {**classes, "small": len(ordered) - above}


def _percent(part: int, whole: int | None) -> Decimal | None:
    return min(Decimal(100), 100 * Decimal(part) / whole).quantize(_PERCENT) if whole else None


def _short(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(_SHORT)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
