"""Gaps, sources, forks and completeness over the API."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests import factories, feeds
from tests.factories import NOON
from tokens.choices import GapCause, PoolType, Program, Venue

Get = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db


def test_gaps_newest_first_and_by_filter(get: Get) -> None:
    """A gap tells where, why and how it ended; venue, cause and being open narrow the list."""
    feeds.gap(source="helius", cause=GapCause.DISCONNECT, slot_to=None)
    feeds.ended_gap(detected_at=NOON + timedelta(seconds=1), transactions_found=3, attempts=2)
    feeds.gap(venue=Program.PUMPSWAP, detected_at=NOON - timedelta(seconds=1))
    newest, running, _ = get("gaps/")["results"]
    assert newest == {
        "venue": "pumpfun",
        "source": "",
        "cause": "coverage",
        "slot_from": 500,
        "slot_to": 510,
        "pool": None,
        "found_at": "2026-07-03T12:00:01Z",
        "healed_to": None,
        "ended_at": "2026-07-03T12:01:00Z",
        "outcome": "healed",
        "transactions_found": 3,
        "attempts": 2,
        "last_error": "",
    }
    assert (running["source"], running["slot_to"], running["outcome"]) == ("helius", None, None)

    def seen(**query: str) -> list[str]:
        return [f"{gap['venue']} {gap['cause']}" for gap in get("gaps/", **query)["results"]]

    assert seen(venue="pumpswap") == ["pumpswap coverage"]
    assert seen(cause="disconnect") == ["pumpfun disconnect"]
    assert seen(open="true") == ["pumpfun disconnect", "pumpswap coverage"]
    assert seen(open="false") == ["pumpfun coverage"]


def test_what_sources_brought_hour_by_hour(get: Get, problem: Callable[..., dict[str, Any]]) -> None:
    """The newest hour comes first; venue and source narrow the list."""
    feeds.tally()
    feeds.tally(hour=NOON + timedelta(hours=1), source="helius", venue=Program.PUMPSWAP)
    newest, oldest = get("sources/")["results"]
    assert (newest["hour"], newest["source"]) == ("2026-07-03T13:00:00Z", "helius")
    assert oldest == {
        "hour": "2026-07-03T12:00:00Z",
        "venue": "pumpfun",
        "source": "solana-logs",
        "frames": 360,
        "bytes": 1_000_000,
        "transactions": 100,
        "first": 60,
        "missed": 2,
        "lead_ms": 3_000,
        "disconnects": 1,
    }
    assert [row["venue"] for row in get("sources/", source="helius")["results"]] == ["pumpswap"]
    assert get("sources/", venue="launchlab")["results"] == []
    assert problem(400, "sources/", venue="elsewhere")["errors"][0]["field"] == "venue"


def test_forks_newest_first(get: Get) -> None:
    """A fork tells its slots and what went with it."""
    feeds.reorg(venue=Program.PUMPSWAP, detected_at=NOON - timedelta(seconds=1))
    feeds.reorg()
    newest, _ = get("reorgs/")["results"]
    assert newest == {
        "venue": "pumpfun",
        "slot_from": 700,
        "slot_to": 701,
        "found_at": "2026-07-03T12:00:00Z",
        "trades_removed": 4,
        "moved": 1,
        "tokens_removed": 1,
        "signatures": [factories.signature("dropped")],
    }
    assert [fork["venue"] for fork in get("reorgs/", venue="pumpswap")["results"]] == ["pumpswap"]


def test_a_pool_tells_from_which_slot_to_which_it_is_complete(get: Get) -> None:
    """A pool of a watched venue names the stretch, how that is known, and the hole before it."""
    feeds.venue(venue=Program.PUMPSWAP)
    feeds.gap(venue=Program.PUMPSWAP)
    pool = factories.pool(pool_type=PoolType.GRADUATED, platform=Venue.PUMPSWAP)
    assert get(f"pools/{pool.pool_address}/")["completeness"] == {
        "span": {"slot_from": 511, "slot_to": 1_000, "by": ["coverage"], "from_start": False},
        "holes": [{"slot_from": 500, "slot_to": 510, "cause": "coverage", "accepted": False}],
        "waiting": 0,
        "watched": True,
        "held": False,
    }
    unknown = factories.pool(platform=Venue.RAYDIUM_CPMM, pool_type=PoolType.GRADUATED)
    assert get(f"pools/{unknown.pool_address}/")["completeness"]["span"] is None
