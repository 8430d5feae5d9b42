"""Who the holders of a snapshot are: wallet ages, bots, smart money, insiders, hands and groups, as known at its time."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from holders.choices import WalletClass
from holders.domain import activity, clusters, roles, terms
from holders.domain.behaviour import Wallet
from holders.domain.clusters import Cluster, Link
from holders.domain.roles import Funding, Launch, Stake
from holders.models import HolderSnapshot, WalletCluster, WalletQualityMetric
from holders.selectors import holding
from holders.selectors import wallets as books
from holders.selectors.holding import Beginning, Counted, Holder
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import Token
from tokens.selectors import tokens

KEPT = timedelta(days=180)
"""As long as the snapshots themselves."""

# Rows are locked in one order first: who derives balances meanwhile waits, and nobody waits for both.
_LOCK = """
SELECT FROM token_holders WHERE token_mint = %s AND wallet_address = ANY(%s::varchar[]) ORDER BY wallet_address FOR UPDATE
"""
_FLAG = """
UPDATE token_holders AS held
   SET is_smart_money = found.smart, is_bot = found.bot, is_mev_bot = found.mev, is_insider = found.insider,
       flags = found.flags, flagged_at = %(at)s
  FROM jsonb_to_recordset(%(found)s::jsonb)
       AS found(wallet varchar, smart boolean, bot boolean, mev boolean, insider boolean, flags jsonb)
 WHERE held.token_mint = %(mint)s AND held.wallet_address = found.wallet
   AND (held.flagged_at IS NULL OR held.flagged_at <= %(at)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one measurement found: ``holders`` in all, how many wallets were ``sampled`` and looked up (``enriched``), how
    many are ``flagged`` with a class, how many ``clusters`` there are, and how much was known, in percent."""

    holders: int
    sampled: int
    enriched: int
    flagged: int
    clusters: int
    completeness: Decimal


@dataclass(frozen=True, slots=True)
class _Judged:
    """One holder with its classes and the evidence of each, in the order in which classes name a wallet."""

    holder: Holder
    classes: tuple[str, ...]
    evidence: tuple[Mapping[str, Any], ...]


def measure(*, token_mint: str, snapshot_time: datetime, now: datetime) -> Measured:
    """Measure who the holders of a snapshot are, write it beside the snapshot and on the holdings, and mark the snapshot
    measured, so that it is scored.

    Nothing that happened after ``snapshot_time`` is used, and no analysis of a wallet that was made long after it.
    Measuring again gives the same row again. Raises ``HolderSnapshot.DoesNotExist`` and ``Token.DoesNotExist``.
    """
    snapshot = HolderSnapshot.objects.get(token_mint=token_mint, snapshot_time=snapshot_time)
    token = tokens.get_token_with_pools(token_mint)
    excluded = _excluded(snapshot, token)
    circulating = snapshot.circulating_supply
    counted = holding.counted(token=token, excluded=excluded, at=snapshot_time, circulating=circulating)
    held = holding.holders(token=token, excluded=excluded, at=snapshot_time, circulating=circulating)
    began = holding.beginning(token=token, at=snapshot_time)
    judged = _judge(held, token, snapshot, began)
    groups = _groups(held, token, began, snapshot_time)
    row = _row(snapshot, counted, judged, groups)
    flagged = [it for it in judged if it.classes or it.holder.is_sampled]
    with transaction.atomic():
        WalletQualityMetric.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["token_mint", "snapshot_time"],
            update_fields=_COLUMNS,
        )
        _replace_groups(snapshot, groups, held)
        _flag(token_mint, snapshot_time, flagged)
        HolderSnapshot.objects.filter(pk=snapshot.pk, token_mint=token_mint, snapshot_time=snapshot_time).update(
            measured_at=now, scored_at=None
        )
    return Measured(
        holders=counted.holders,
        sampled=counted.sampled,
        enriched=counted.enriched,
        flagged=sum(bool(it.classes) for it in flagged),
        clusters=len(groups),
        completeness=row.data_completeness,
    )


def forget(*, now: datetime, limit: int = 10_000) -> int:
    """Remove up to ``limit`` measurements that are older than the snapshots are kept; return how many."""
    old = (
        WalletQualityMetric.objects.filter(snapshot_time__lt=now - KEPT).order_by("snapshot_time").values("pk")[:limit]
    )
    gone, _ = WalletQualityMetric.objects.filter(pk__in=old).delete()
    return gone


def refresh_smart_money() -> None:
    """Compute ``smart_money_wallets`` anew; who reads it meanwhile reads the rows of the last time."""
    with connection.cursor() as cursor:
        cursor.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY smart_money_wallets")


def _excluded(snapshot: HolderSnapshot, token: Token) -> list[str]:
    """Return the accounts that are no holders: what the snapshot left out, the token's own pools, and the mayhem agent."""
    told = [item["wallet"] for item in snapshot.raw_distribution.get("excluded", [])]
    pools = token.pools.all()
    own = [address for pool in pools for address in (pool.pool_address, pool.bonding_curve_address) if address]
    return sorted({*told, *own, MAYHEM_AGENT})


def _judge(held: Sequence[Holder], token: Token, snapshot: HolderSnapshot, began: Beginning) -> list[_Judged]:
    at, scale = snapshot.snapshot_time, Decimal(10) ** token.decimals
    created = token.creation_timestamp
    launch = Launch(
        mint=token.mint_address,
        creator=token.creator_address,
        launch_wallets=frozenset(token.launch_wallets),
        created_at=created if created is not None and created <= at else None,
        slot=began.slot,
        circulating_raw=None if snapshot.circulating_supply is None else int(snapshot.circulating_supply * scale),
    )
    partners = _partners(began)
    order = {str(kind): place for place, kind in enumerate(WalletClass)}
    judged = []
    for holder in held:
        verdicts = roles.roles(
            _stake(holder, scale, partners),
            launch=launch,
            wallet=_wallet(holder, at) if holder.is_sampled else None,
            launch_buyers=len(began.launch_buyers),
            at=at,
        )
        found: dict[str, Mapping[str, Any]] = {
            item["class"]: item for item in holder.evidence if item["class"] in holder.classes
        }
        found.update((verdict.kind, verdict.as_json()) for verdict in verdicts)
        kinds = sorted(found, key=order.__getitem__)
        judged.append(_Judged(holder, tuple(map(str, kinds)), tuple(found[kind] for kind in kinds)))
    return judged


def _partners(began: Beginning) -> Mapping[str, tuple[str, ...]]:
    """Return with whom each wallet bought in one transaction."""
    found: dict[str, set[str]] = {}
    for members in began.bundles:
        for member in members:
            found.setdefault(member, set()).update(members)
    return {member: tuple(sorted(others - {member})) for member, others in found.items()}


def _stake(holder: Holder, scale: Decimal, partners: Mapping[str, tuple[str, ...]]) -> Stake:
    funding = None
    if holder.funder is not None and holder.funded_lamports is not None and holder.funded_at is not None:
        funding = Funding(funder=holder.funder, lamports=holder.funded_lamports, at=holder.funded_at)
    return Stake(
        wallet=holder.wallet,
        balance_raw=int(holder.balance * scale),
        bought_raw=holder.bought_raw,
        sold_raw=holder.sold_raw,
        buys=holder.buys,
        sells=holder.sells,
        first_buy_at=holder.first_buy_at,
        first_buy_slot=holder.first_buy_slot,
        held_since=holder.held_since,
        with_buyers=partners.get(holder.wallet, ()),
        funding=funding,
    )


def _wallet(holder: Holder, at: datetime) -> Wallet:
    """Return what the roles ask of a wallet itself. Its transactions count, not their times."""
    return Wallet(
        address=holder.wallet,
        first_seen_at=holder.first_seen_at,
        from_start=holder.from_start,
        signed_at=(at,) * (holder.transactions or 0),
        lamports=holder.lamports,
        lamports_at=at,
    )


def _groups(held: Sequence[Holder], token: Token, began: Beginning, at: datetime) -> list[Cluster]:
    links = [Link(it.funder, it.wallet) for it in held if it.funder is not None and (it.funded_at or at) <= at]
    at_launch = [began.launch_buyers] if len(began.launch_buyers) >= terms.BUNDLE_BUYERS else []
    return clusters.find(
        mint=token.mint_address,
        holders=[it.wallet for it in held],
        links=links,
        bundles=[*began.bundles, *at_launch],
        funded=books.funded(funders=sorted({link.funder for link in links})),
    )


def _row(
    snapshot: HolderSnapshot, counted: Counted, judged: Sequence[_Judged], groups: Sequence[Cluster]
) -> WalletQualityMetric:
    """Return the row of ``snapshot``: counts are of who is known; parts of all only where enough of them is."""
    classes = Counter(kind for it in judged for kind in it.classes or (str(WalletClass.RETAIL),))
    enriched, sampled, holders = counted.enriched, counted.sampled, counted.holders
    ratios = {
        "bot_ratio": _ratio(counted.bots, enriched),
        "mev_ratio": _ratio(counted.mev_bots, enriched),
        "smart_money_ratio": _ratio(counted.smart, enriched),
        "known_dumper_ratio": _ratio(counted.dumpers, sampled),
        "new_wallet_ratio": _ratio(counted.new, counted.aged),
        "diamond_hands_ratio": _ratio(counted.diamonds, holders) if counted.traders else None,
    }
    silent = counted.silent if counted.traders or sampled else None
    # Who funded a wallet only a look-up tells: without any, none found is not none there.
    insiders = [it.holder.balance for it in judged if WalletClass.INSIDER in it.classes]
    row = WalletQualityMetric(
        token_mint=snapshot.token_mint,
        snapshot_time=snapshot.snapshot_time,
        wallets_sampled=sampled,
        wallets_enriched=enriched,
        avg_wallet_age_days=_rounded(counted.age_mean, 2),
        median_wallet_age_days=_rounded(counted.age_median, 2),
        aged_wallets=counted.aged,
        new_wallets_percentage=_percent(ratios["new_wallet_ratio"]),
        suspected_bots=counted.suspected_bots if enriched else None,
        confirmed_bots=counted.bots if enriched else None,
        mev_bots=counted.mev_bots if enriched else None,
        bot_percentage=_percent(ratios["bot_ratio"]),
        smart_money_wallets=counted.smart if enriched else None,
        smart_money_percentage=_percent(ratios["smart_money_ratio"]),
        smart_money_holdings=counted.smart_balance if enriched else None,
        known_dumpers=counted.dumpers if sampled else None,
        diamond_hands_count=counted.diamonds if counted.traders else None,
        paper_hands_count=classes[WalletClass.PAPER_HANDS] if counted.traders else None,
        avg_hold_duration_hours=_rounded(counted.hold_hours, 4),
        organic_score=activity.organic(
            ages=counted.ages, sizes=counted.sizes, holders=holders, alike=counted.alike, silent=silent
        ),
        velocity_score=_rounded(counted.velocity, 6) if counted.traders or sampled else None,
        insider_percentage=_share(snapshot, insiders) if insiders or enriched else None,
        creator_percentage=snapshot.creator_percentage,
        clusters=len(groups),
        clustered_percentage=_share(snapshot, _balances(groups, judged).values()),
        data_completeness=activity.completeness(
            fetched=snapshot.holders_fetched,
            holders=snapshot.total_holders if snapshot.is_measured else 0,
            enriched=enriched,
            sampled=sampled,
            has_trades=snapshot.has_trades,
        ),
        classes={str(kind): classes[kind] for kind in WalletClass if classes[kind]},
        details={
            "holders": holders,
            "judged": len(judged),
            "ages": list(counted.ages),
            "sizes": list(counted.sizes),
            "alike": counted.alike,
            "silent": silent,
            "traders": counted.traders,
        },
        **ratios,
    )
    if not snapshot.is_measured:
        for name in _PARTS_OF_ALL:
            setattr(row, name, None)
    return row


_PARTS_OF_ALL = (
    *("avg_wallet_age_days", "median_wallet_age_days", "new_wallets_percentage", "new_wallet_ratio"),
    *("bot_percentage", "bot_ratio", "mev_ratio", "smart_money_percentage", "smart_money_ratio"),
    *("known_dumper_ratio", "diamond_hands_ratio", "avg_hold_duration_hours", "organic_score", "velocity_score"),
    *("insider_percentage", "creator_percentage", "clustered_percentage"),
)


_COLUMNS = [
    field.attname
    for field in WalletQualityMetric._meta.concrete_fields
    if field.attname not in ("id", "token_mint", "snapshot_time", "created_at")
]


def _balances(groups: Sequence[Cluster], judged: Sequence[_Judged]) -> dict[str, Decimal]:
    grouped = {member for group in groups for member in group.members}
    return {it.holder.wallet: it.holder.balance for it in judged if it.holder.wallet in grouped}


def _replace_groups(snapshot: HolderSnapshot, groups: Sequence[Cluster], held: Sequence[Holder]) -> None:
    """Write the groups in the place of those of earlier snapshots; those of a later one stay."""
    later = WalletQualityMetric.objects.filter(snapshot_time__gt=snapshot.snapshot_time)
    if later.filter(token_mint=snapshot.token_mint).exists():
        return
    WalletCluster.objects.filter(token_mint=snapshot.token_mint).delete()
    balances = {it.wallet: it.balance for it in held}
    totals = [sum((balances[member] for member in group.members), Decimal(0)) for group in groups]
    WalletCluster.objects.bulk_create(
        [
            WalletCluster(
                id=group.id,
                token_mint=snapshot.token_mint,
                snapshot_time=snapshot.snapshot_time,
                kind=group.kind,
                members=list(group.members),
                funders=list(group.funders),
                size=len(group.members),
                balance=total,
                share_pct=_share(snapshot, [total]),
            )
            for group, total in zip(groups, totals, strict=True)
        ],
        ignore_conflicts=True,
    )


def _flag(token_mint: str, at: datetime, judged: Sequence[_Judged]) -> None:
    """Write the flags, each with its evidence, on the holdings; those of a later snapshot stay."""
    found = [
        {
            "wallet": it.holder.wallet,
            "smart": it.holder.wallet_type == WalletClass.SMART_MONEY,
            "bot": WalletClass.BOT in it.classes,
            "mev": WalletClass.MEV_BOT in it.classes,
            "insider": WalletClass.INSIDER in it.classes,
            "flags": it.evidence,
        }
        for it in judged
    ]
    if not found:
        return
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [token_mint, [it.holder.wallet for it in judged]])
        cursor.execute(_FLAG, {"found": json.dumps(found), "at": at, "mint": token_mint})


def _share(snapshot: HolderSnapshot, balances: Iterable[Decimal]) -> Decimal | None:
    """Return what ``balances`` are of what circulates, percent, at most 100; ``None`` without a supply."""
    if not snapshot.circulating_supply:
        return None
    share: Decimal = 100 * sum(balances, Decimal(0)) / snapshot.circulating_supply
    return min(Decimal(100), round(share, 4))


def _ratio(part: int, whole: int) -> Decimal | None:
    return round(Decimal(part) / whole, 6) if whole else None


def _percent(ratio: Decimal | None) -> Decimal | None:
    return None if ratio is None else 100 * ratio


def _rounded(value: Decimal | float | None, digits: int) -> Decimal | None:
    return None if value is None else round(Decimal(value), digits)
