"""Over whom a token is spread: its newest snapshot with the wallets' quality, and who holds most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Case, DecimalField, F, OuterRef, Subquery, Sum, Value, When, Window
from django.db.models.functions import JSONObject

from holders.domain import exclusions
from holders.models import HolderSnapshot, TokenHolder, WalletCluster, WalletQualityMetric
from holders.selectors import distribution

_AMOUNT = DecimalField(max_digits=60, decimal_places=20)

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
    """One account's holding; ``share_pct`` is percent of what circulates, ``None`` without a snapshot and for an account
    that is left out of it. ``left_out_as`` then names why: an ``Exclusion``; it is empty for a holder."""

    row: TokenHolder
    share_pct: Decimal | None
    left_out_as: str = ""

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
    left_out = {} if snapshot is None else _left_out(snapshot)
    rows = distribution.holders(token_mint=token_mint).order_by("-current_balance", "pk")
    counted = Case(
        When(wallet_address__in=list(left_out), then=Value(Decimal(0))),
        default=F("current_balance"),
        output_field=_AMOUNT,
    )
    supply, largest = None if snapshot is None else snapshot.circulating_supply, []
    for row in rows.annotate(held=Window(Sum(counted)))[:LARGEST]:
        reason = left_out.get(row.wallet_address, "")
        largest.append(Holding(row, None if reason else _share(row.current_balance, row.held, supply), reason))
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


def _left_out(snapshot: HolderSnapshot) -> dict[str, str]:
    """Return the accounts that a snapshot left out, each with the reason."""
    return {account["wallet"]: account["reason"] for account in snapshot.raw_distribution.get("excluded") or ()}


def _share(balance: Decimal, held: Decimal, supply: Decimal | None) -> Decimal | None:
    """Return percent of one supply for all: what circulated at the snapshot, or what the holders have by now where that is
    more. The shares of all holders so never add up to more than 100."""
    return balance / max(supply, held) * 100 if supply else None
