"""Rows of live feeds for tests: how far venues are compared, what is missing, what each source brought, forks."""

from datetime import timedelta
from itertools import count
from typing import Any

from megatron.core import ids
from tests import factories
from tests.factories import NOON
from tokens.choices import GapCause, GapOutcome, ProcessKind, Program
from tokens.models import (
    ChainReorg,
    SlotGap,
    SourceTally,
    StreamCursor,
    StreamSighting,
    SystemMetric,
    VenueState,
)

_serial = count(1)


def cursor(**fields: Any) -> StreamCursor:
    """Create a live feed of Pump.fun: ``solana-logs``, in slots 419,999,900 to 420,000,000, nothing verified yet."""
    return factories.cursor(**{"verified_slot": 419_999_899, **fields})


def venue(**fields: Any) -> VenueState:
    """Create Pump.fun as watched from slot 100 and compared up to slot 1,000, of :data:`NOON`."""
    defaults = {
        "venue": Program.PUMPFUN,
        "watched_from_slot": 100,
        "settled_slot": 1_000,
        "settled_block_time": NOON,
        "settled_at": NOON + timedelta(seconds=15),
    }
    return VenueState.objects.create(**{**defaults, **fields})


def gap(**fields: Any) -> SlotGap:
    """Create an open gap of all of Pump.fun's feeds: slots 500 to 510, asked for at :data:`NOON`."""
    defaults = {
        "venue": Program.PUMPFUN,
        "cause": GapCause.COVERAGE,
        "slot_from": 500,
        "slot_to": 510,
        "detected_at": NOON,
        "due_at": NOON,
    }
    return SlotGap.objects.create(**{**defaults, **fields})


def ended_gap(outcome: GapOutcome = GapOutcome.HEALED, **fields: Any) -> SlotGap:
    """Create a gap that ended a minute after :data:`NOON`."""
    return gap(outcome=outcome, finished_at=NOON + timedelta(minutes=1), **fields)


def break_of(pool_address: str, **fields: Any) -> SlotGap:
    """Create the open gap of a curve whose reserves do not follow."""
    return gap(cause=GapCause.CONSERVATION, pool_address=pool_address, **fields)


def sighting(**fields: Any) -> StreamSighting:
    """Create a transaction of Pump.fun that left no trade."""
    defaults = {"venue": Program.PUMPFUN, "signature": factories.signature(f"sighting {next(_serial)}"), "slot": 500}
    return StreamSighting.objects.create(**{**defaults, **fields})


def tally(**fields: Any) -> SourceTally:
    """Create what ``solana-logs`` brought of Pump.fun in the hour from :data:`NOON`: first 60 times of 100, 2 missed."""
    defaults = {
        "source": "solana-logs",
        "venue": Program.PUMPFUN,
        "hour": NOON,
        "frames": 360,
        "bytes": 1_000_000,
        "transactions": 100,
        "first": 60,
        "missed": 2,
        "lead_ms": 3_000,
        "disconnects": 1,
    }
    return SourceTally.objects.create(**{**defaults, **fields})


def reorg(**fields: Any) -> ChainReorg:
    """Create a fork of two slots that took four trades and a token with it."""
    defaults = {
        "venue": Program.PUMPFUN,
        "slot_from": 700,
        "slot_to": 701,
        "detected_at": NOON,
        "trades_removed": 4,
        "moved": 1,
        "tokens_removed": 1,
        "signatures": [factories.signature("dropped")],
    }
    return ChainReorg.objects.create(**{**defaults, **fields})


def minute(**fields: Any) -> SystemMetric:
    """Create a minute of Pump.fun's monitor: 99 of 100 frames were stored within 120 ms."""
    at = fields.pop("metric_time", NOON)
    told = {"venue": "pumpfun", "feeds": {"solana-logs": True}, "buffered": 0, "behind_seconds": 1.5}
    defaults = {
        "metric_type": ProcessKind.MONITOR,
        "p99_processing_latency_ms": 120,
        "metric_data": {"process": "host:1", **told},
    }
    key = ids.event_id(at, f"minute {next(_serial)}")
    return SystemMetric.objects.create(id=key, metric_time=at, **{**defaults, **fields})
