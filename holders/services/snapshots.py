"""How a token is spread over its holders: a list from the chain or from our own trades, measured, stored, and compared
with our books."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction

from holders.choices import Exclusion, HolderOrigin
from holders.domain import exclusions
from holders.domain.exclusions import Venues
from holders.models import HolderSnapshot, TokenHolder
from holders.services import balances, books, measuring
from holders.services.measuring import Found, Owner
from megatron.clients.errors import BudgetSpent, Malformed
from megatron.clients.ports import HeldAccount, HolderList, HolderSource
from megatron.core.timescale import chunks
from tokens.choices import PoolType, Venue
from tokens.domain import programs
from tokens.models import Pool, Token
from tokens.selectors.tokens import current_of

MOST = 10_000
"""Accounts that a list is asked for: the depth of the most urgent tokens."""

LAG = "The source stands before a list that is known already"
CUT = "The list does not name the account of the token's own curve or pool"
_U64 = 2**64
_FRESH = timedelta(hours=1)
"""So long a complete list may stand for a new one in which nothing changed."""

FROM_TRADES = "From our own trades: transfers are not in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a snapshot found: when, of whom, whether anybody may be missing, how many accounts were left out, in how many
    holdings our books were wrong, and what the list cost."""

    snapshot_time: datetime
    total_holders: int
    holders_fetched: int
    is_complete: bool
    excluded: int
    updates: int
    credits: int


def take(*, token_mint: str, source: HolderSource | None, now: datetime, most: int = MOST) -> Taken | None:
    """Measure who holds ``token_mint`` at ``now`` and store it; ``None`` when nobody is known to.

    With a ``source`` the list is the chain's, asked outside any transaction, and our books are corrected where a complete
    list says otherwise; without one, or without the credits for a single page, it is what our own trades leave. Raises what
    the source raises; stores nothing then.
    """
    token = Token.objects.filter(mint_address=token_mint).prefetch_related("pools").first()
    if token is None:
        return None
    if source is None:
        return _store(token, None, now)
    try:
        found, paid = _unchanged(token, source, now)
        if found is None:
            listed = source.get_holders(token_mint, program=token.token_program, most=most, min_slot=0)
            found = _by_owner(listed, HolderOrigin(source.origin))
    except BudgetSpent:
        return _store(token, None, now)
    if sum(owner.raw for owner in found.owners.values()) >= _U64:
        raise Malformed(f"The holders of {token_mint} hold more together than one mint can have.")
    return _store(token, replace(found, credits=found.credits + paid), now)


def read(
    *, token_mint: str, accounts: Sequence[HeldAccount], slot: int | None, decimals: int | None, now: datetime
) -> Taken | None:
    """Measure and store a list of holders from a file; ``None`` when it names nobody.

    It corrects our books only when it says as of which ``slot`` it holds. Of a token that we do not know the list alone is
    measured, with ``decimals`` (6 when not given).
    """
    token = Token.objects.filter(mint_address=token_mint).prefetch_related("pools").first()
    if token is None:
        token = Token(mint_address=token_mint, decimals=6 if decimals is None else decimals)
    listed = HolderList(slot=slot or 0, accounts=accounts, missing="", credits=0)
    return _store(token, _by_owner(listed, HolderOrigin.IMPORTED, knows_slot=slot is not None), now)


_PROCESSED = """
UPDATE holder_updates u SET processed = true
FROM (SELECT mint, max(at) AS at FROM unnest(%(mints)s::text[], %(ats)s::timestamptz[]) AS k(mint, at) GROUP BY mint) AS k
WHERE u.token_mint = k.mint AND u.update_time <= k.at AND NOT u.processed
"""

_MARK = f"""
UPDATE holder_snapshots s SET scored_at = %(now)s FROM unnest(%(mints)s::text[], %(ats)s::timestamptz[]) AS keys(mint, at)
WHERE s.token_mint = keys.mint AND s.snapshot_time = keys.at AND s.measured_at IS NOT NULL AND s.scored_at IS NULL
    AND {chunks.within("s.token_mint", "s.snapshot_time", "text")}
"""


def scored(*, keys: Collection[tuple[str, datetime]], now: datetime) -> int:
    """Mark measured snapshots, by mint and time, as done with by the room above, and the differences that they brought as
    processed; return how many snapshots were not marked yet. Where these are compressed it opens the batches of one token at a
    time."""
    marked = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_PROCESSED, {"mints": [mint for mint, _ in keys], "ats": [at for _, at in keys]})
        for stretch in chunks.stretches(connection, "holder_snapshots", keys):
            mints, ats = [mint for mint, _ in stretch.rows], [at for _, at in stretch.rows]
            cursor.execute(_MARK, stretch.bounds | {"mints": mints, "ats": ats, "now": now})
            marked += cursor.rowcount
    return marked


def _by_owner(listed: HolderList, origin: HolderOrigin, *, knows_slot: bool = True) -> Found:
    """Return a list of accounts as one of owners; an account that pages name twice counts once."""
    sums: dict[str, int] = defaultdict(int)
    accounts: dict[str, list[str]] = defaultdict(list)
    held = {account.address: account for account in listed.accounts if account.raw}
    for account in held.values():
        sums[account.owner] += account.raw
        accounts[account.owner].append(account.address)
    return Found(
        origin=origin,
        slot=listed.slot if knows_slot else None,
        missing=listed.missing,
        owners={owner: Owner(raw, tuple(accounts[owner])) for owner, raw in sums.items()},
        accounts=len(held),
        credits=listed.credits,
    )


