"""The rows that a run leaves, and those that it should leave."""

from datetime import datetime
from typing import Any

import msgspec
from django.apps import apps
from django.db import connection
from django.db.models import Model

from tests.cluster import views
from tests.cluster.chain import Chain
from tokens.choices import Commitment
from tokens.domain.decode import decode_message
from tokens.models import (
    Pool,
    PoolMilestone,
    PriceCandle1d,
    PriceCandle1h,
    PriceCandle1m,
    PriceCandle5m,
    RetentionPolicy,
    Token,
    Transaction,
)
from tokens.services import candles, ingest

COMPARED: tuple[type[Model], ...] = (
    Token,
    Pool,
    PoolMilestone,
    Transaction,
    PriceCandle1m,
    PriceCandle5m,
    PriceCandle1h,
    PriceCandle1d,
)
AUDIT = frozenset({"created_at", "updated_at"})
"""When we wrote a row is no fact about the chain."""
BY_SOURCE = frozenset({"transaction_fee", "transaction_index", "base_vault", "quote_vault"})
"""Known where the whole transaction was read, not from its log: a pool's vaults only its instructions name."""
Rows = dict[str, dict[Any, dict[str, Any]]]


def snapshot() -> Rows:
    """Return all rows about the chain, by table and key, without what depends on when and from which source they came."""
    found: Rows = {}
    for model in COMPARED:
        names = [field.attname for field in model._meta.concrete_fields if field.name not in AUDIT | BY_SOURCE]
        rows = model._default_manager.values(*names)
        if model is PoolMilestone:  # its own name is drawn by lot
            keyed = {(row["pool_id"], row["threshold_pct"]): {**row, "id": None} for row in rows}
        else:
            keyed = {row["id"]: {**row, "raw_data": _said(row)} for row in rows}
        found[model._meta.db_table] = keyed
    return found


def _said(row: dict[str, Any]) -> Any:
    return {key: value for key, value in (row.get("raw_data") or {}).items() if key not in ("origin", "instruction")}


def differences(left: Rows, right: Rows, *, most: int = 12) -> list[str]:
    """Return in words how two snapshots differ."""
    told: list[str] = []
    for table in left:
        ours, theirs = left[table], right[table]
        for title, keys, rows in (
            ("extra", ours.keys() - theirs.keys(), ours),
            ("missing", theirs.keys() - ours.keys(), theirs),
        ):
            told += [f"{table}: {title} {_short(rows[key])}" for key in sorted(keys, key=str)]
        for key in ours.keys() & theirs.keys():
            if ours[key] != theirs[key]:
                changed = {n: (ours[key][n], theirs[key][n]) for n in ours[key] if ours[key][n] != theirs[key][n]}
                told.append(f"{table} {key}: {changed}")
    return told[:most] + ([f"… and {len(told) - most} more"] if len(told) > most else [])


def _short(row: dict[str, Any]) -> dict[str, Any]:
    shown = ("signature", "slot", "event_index", "mint_address", "pool_address", "bucket", "milestone", "token_id")
    return {name: row[name] for name in shown if name in row}


def expected(chain: Chain, now: datetime) -> Rows:
    """Return the rows of a run in which nothing goes wrong: the whole transactions of the main chain, in order, final.

    Empties the tables first and leaves these rows in them.
    """
    empty()
    batch = []
    for landing in chain.landings():
        payload = msgspec.json.encode({"jsonrpc": "2.0", "result": views.transaction(landing), "id": 1})
        for decoded in decode_message(payload):
            final = msgspec.structs.replace(decoded, commitment=Commitment.FINALIZED)
            batch.append(ingest.Received(final, "expected", payload))
    ingest.store(batch=batch, feed="expected", now=now)
    candles.roll_all(now=now)
    return snapshot()


def empty() -> None:
    """Empty every table of the room but its policies."""
    tables = [
        model._meta.db_table
        for model in apps.get_app_config("tokens").get_models()
        if model._meta.managed and model is not RetentionPolicy
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE")
