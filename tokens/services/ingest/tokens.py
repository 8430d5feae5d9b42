"""Tokens of a batch: inserted if new, then told what the batch says about them, under row locks in the order of ids."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from django.db import connection

from megatron.core.ids import derived_id
from tokens.domain import mayhem, programs
from tokens.domain.facts import NamedCreator, TokenFact
from tokens.domain.text import sanitised
from tokens.selectors.mayhem import is_mayhem


@lru_cache(maxsize=1 << 16)
def token_id(mint: str) -> str:
    """Return the id of a mint's row, as text: thousands go through each batch."""
    return str(derived_id("token", mint))


class Vanished(Exception):
    """A token that was there a moment ago is not: the fork that created it was taken back meanwhile. Try the batch again."""


class Written(NamedTuple):
    """What became of a batch's tokens."""

    new: int
    decimals: dict[str, tuple[int, int]]
    """Each token's decimals before and after, by mint."""
    launches: set[str]
    """The signatures of their creations, as far as these are known."""
    mayhem: dict[str, int | None]
    """When each mayhem coin among them was created, by mint: unix seconds, ``None`` if not known."""


def write(facts: dict[str, TokenFact]) -> Written:
    """Insert and update tokens."""
    stored = _stored(facts)
    missing = [fact for mint, fact in facts.items() if token_id(mint) not in stored]
    new = _insert(missing)
    if missing:
        stored = _stored(facts)
    launches = {row.creation_signature for row in stored.values() if row.creation_signature is not None}
    launches |= {fact.creation.signature for fact in facts.values() if fact.creation is not None}
    return Written(new, _update(facts, stored), launches, _mayhem(facts, stored))


class Stored(NamedTuple):
    """What tells whether a batch has news about a token."""

    decimals: int
    platform: str
    is_graduated: bool
    graduation_platform: str | None
    creator: str | None
    creator_named_slot: int | None
    creation_signature: str | None
    is_mayhem: bool
    created_at: int | None

    def lacks(self, named: NamedCreator | None) -> bool:
        """Say whether a trade tells who the creator was, and neither the creation nor an earlier trade has."""
        if named is None:
            return False
        if self.creator is None:
            return True
        return self.creator_named_slot is not None and named < (self.creator_named_slot, self.creator)


def _stored(facts: dict[str, TokenFact]) -> dict[str, Stored]:
    """Return the tokens that are stored, by id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, decimals, platform, is_graduated, graduation_platform, creator_address, creator_named_slot,"
            f" creation_signature, {is_mayhem('tokens')}, extract(epoch FROM creation_timestamp)::bigint FROM tokens"
            " WHERE id = ANY(string_to_array(%s, ',')::uuid[])",
            [",".join(map(token_id, facts))],
        )
        return {key: Stored(*columns) for key, *columns in cursor.fetchall()}


def _insert(facts: list[TokenFact]) -> int:
    rows = sorted((token_id(fact.mint), fact.mint, fact.platform.value) for fact in facts)
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tokens (id, mint_address, platform, decimals, is_graduated, metadata)"
            " SELECT n.id, n.mint, n.platform, 6, false, '{}' FROM unnest(%s::uuid[], %s::text[], %s::text[])"
            "   AS n(id, mint, platform) ORDER BY n.id ON CONFLICT (id) DO NOTHING",
            [list(column) for column in zip(*rows, strict=True)],
        )
        return int(cursor.rowcount)


_LOCK = "SELECT FROM tokens WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"

_UPDATE = """
UPDATE tokens t SET
    platform = CASE WHEN t.platform = 'unknown' THEN n.platform ELSE t.platform END,
    decimals = coalesce(n.decimals, t.decimals),
    symbol = coalesce(n.symbol, t.symbol),
    name = coalesce(n.name, t.name),
    uri = coalesce(n.uri, t.uri),
    token_program = coalesce(n.token_program, t.token_program),
    creation_signature = coalesce(n.creation_signature, t.creation_signature),
    creation_timestamp = coalesce(n.creation_timestamp, t.creation_timestamp),
    -- The creation's word stands; until it is seen, that of the earliest trade.
    creator_address = CASE
        WHEN n.creation_signature IS NOT NULL THEN coalesce(n.creator_address, t.creator_address)
        WHEN t.creation_signature IS NOT NULL OR n.named_creator IS NULL THEN t.creator_address
        WHEN t.creator_address IS NULL OR (n.named_slot, n.named_creator COLLATE "C")
             < (t.creator_named_slot, t.creator_address COLLATE "C") THEN n.named_creator
        ELSE t.creator_address END,
    creator_named_slot = CASE
        WHEN n.creation_signature IS NOT NULL AND n.creator_address IS NOT NULL THEN NULL
        WHEN t.creation_signature IS NOT NULL OR n.named_creator IS NULL THEN t.creator_named_slot
        WHEN t.creator_address IS NULL THEN n.named_slot
        ELSE least(t.creator_named_slot, n.named_slot) END,
    initial_supply = coalesce(n.initial_supply, t.initial_supply),
    metadata = t.metadata || coalesce(n.metadata, '{}'),
    is_graduated = t.is_graduated OR n.is_graduated,
    graduation_timestamp = least(t.graduation_timestamp, n.graduation_timestamp),
    graduation_signature = CASE
        WHEN t.graduation_timestamp IS NULL OR (n.graduation_timestamp, n.graduation_signature COLLATE "C")
             < (t.graduation_timestamp, t.graduation_signature COLLATE "C")
        THEN coalesce(n.graduation_signature, t.graduation_signature)
        ELSE t.graduation_signature END,
    graduation_platform = least(n.graduation_platform, t.graduation_platform)