def _unchanged(token: Token, source: HolderSource, now: datetime) -> tuple[Found | None, int]:
    """Return our own books where a source says that no account changed since its last complete list, and what asking cost.

    An account that was closed since is not among those that changed, so such a list does not count as complete.
    """
    rows = HolderSnapshot.objects.filter(token_mint=token.mint_address, snapshot_time__gte=now - _FRESH)
    last = rows.filter(data_source=source.origin, is_complete=True).order_by("-snapshot_time").first()
    if last is None or last.slot is None:
        return None, 0
    changed = source.get_changed(token.mint_address, program=token.token_program, since_slot=last.slot)
    if changed is None or changed.accounts or changed.missing:
        return None, changed.credits if changed else 0
    left_out = {item["wallet"]: Decimal(item["balance"]) for item in last.raw_distribution["excluded"]}
    owners = dict(_by_trades(token).owners) | {
        wallet: Owner(int(balance.scaleb(token.decimals)), ()) for wallet, balance in left_out.items()
    }
    told = f"No account changed since slot {last.slot}; one that was closed would not show"
    origin = HolderOrigin(source.origin)
    return Found(
        origin=origin, slot=changed.slot, missing=told, owners=owners, accounts=None, credits=0
    ), changed.credits


def _by_trades(token: Token) -> Found:
    rows = TokenHolder.objects.filter(token_mint=token.mint_address, current_balance__gt=0)
    owners = {
        wallet: Owner(int(balance.scaleb(token.decimals)), ())
        for wallet, balance in rows.values_list("wallet_address", "current_balance")
    }
    return Found(origin=HolderOrigin.TRADES, slot=None, missing=FROM_TRADES, owners=owners, accounts=None, credits=0)


@transaction.atomic
def _store(token: Token, found: Found | None, now: datetime) -> Taken | None:
    mint = token.mint_address
    balances.derive(mints=[mint], now=now)  # holds the token's holders until the end
    if found is None:
        found = _by_trades(token)
    elif books.is_behind(token_mint=mint, slot=found.slot):
        found = replace(found, missing=found.missing or LAG)
    if not found.owners:
        return None
    holders, excluded = _split(token, found)
    names_pool = found.origin == HolderOrigin.TRADES or _names_pool(token, found, excluded)
    if not names_pool:
        found = replace(found, missing=f"{found.missing}; {CUT[0].lower()}{CUT[1:]}" if found.missing else CUT)
    updates, whole = 0, {wallet: owner.raw for wallet, owner in found.owners.items()}
    if found.origin != HolderOrigin.TRADES and not found.missing and found.slot is not None:
        updates = books.correct(token=token, held=whole, excluded=excluded.keys(), slot=found.slot, now=now)
        balances.revalue(mints=[mint], now=now)
    row = measuring.save(token=token, found=found, holders=holders, excluded=excluded, names_pool=names_pool, now=now)
    return Taken(
        snapshot_time=now,
        total_holders=row.total_holders,
        holders_fetched=len(found.owners),
        is_complete=not found.missing,
        excluded=len(excluded),
        updates=updates,
        credits=found.credits,
    )


def _split(token: Token, found: Found) -> tuple[dict[str, int], dict[str, tuple[int, Exclusion]]]:
    """Return the holders with their base units, and those who are none with theirs and the reason."""
    venues = _venues(token)
    holders: dict[str, int] = {}
    excluded: dict[str, tuple[int, Exclusion]] = {}
    for wallet, owner in found.owners.items():
        reason = exclusions.reason(owner=wallet, accounts=owner.accounts, venues=venues)
        if reason is None:
            holders[wallet] = owner.raw
        else:
            excluded[wallet] = (owner.raw, reason)
    return holders, excluded


def _names_pool(token: Token, found: Found, excluded: Mapping[str, tuple[int, Exclusion]]) -> bool:
    """Say whether a list names what the token's own curve or pool holds. One that does not was cut, whatever its source says:
    without that account all of the supply would seem to be in somebody's hands.

    Of a token without a pool nobody can say. Where the vault of a LaunchLab pool is not known, the program's authority stands
    for it.
    """
    pool = current_of(token.pools.all())
    if pool is None:
        return True
    own = set(_addresses([pool]))
    if any(not own.isdisjoint((wallet, *found.owners[wallet].accounts)) for wallet in excluded):
        return True
    is_unknown = pool.platform == Venue.RAYDIUM_LAUNCHPAD and not pool.base_vault
    return is_unknown and exclusions.LAUNCHLAB_AUTHORITY in excluded


def _venues(token: Token) -> Venues:
    pools, mint = token.pools.all(), token.mint_address
    curves = _addresses([pool for pool in pools if pool.pool_type == PoolType.INITIAL])
    others = _addresses([pool for pool in pools if pool.pool_type != PoolType.INITIAL])
    if programs.is_address(mint):  # a pump coin's own, which we need not have seen trade
        curves.append(programs.bonding_curve(mint))
        others.append(programs.graduated_pool(mint, programs.WRAPPED_SOL))
    return Venues(curves=frozenset(curves), pools=frozenset(others), lockers=frozenset(settings.HOLDER_LOCKERS))


def _addresses(pools: Collection[Pool]) -> list[str]:
    named = ((pool.pool_address, pool.bonding_curve_address, pool.base_vault) for pool in pools)
    return [address for addresses in named for address in addresses if address]
