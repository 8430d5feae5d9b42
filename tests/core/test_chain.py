"""What a time, a slot and a signature of the chain can be."""

from datetime import UTC, datetime, timedelta

import pytest

from megatron.core import base58, chain

NOW = datetime(2026, 10, 9, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("slot", "seconds", "possible"),
    [
        (450_000_000, SECONDS, True),
        (0, 1_584_368_940, True),
        (None, 1_584_368_939, False),
        (None, 0, False),
        (None, SECONDS + 600, True),
        (None, SECONDS + 601, False),
        (None, 4_102_444_800, False),
        (-1, None, False),
        (2**63 - 1, None, False),
        (2**63 - 1, SECONDS, False),
        (2**53, SECONDS, False),
        (450_000_000, 1_600_000_000, False),  # of later than its own time
        (None, None, True),
    ],
)
def test_truth_04_slots_and_times_have_bounds(slot: int | None, seconds: int | None, possible: bool) -> None:
    """From the launch of the chain to ten minutes from now, and never more than five slots a second."""
    assert (chain.doubt(slot=slot, block_time=seconds, now=NOW) == "") is possible


def test_truth_04_a_slow_clock_is_forgiven_and_a_wrong_one_is_not() -> None:
    """Ten minutes, not eleven."""
    assert chain.doubt(block_time=SECONDS, now=NOW - timedelta(minutes=10)) == ""
    assert chain.doubt(block_time=SECONDS, now=NOW - timedelta(minutes=11)) == f"names the time {SECONDS}"


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (base58.encode(bytes(range(64))), True),
        (base58.encode(bytes(64)), True),
        (base58.encode(b"\xff" * 64), True),
        (base58.encode(b"\xff" * 63), False),
        (base58.encode(b"\xff" * 65), False),
        ("1" * 88, False),
        ("z" * 88, False),
        ("5" * 101, False),
        (base58.encode(bytes(range(64))) + "\0", False),
        (" " + base58.encode(bytes(range(64))), False),
        ("\ud800" * 88, False),
        ("0" * 88, False),
        ("", False),
    ],
)
def test_truth_04_a_signature_is_64_bytes(text: str, valid: bool) -> None:
    """Not 64 to 88 letters, but what 64 bytes are in base58."""
    assert chain.is_signature(text) is valid