FROM jsonb_to_recordset(%s) AS n(
    id uuid, platform text, decimals int, symbol text, name text, uri text, token_program text, creation_signature text,
    creation_timestamp timestamptz, creator_address text, named_creator text, named_slot bigint, initial_supply numeric,
    metadata jsonb,
    is_graduated boolean, graduation_timestamp timestamptz, graduation_signature text, graduation_platform text)
WHERE t.id = n.id
"""


def _update(facts: dict[str, TokenFact], stored: dict[str, Stored]) -> dict[str, tuple[int, int]]:
    """Write what the batch says about tokens; return each token's decimals before and after, by mint."""
    changed, decimals = [], {}
    for mint, fact in facts.items():
        row = stored[token_id(mint)]
        decimals[mint] = (row.decimals, row.decimals if fact.decimals is None else fact.decimals)
        if (
            fact.creation
            or fact.graduated
            or (fact.is_graduated and not row.is_graduated)
            or (fact.destination and fact.destination != row.graduation_platform)
            or fact.decimals not in (None, row.decimals)
            or (row.platform == "unknown" and fact.platform.value != row.platform)
            or row.lacks(fact.named_creator)
            or (fact.is_mayhem and not row.is_mayhem)
        ):
            changed.append(_record(mint, fact))
    if changed:
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, [[record["id"] for record in changed]])
            if cursor.rowcount < len(changed):
                raise Vanished
            cursor.execute(_UPDATE, [msgspec.json.encode(changed).decode()])
    return decimals


def _mayhem(facts: dict[str, TokenFact], stored: dict[str, Stored]) -> dict[str, int | None]:
    """Return when each mayhem coin was created, by mint, as far as the batch or the database knows."""
    coins: dict[str, int | None] = {}
    for mint, fact in facts.items():
        row = stored[token_id(mint)]
        if fact.is_mayhem or row.is_mayhem:
            coins[mint] = row.created_at if fact.creation is None else fact.creation.block_time
    return coins


_LAUNCHED = """
WITH bought AS (
    SELECT x.token_id, array_agg(DISTINCT x.user_address::varchar) AS wallets
    FROM transactions x JOIN pools p ON p.id = x.pool_id AND p.pool_type = 'initial'
    WHERE x.block_time >= %s AND x.block_time < %s AND x.signature = ANY(%s) AND x.type = 'buy' AND x.user_address <> %s
    GROUP BY x.token_id, x.signature
    HAVING EXISTS (SELECT FROM tokens k WHERE k.id = x.token_id AND k.creation_signature = x.signature)
)
UPDATE tokens t SET launch_wallets = ARRAY(
    SELECT DISTINCT wallet FROM unnest(t.launch_wallets || b.wallets) AS wallet ORDER BY wallet)
FROM bought b WHERE t.id = b.token_id AND NOT t.launch_wallets @> b.wallets
"""


def note_launch_wallets(*, signatures: Collection[str], start: datetime, end: datetime) -> None:
    """Note who bought in the transactions that created tokens: they signed the creation, whomever it names as creator.

    ``signatures`` are of creations, of block times in ``[start, end)``. From the stored rows, so that it does not matter
    which of a transaction's events came first.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LAUNCHED, [start, end, sorted(signatures), programs.MAYHEM_AGENT])


def hold(mints: Iterable[str]) -> None:
    """Let nobody remove these tokens before the batch ends. Raises :class:`Vanished`.

    A foreign key is checked, and locks its token, only at the commit: too late to do anything about it.
    """
    wanted = sorted({token_id(mint) for mint in mints})
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM tokens WHERE id = ANY(%s::uuid[]) ORDER BY id FOR KEY SHARE", [wanted])
        if cursor.rowcount < len(wanted):
            raise Vanished


def _record(mint: str, fact: TokenFact) -> dict[str, Any]:
    record: dict[str, Any] = {
        "id": token_id(mint),
        "platform": fact.platform.value,
        "decimals": fact.decimals,
        "is_graduated": fact.is_graduated,
        "metadata": {"is_mayhem_mode": True} if fact.is_mayhem else {},
    }
    if fact.named_creator is not None:
        record |= {"named_slot": fact.named_creator[0], "named_creator": fact.named_creator[1]}
    if fact.creation is not None:
        event, fields = fact.creation, fact.creation.fields
        raw = {key: fields.get(key, "") for key in ("name", "symbol", "uri")}
        clean = {key: sanitised(text, limit) for (key, text), limit in zip(raw.items(), (100, 32, 500), strict=True)}
        flags = ("is_mayhem_mode", "is_cashback_enabled", "is_holder_reward", "creator_fee_bps", "depth")
        # JSONB cannot hold NUL, so what the chain really says is kept with it escaped.
        record |= clean | {
            "token_program": fields.get("token_program"),
            "creation_signature": event.signature,
            "creation_timestamp": _iso(event.block_time),
            "creator_address": fields.get("creator") or event.user,
            "initial_supply": _supply(fact, fields),
            "metadata": record["metadata"]
            | {
                **{f"raw_{key}": text.replace("\0", "\\0") for key, text in raw.items() if text != clean[key]},
                **{key: fields[key] for key in flags if fields.get(key)},
            },
        }
    if fact.graduated is not None:
        at, signature = fact.graduated
        record |= {"graduation_timestamp": _iso(at), "graduation_signature": signature}
    return record | {"graduation_platform": fact.destination}


def _supply(fact: TokenFact, fields: dict[str, Any]) -> int | None:
    """Return what there was at the creation. That event tells of a mayhem coin what its curve got, and not the agent's half."""
    if fact.is_mayhem:
        return mayhem.SUPPLY_RAW
    told: int | None = fields.get("token_total_supply", fields.get("supply"))
    return told


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
