from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests import factories, feeds
from tests.factories import NOON
from tokens.choices import RejectionReason

Get = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db


def test_nothing_was_read_yet(get: Get, time_machine: Any) -> None:
    """An empty database has no sources, nothing that waits and no gaps."""
    time_machine.move_to(NOON, tick=False)
    assert get("indexing/") == {
        "at": "2026-07-03T12:00:00Z",
        "synced": None,
        "sources": [],
        "venues": [
            {
                "venue": venue,
                "quarantined": False,
                "watched": False,
                "stalled": None,
                "unmoved_seconds": None,
                "watched_from_slot": None,
                "settled_slot": None,
                "settled_at": None,
                "behind_seconds": None,
                "behind_slots": None,
                "open_gaps": 0,
                "oldest_gap_at": None,
            }
            for venue in ("pumpfun", "pumpswap", "launchlab")
        ],
        "rejected_waiting": [],
        "candles_due": [],
        "gaps": {"start": None, "end": None, "results": []},
    }


def test_lag_waiting_work_and_gaps(get: Get, time_machine: Any) -> None:
    """Each source with its lag, what waits by reason and interval, and the break that a missing trade left."""
    time_machine.move_to(NOON + timedelta(seconds=31), tick=False)
    cursor = feeds.cursor()
    factories.rejected(reason=RejectionReason.NO_SLOT)
    pool = factories.pool(factories.token(creation_timestamp=None), last_trade_at=NOON)
    factories.candle_due(pool.token)
    before = factories.transaction(
        pool, slot=7, amount_in=10, amount_out=20, quote_reserves=1_000, token_reserves=5_000, block_time=NOON
    )
    after = factories.transaction(
        pool, slot=9, amount_in=10, amount_out=20, quote_reserves=1_500_000_010, token_reserves=4_880, block_time=NOON
    )
    factories.transaction(pool, slot=9, amount_in=1, amount_out=0, quote_reserves=1_500_000_011, token_reserves=4_880)
    feeds.venue(watched_from_slot=419_999_901, settled_slot=419_999_980)
    body = get("indexing/")
    assert body.pop("venues")[0] == {
        "venue": "pumpfun",
        "quarantined": False,
        "watched": True,
        "stalled": False,
        "unmoved_seconds": 16.0,
        "watched_from_slot": 419_999_901,
        "settled_slot": 419_999_980,
        "settled_at": "2026-07-03T12:00:15Z",
        "behind_seconds": 31.0,
        "behind_slots": 20,
        "open_gaps": 0,
        "oldest_gap_at": None,
    }
    assert body == {
        "at": "2026-07-03T12:00:31Z",
        "synced": False,
        "sources": [
            {
                "source": "solana-logs",
                "venue": "pumpfun",
                "live": True,
                "synced": False,
                "lag_seconds": 31.0,
                "silent_seconds": 29.0,
                "first_slot": 419_999_900,
                "last_slot": 420_000_000,
                "verified_slot": 419_999_899,
                "last_block_time": "2026-07-03T12:00:00Z",
                "last_signature": cursor.last_signature,
                "messages": 40,
                "events": 55,
            }
        ],
        "rejected_waiting": [{"reason": "no_slot", "count": 1}],
        "candles_due": [{"interval": "1m", "count": 1, "oldest_marked_at": "2026-07-03T12:00:00Z"}],
        "gaps": {
            "start": "2026-07-03T11:00:00Z",
            "end": "2026-07-03T12:00:01Z",
            "results": [
                {
                    "pool": pool.pool_address,
                    "mint": pool.token.mint_address,
                    "slot_from": 7,
                    "slot_to": 9,
                    "signature_from": before.signature,
                    "signature_to": after.signature,
                    "seen_at": "2026-07-03T12:00:00Z",
                    "quote_sum": {"raw": "1499999000", "decimals": 9, "amount": "1.499999"},
                    "token_sum": {"raw": "-100", "decimals": 6, "amount": "-0.0001"},
                }
            ],
        },
    }


def test_gaps_are_looked_for_as_far_back_as_asked(get: Get, problem: Callable[..., dict[str, Any]]) -> None:
    """The window of gaps ends with the newest event and is one hour long, or as long as asked, up to a day."""
    factories.pool(last_trade_at=NOON)
    assert get("indexing/", hours=24)["gaps"]["start"] == "2026-07-02T12:00:00Z"
    assert problem(400, "indexing/", hours=25)["errors"][0]["field"] == "hours"
