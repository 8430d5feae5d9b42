"""What one piece of work did cost, beside the accounts of all."""

import threading

import httpx
import pytest

from megatron.clients import meter
from megatron.clients.errors import BudgetSpent
from megatron.clients.solana_rpc import SolanaRpc
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


def test_truth_12_a_call_beyond_the_credits_of_its_work_is_not_made() -> None:
    """Ten credits each of 25: the third is not sent. Another piece of work has its own, and so has none at all."""
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(str(request.url))
        return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": None})

    rpc = SolanaRpc("https://mainnet.helius-rpc.com/", per_second=1e6, transport=httpx.MockTransport(answer))
    with meter.tally(most=25) as counted:
        rpc.get_transaction("1" * 88)
        rpc.get_transaction("1" * 88)
        with pytest.raises(BudgetSpent, match="20 are spent, the next call costs 10"):
            rpc.get_transaction("1" * 88)
    assert (counted.calls, counted.credits, len(sent)) == (2, 20, 2)
    with meter.tally():
        rpc.get_transaction("1" * 88)
    rpc.get_transaction("1" * 88)
    assert len(sent) == 4
