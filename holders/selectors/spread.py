"""Over whom a token is spread: its newest snapshot with the wallets' quality, and who holds most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject

from holders.domain import exclusions
from holders.models import HolderSnapshot, TokenHolder, WalletCluster, WalletQualityMetric
from holders.selectors import distribution

LARGEST = 20
CLUSTERS = 10

_QUALITY = (
    "wallets_sampled",
    "wallets_enriched",
    "avg_wallet_age_days",
    "new_wallets_percentage",
    "bot_percentage",
    "smart_money_percentage",
    "insider_percentage",
    "clustered_percentage",
    "data_completeness",
    "classes",
)
_CLUSTER = ("kind", "size", "share_pct", "members", "funders")


@dataclass(frozen=True, slots=True)
class Holding:
    """One owner's holding; ``share_pct`` is percent of what circulates, ``None`` without a snapshot and for accounts that are
    left out of it."""

    row: TokenHolder
    share_pct: Decimal | None

    @property
    def is_program(self) -> bool:
        """Whether nobody has the owner's key."""
        return exclusions.is_program(self.row.wallet_address)


@dataclass(frozen=True, slots=True)
class Spread:
    """What is known of a token's holders. Without a snapshot nothing is measured, and the largest are by our own trades."""

    snapshot: HolderSnapshot | None
    quality: Mapping[str, Any]
    """Columns of the snapshot's ``wallet_quality_metrics``; empty while its wallets are not analysed."""
    clusters: Sequence[Mapping[str, Any]]
    """Groups of wallets that belong together, the one that holds most first."""
    largest: Sequence[Holding]


def of(*, token_mint: str) -> Spread | None:
    """Return over whom a token is spread, ``None`` when nothing is known of it. Two queries."""
    snapshot = _newest(token_mint)
    rows = distribution.holders(token_mint=token_mint).order_by("-current_balance")
    supply = None if snapshot is None else snapshot.circulating_supply
    left_out = set() if snapshot is None else {one["wallet"] for one in snapshot.raw_distribution.get("excluded", ())}
    largest = [
        Holding(row, None if row.wallet_address in left_out else _percent(row.current_balance, supply))
        for row in rows[:LARGEST]
    ]
    if snapshot is None:
        return Spread(None, {}, (), largest) if largest else None
    return Spread(snapshot, getattr(snapshot, "quality", None) or {}, getattr(snapshot, "clusters", ()), largest)


def _newest(token_mint: str) -> HolderSnapshot | None:
    quality = WalletQualityMetric.objects.filter(
        token_mint=OuterRef("token_mint"), snapshot_time=OuterRef("snapshot_time")
    )
    clusters = WalletCluster.objects.filter(token_mint=OuterRef("token_mint")).order_by("-balance", "id")
    return (
        HolderSnapshot.objects.filter(token_mint=token_mint)
        .annotate(
            quality=Subquery(quality.values(row=JSONObject(**{name: name for name in _QUALITY}))),
            clusters=ArraySubquery(clusters.values(row=JSONObject(**{name: name for name in _CLUSTER}))[:CLUSTERS]),
        )
        .order_by("-snapshot_time")
        .first()
    )


def _percent(part: Decimal, whole: Decimal | None) -> Decimal | None:
    return part / whole * 100 if whole else None
