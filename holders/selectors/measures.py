"""How a token is spread over its holders: what the rooms above read of a snapshot."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q

from holders.models import HolderSnapshot, WalletQualityMetric

Cursor = tuple[datetime, str]
"""``measured_at`` and mint of the last measures that were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """One snapshot of a token's holders with the quality of its wallets; ``None`` is unknown.

    Where too little of what circulates was judged (``why_not_measured``) every measure of the holders is unknown.

    ``*_pct`` and ``holder_growth_rate`` are percent, those of holdings of the circulating supply (without excluded
    accounts); ``*_ratio`` are parts of one.
    """

    token_mint: str
    snapshot_time: datetime
    measured_at: datetime | None = None
    slot: int | None = None
    data_source: str = ""
    is_complete: bool = True
    bonding_curve_progress: Decimal | None = None
    progress_quote_pct: Decimal | None = None
    market_cap_usd: Decimal | None = None
    judged_pct: Decimal | None = None
    """What the counted owners hold of what circulates."""
    why_not_measured: str = ""
    """Why no measure of the holders is known, in words; empty where they are."""
    total_holders: int | None = 0
    holders_fetched: int = 0
    wallets_sampled: int | None = None
    wallets_enriched: int | None = None
    has_trades: bool = False
    gini: Decimal | None = None
    theil: Decimal | None = None
    shannon: Decimal | None = None
    hhi: Decimal | None = None
    top_1_pct: Decimal | None = None
    top_5_pct: Decimal | None = None
    top_10_pct: Decimal | None = None
    top_20_pct: Decimal | None = None
    top_50_pct: Decimal | None = None
    top_100_pct: Decimal | None = None
    active_holders: int | None = None
    new_holders_1h: int | None = None
    holder_growth_rate: Decimal | None = None
    unique_buyers_1h: int | None = None
    unique_sellers_1h: int | None = None
    avg_wallet_age_days: Decimal | None = None
    new_wallet_ratio: Decimal | None = None
    bot_ratio: Decimal | None = None
    mev_ratio: Decimal | None = None
    smart_money_ratio: Decimal | None = None
    known_dumper_ratio: Decimal | None = None
    diamond_hands_ratio: Decimal | None = None
    avg_hold_time_hours: Decimal | None = None
    organic: Decimal | None = None
    velocity: Decimal | None = None
    creator_share: Decimal | None = None
    """Percent."""
    insider_share: Decimal | None = None
    classes: Mapping[str, int] = field(default_factory=dict)


def since(*, cursor: Cursor | None, limit: int) -> Sequence[Measures]:
    """Return measured snapshots that nobody has scored yet, in the order in which they were measured.

    ``cursor`` skips those up to it, for a reader that takes several batches before it marks them by
    ``snapshots.scored``; the mark, not the cursor, is what makes a snapshot read.
    """
    rows = HolderSnapshot.objects.filter(measured_at__isnull=False, scored_at=None)
    if cursor is not None:
        at, mint = cursor
        rows = rows.filter(Q(measured_at__gt=at) | Q(measured_at=at, token_mint__gt=mint))
    return _measures(rows.order_by("measured_at", "token_mint", "snapshot_time")[:limit])


def of(*, token_mint: str, at: datetime | None = None) -> Measures | None:
    """Return the newest measures of a token, or the newest at ``at``; ``None`` without a snapshot."""
    rows = HolderSnapshot.objects.filter(token_mint=token_mint)
    if at is not None:
        rows = rows.filter(snapshot_time__lte=at)
    found = _measures(rows.order_by("-snapshot_time")[:1])
    return found[0] if found else None


def _measures(rows: Iterable[HolderSnapshot]) -> list[Measures]:
    """Return the measures of snapshots, with the same number of queries for one and for many."""
    found = list(rows)
    wanted = {(row.token_mint, row.snapshot_time) for row in found}
    qualities = WalletQualityMetric.objects.filter(
        token_mint__in={mint for mint, _ in wanted}, snapshot_time__in={time for _, time in wanted}
    )
    by_key = {(row.token_mint, row.snapshot_time): row for row in qualities} if wanted else {}
    return [_of_row(row, by_key.get((row.token_mint, row.snapshot_time))) for row in found]


def _of_row(row: HolderSnapshot, quality: WalletQualityMetric | None) -> Measures:
    known = row.is_measured
    return Measures(
        token_mint=row.token_mint,
        snapshot_time=row.snapshot_time,
        measured_at=row.measured_at,
        slot=row.slot,
        data_source=row.data_source,
        is_complete=row.is_complete,
        bonding_curve_progress=row.bonding_curve_progress,
        progress_quote_pct=row.progress_quote_pct,
        market_cap_usd=row.market_cap_usd,
        judged_pct=row.judged_percentage,
        why_not_measured=row.why_not_measured,
        total_holders=row.total_holders if known else None,
        holders_fetched=row.holders_fetched,
        has_trades=row.has_trades,
        new_holders_1h=row.new_holders_1h,
        unique_buyers_1h=row.unique_buyers_1h,
        unique_sellers_1h=row.unique_sellers_1h,
        wallets_sampled=None if quality is None else quality.wallets_sampled,
        wallets_enriched=None if quality is None else quality.wallets_enriched,
        classes={**row.raw_distribution.get("classes", {}), **(quality.classes if quality else {})},
        **(_of_snapshot(row) if known else {}),
        **(_of_quality(quality) if known and quality is not None else {}),
    )


def _of_snapshot(row: HolderSnapshot) -> dict[str, Any]:
    """Return how the token is spread."""
    return {
        "gini": row.gini_coefficient,
        "theil": row.theil_index,
        "shannon": row.shannon_entropy,
        "hhi": row.hhi,
        "top_1_pct": row.top_1_percentage,
        "top_5_pct": row.top_5_percentage,
        "top_10_pct": row.top_10_percentage,
        "top_20_pct": row.top_20_percentage,
        "top_50_pct": row.top_50_percentage,
        "top_100_pct": row.top_100_percentage,
        "active_holders": row.active_holders,
        "holder_growth_rate": row.holder_growth_rate,
        "creator_share": row.creator_percentage,
    }


def _of_quality(row: WalletQualityMetric) -> dict[str, Any]:
    """Return what was measured of the holders' wallets."""
    return {
        "avg_wallet_age_days": row.avg_wallet_age_days,
        "new_wallet_ratio": row.new_wallet_ratio,
        "bot_ratio": row.bot_ratio,
        "mev_ratio": row.mev_ratio,
        "smart_money_ratio": row.smart_money_ratio,
        "known_dumper_ratio": row.known_dumper_ratio,
        "diamond_hands_ratio": row.diamond_hands_ratio,
        "avg_hold_time_hours": row.avg_hold_duration_hours,
        "organic": row.organic_score,
        "velocity": row.velocity_score,
        "insider_share": row.insider_percentage,
    }
