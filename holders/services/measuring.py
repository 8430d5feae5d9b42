"""One list of owners as a row: measures, shares of what circulates, and what moved lately."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from holders.choices import Exclusion, HolderOrigin
from holders.domain import concentration, exclusions
from holders.domain.concentration import Ordered
from holders.models import HolderSnapshot
from holders.selectors import moves
from tokens.choices import PoolType
from tokens.domain import mayhem
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
) -> HolderSnapshot:
    """Store the snapshot of ``holders`` and of those who were left out, in base units, and return it.

    Owners of dust are counted apart. Where the others hold too little of what circulates no measure is known. Without
    ``names_pool`` the list was cut before it named what the token's own curve or pool holds: then nobody knows what circulates.
    """
    unit = Decimal(1).scaleb(-token.decimals)
    out = sum(raw for raw, _ in excluded.values())
    pools = token.pools.all()
    pool, curve = current_of(pools), _curve(token)
    held = sum(holders.values())
    supplied = _supplied(token, pool, found, held=held, out=out, now=now) if names_pool else None
    # Never less than what is held: a list and the supply are not of the same slot.
    circulating = None if supplied is None else max(held, supplied)
    limit = concentration.dust_limit(circulating)
    weighed = {wallet: raw for wallet, raw in holders.items() if raw >= limit}
    ordered = concentration.order(list(weighed.values()))
    row = HolderSnapshot(
        token_mint=token.mint_address,
        snapshot_time=now,
        slot=found.slot,
        data_source=found.origin,
        is_complete=not found.missing,
        incomplete_reason=found.missing,
        total_holders=len(weighed),
        unique_holders=len(found.owners),
        uncounted_holders=None if circulating is None else len(holders) - len(weighed),
        holders_fetched=len(found.owners),
        token_accounts=found.accounts,
        circulating_supply=None if circulating is None else circulating * unit,
        judged_percentage=concentration.judged_pct(held=ordered.total, circulating=supplied),
        excluded_balance=out * unit,
        bonding_curve_progress=curve.bonding_curve_progress if curve else None,
        progress_quote_pct=curve.progress_quote_pct if curve else None,
        market_cap_usd=pool.market_cap_usd if pool else None,
    )
    sizes = concentration.sizes(ordered, decimals=token.decimals)
    row.holders_1_100, row.holders_100_1k, row.holders_1k_10k, row.holders_10k_100k, row.holders_100k_plus = sizes
    row.raw_distribution = _listing(weighed, excluded, circulating, unit)
    moved = moves.of(token=token, excluded=sorted(excluded), snapshot=row)
    row.has_trades, row.new_holders_1h = moved.has_trades, moved.new
    row.unique_buyers_1h, row.unique_sellers_1h = moved.buyers, moved.sellers
    if row.is_measured:
        _measure(row, ordered, circulating, unit)
        row.active_holders, row.diamond_hands_count = moved.active, moved.diamonds
        row.holder_growth_rate = moved.growth_pct
        row.program_percentage = _percent(_of_programs(weighed), circulating)
        if token.creator_address:
            dev = sum(holders.get(wallet, 0) for wallet in token.dev_wallets)
            row.creator_percentage = _percent(dev, circulating)
        if price := pool.latest_price_usd if pool else None:
            row.dust_accounts = concentration.below(ordered, limit=1 / price / unit)
    row.save(force_insert=True)
    return row


def _measure(row: HolderSnapshot, ordered: Ordered, circulating: int | None, unit: Decimal) -> None:
    """Write how evenly the balances are spread; without one there is nothing to write."""
    if not len(ordered):
        return
    measured = concentration.measure(ordered)
    if len(ordered) >= concentration.UNEQUAL_FROM:
        row.gini_coefficient, row.theil_index = _short(measured.gini), _short(measured.theil)
    row.shannon_entropy = _short(measured.shannon)
    row.hhi = None if measured.hhi is None else measured.hhi.quantize(_PERCENT)
    mean, median = concentration.mean(ordered), concentration.median(ordered)
    row.average_holding_size = None if mean is None else mean * unit
    row.median_holding_size = None if median is None else median * unit
    for most, raw in measured.top.items():
        setattr(row, f"top_{most}_balance", raw * unit)
        setattr(row, f"top_{most}_percentage", _percent(raw, circulating))
    row.raw_distribution["lorenz"] = [[f"{part:f}", f"{share:f}"] for part, share in concentration.lorenz(ordered)]
    row.raw_distribution["classes"] = _classes(ordered, circulating)


def _of_programs(weighed: Mapping[str, int]) -> int:
    return sum(raw for wallet, raw in weighed.items() if exclusions.is_program(wallet))


def _supplied(token: Token, pool: Pool | None, found: Found, *, held: int, out: int, now: datetime) -> int | None:
    """Return the base units that somebody may hold, ``None`` when neither the supply nor the whole list is known, or when
    they contradict each other."""
    supply = _supply(token, pool, now)
    if supply is not None and held > supply:
        return None  # wallets that sold what they never bought here: others hold less than our trades say
    if found.origin == HolderOrigin.TRADES:
        supply = _sold(pool, supply)
    elif supply is None and not found.missing:
        return held
    return None if supply is None or supply < out else supply - out


def _supply(token: Token, pool: Pool | None, now: datetime) -> int | None:
    """Return what there is of a token by its pool, by the curve that it left, or by its creation."""
    named, curve = pool.base_supply if pool else None, _curve(token)
    if not token.is_mayhem:
        return _whole(named or (curve.base_supply if curve else None) or token.initial_supply)
    if pool is None or pool.pool_type != PoolType.INITIAL:
        return _whole(named)
    # What a mayhem coin began with its agent has burned in part by the second day.
    created = token.creation_timestamp
    return _whole(named) if created and now - created < mayhem.TRADED_FOR else None


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


def _listing(
    weighed: Mapping[str, int],
    excluded: Mapping[str, tuple[int, Exclusion]],
    circulating: int | None,
    unit: Decimal,
) -> dict[str, Any]:
    """Return who was left out and why, and the largest holders: each one's share is known though others are not."""
    largest = sorted(weighed.items(), key=lambda item: (-item[1], item[0]))[:_LARGEST]
    without = sorted(excluded.items(), key=lambda item: (-item[1][0], item[0]))
    return {
        "excluded": [
            {"wallet": wallet, "reason": reason.value, "balance": f"{raw * unit:f}"}
            | ({"name": name} if (name := exclusions.name(wallet)) else {})
            for wallet, (raw, reason) in without
        ],
        "lorenz": [],
        "top": [
            {"wallet": wallet, "balance": f"{raw * unit:f}", "percentage": _text(_percent(raw, circulating))}
            | ({"is_program": True} if exclusions.is_program(wallet) else {})
            for wallet, raw in largest
        ],
        "classes": {},
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
