"""The recorded traffic as messages, and the database's rows as something to compare."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from megatron.clients import captures
from tests.recordings import HERE
from tokens.services import candles, prices, rejections
from tokens.services.playback import Player

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)

Message = tuple[str, bytes]


def messages(*folders: str) -> list[Message]:
    """Return the messages of the recordings' folders, as a replay reads them."""
    read = captures.read([HERE / folder for folder in folders])
    return [(item.source, item.payload) for item in read if isinstance(item, captures.Message)]


def play(traffic: Iterable[Message], *, batch_events: int = 10_000, feed: str = "replay") -> Player:
    """Store messages, play the waiting ones again until nothing comes of it, and compute every due candle."""
    player = Player(feed=feed, batch_events=batch_events)
    for source, payload in traffic:
        if player.take(player.decode(source=source, payload=payload), source=source, payload=payload):
            player.flush(now=NOW)
    player.flush(now=NOW)
    settle()
    return player


def settle() -> None:
    """Do what the tasks would do until nothing is left to do."""
    while rejections.retry_answered(now=NOW).resolved:
        pass
    prices.fill_all(now=NOW)
    candles.roll_all(now=NOW)


_AUDIT = {"created_at", "updated_at", "observed_at", "attempts", "source", "messages", "events"}
_TABLES = {
    "tokens": "mint_address",
    "pools": "pool_address",
    "pool_milestones": "pool_id, threshold_pct",
    "transactions": "id",
    "price_candles_1m": "token_id, bucket",
    "price_candles_5m": "token_id, bucket",
    "price_candles_1h": "token_id, bucket",
    "price_candles_1d": "token_id, bucket",
    "candles_due": "interval, token_id, bucket",
    "rejected_messages": "digest",
}
_RANDOM_KEYS = {"pool_milestones", "rejected_messages"}


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Return every row that traffic makes, as text to the last digit, without audit columns."""
    found = {}
    with connection.cursor() as cursor:
        for table, order in _TABLES.items():
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND table_schema = 'public'"
                " ORDER BY ordinal_position",
                [table],
            )
            names = [name for (name,) in cursor.fetchall() if name not in _AUDIT]
            names = [name for name in names if not (name == "id" and table in _RANDOM_KEYS)]
            columns = ", ".join(f'"{name}"::text' for name in names)
            cursor.execute(f"SELECT {columns} FROM {table} ORDER BY {order}")
            found[table] = cursor.fetchall()
    return found
