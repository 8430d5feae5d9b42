"""What one piece of work did cost, beside the accounts of all."""

import threading

import pytest

from megatron.clients import meter
from tests.factories import NOON


def call(paid: int) -> meter.Call:
    return meter.Call(at=NOON, provider="helius", endpoint="getTokenAccounts", credits=paid)


@pytest.fixture(autouse=True)
def _emptied() -> None:
    meter.take()


def test_a_tally_counts_the_calls_inside_its_block() -> None:
    """Not those before, not those after, not another thread's; the accounts have all of them."""
    meter.note(call(1))
    with meter.tally() as counted:
        meter.note(call(10))
        meter.note(call(20))
        other = threading.Thread(target=meter.note, args=[call(300)])
        other.start()
        other.join()
    meter.note(call(4_000))
    assert (counted.calls, counted.credits) == (2, 30)
    assert sum(noted.credits for noted in meter.take()) == 4_331


def test_a_tally_that_fails_has_counted() -> None:
    """What was paid before a failure was paid, and nothing after it counts."""
    counted = meter.Tally()

    def fail() -> None:
        nonlocal counted
        with meter.tally() as counted:
            meter.note(call(10))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    meter.note(call(1))
    assert counted.credits == 10
