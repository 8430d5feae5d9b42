"""The stand-in answers like a node: what it says follows from its chain and from how far it was played."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.cluster import chain
from tests.cluster.chain import Fork
from tests.cluster.cluster import Cluster
from tokens.domain.decode import decode_message
from tokens.domain.programs import PUMP, PUMPSWAP

FORK = Fork(30, 20)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(chain.build(seed=3, slots=90, per_slot=6, forks=[FORK])) as standing:
        yield standing


def ask(cluster: Cluster, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode()
    with urllib.request.urlopen(cluster.http_url, body, timeout=10) as reply:
        told = json.load(reply)
    return told["error"] if "error" in told else told["result"]


@contextmanager
def subscribe(cluster: Cluster, method: str, *params: Any) -> Iterator[ClientConnection]:
    with connect(cluster.ws_url, compression=None) as client:
        client.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        assert json.loads(client.recv(timeout=5))["result"] > 0
        cluster.subscribed()
        yield client


def received(client: ClientConnection, quiet: float = 0.3) -> list[bytes]:
    frames = []
    while True:
        try:
            frames.append(client.recv(timeout=quiet, decode=False))
        except TimeoutError:
            return frames


def test_logs_of_a_program_come_in_order(cluster: Cluster) -> None:
    """A logs subscription brings every transaction that mentions the program, branches included, once and in order."""
    with subscribe(cluster, "logsSubscribe", {"mentions": [PUMPSWAP]}, {"commitment": "confirmed"}) as client:
        cluster.finish()
        got = [(one.signature, one.slot) for frame in received(client) for one in decode_message(frame)]
    every = [landing for block in cluster.chain.timeline for landing in block.landings]
    sent = [landing for landing in every if PUMPSWAP in landing.addresses]
    assert got == [(landing.signature, landing.slot) for landing in sent]
    assert 0 < len(sent) < len(every)


def test_finalized_logs_hold_no_branch(cluster: Cluster) -> None:
    """A subscription at finalized brings only what stays."""
    with subscribe(cluster, "logsSubscribe", "all", {"commitment": "finalized"}) as client:
        cluster.finish()
        got = [one.signature for frame in received(client) for one in decode_message(frame)]
    assert got == [landing.signature for landing in cluster.chain.landings()]


@pytest.mark.parametrize("method", ["blockSubscribe", "transactionSubscribe"])
def test_whole_transactions_say_what_logs_say(cluster: Cluster, method: str) -> None:
    """Blocks and enhanced transactions bring the same events as the transactions themselves, with their slots."""
    wanted = {"mentionsAccountOrProgram": PUMP} if method == "blockSubscribe" else {"accountInclude": [PUMP]}
    options = {"commitment": "confirmed", "maxSupportedTransactionVersion": 1, "encoding": "jsonParsed"}
    with subscribe(cluster, method, wanted, options) as client:
        cluster.play(steps=20)
        decoded = [one for frame in received(client) for one in decode_message(frame)]
    played = [one for block in cluster.chain.timeline[1:20] for one in block.landings if PUMP in one.addresses]
    assert [(said.signature, said.slot) for said in decoded] == [(one.signature, one.slot) for one in played]
    assert sum(len(one.events) for one in decoded) > 50


def test_heads_trail_each_other(cluster: Cluster) -> None:
    """Processed leads, confirmed follows by a block, finalized by 32 slots at least; slot frames tell the root."""
    with subscribe(cluster, "slotSubscribe") as client:
        cluster.play(until_slot=chain.FIRST_SLOT + 100)
        frames = [json.loads(frame)["params"]["result"] for frame in received(client)]
    processed, confirmed, finalized = (
        ask(cluster, "getSlot", {"commitment": level}) for level in ("processed", "confirmed", "finalized")
    )
    assert processed > confirmed >= chain.FIRST_SLOT + 100
    assert 32 <= confirmed - finalized < 40
    assert frames[-1]["slot"] == processed
    assert frames[-1]["root"] == finalized
    assert ask(cluster, "getSlot") == finalized


def test_a_branch_comes_and_goes(cluster: Cluster) -> None:
    """While a branch is the newest its blocks are confirmed; afterwards they are skipped, and finalized never had them."""
    branch = next(block for block in cluster.chain.timeline if block.fork is not None and block.landings)
    signature = branch.landings[0].signature
    cluster.play(until_slot=branch.slot)
    options = {"commitment": "confirmed", "transactionDetails": "signatures"}
    assert ask(cluster, "getBlock", branch.slot, options)["signatures"][0] == signature
    assert ask(cluster, "getSignatureStatuses", [signature])["value"][0]["slot"] == branch.slot
    assert ask(cluster, "getSlot", {"commitment": "finalized"}) <= branch.fork
    cluster.finish()
    assert ask(cluster, "getBlock", branch.slot, {"commitment": "confirmed"})["code"] == -32007
    assert branch.slot not in ask(cluster, "getBlocks", branch.slot - 5, branch.slot + 40)
    later = ask(cluster, "getSignatureStatuses", [signature], {"searchTransactionHistory": True})["value"][0]
    main = {landing.signature: landing.slot for landing in cluster.chain.landings()}
    assert later is None if signature not in main else later["slot"] == main[signature]


def test_signatures_page_backwards(cluster: Cluster) -> None:
    """Pages by ``before`` and ``until`` add up to the history of an address, newest first, the failed ones marked."""
    cluster.finish()
    pages: list[Any] = []
    while True:
        options = {"limit": 50, **({"before": pages[-1]["signature"]} if pages else {})}
        page = ask(cluster, "getSignaturesForAddress", PUMP, options)
        pages += page
        if len(page) < 50:
            break
    expected = [landing for landing in cluster.chain.landings() if PUMP in landing.addresses][::-1]
    assert [(one["signature"], one["slot"]) for one in pages] == [(one.signature, one.slot) for one in expected]
    assert [one["err"] is not None for one in pages] == [one.failed for one in expected]
    between = {"before": expected[3].signature, "until": expected[9].signature}
    page = ask(cluster, "getSignaturesForAddress", PUMP, between)
    assert [one["signature"] for one in page] == [one.signature for one in expected[4:9]]
    assert ask(cluster, "getSignaturesForAddress", PUMP, {"before": "1" * 64}) == []


def test_a_node_says_how_far_it_is(cluster: Cluster) -> None:
    """A call with a context slot ahead of the node is refused with -32016 and the node's slot."""
    cluster.play(steps=10)
    refused = ask(cluster, "getSignaturesForAddress", PUMP, {"commitment": "confirmed", "minContextSlot": 10**12})
    confirmed = ask(cluster, "getSlot", {"commitment": "confirmed"})
    assert (refused["code"], refused["data"]["contextSlot"]) == (-32016, confirmed)
    assert ask(cluster, "getBlock", confirmed + 50, {"commitment": "confirmed"})["code"] == -32004


def test_blocks_hold_their_transactions(cluster: Cluster) -> None:
    """``getBlock`` in JSON and in base64 decodes to the transactions of the block; a new format must be asked for."""
    cluster.finish()
    block = max(cluster.chain.main, key=lambda block: len(block.landings))
    for encoding in ("json", "base64"):
        options = {"encoding": encoding, "maxSupportedTransactionVersion": 1}
        reply = msgspec.json.encode({"jsonrpc": "2.0", "result": ask(cluster, "getBlock", block.slot, options)})
        decoded = decode_message(reply)
        assert [one.signature for one in decoded] == [one.signature for one in block.landings]
        assert {one.slot for one in decoded} == {None}
        assert {one.block_time for one in decoded} == {block.block_time}
    assert ask(cluster, "getBlock", block.slot)["code"] == -32015
    assert ask(cluster, "getBlockTime", block.slot) == block.block_time


def test_a_transaction_is_found_when_it_is_confirmed(cluster: Cluster) -> None:
    """``getTransaction`` gives null until the commitment is reached, then the transaction."""
    landing = next(iter(cluster.chain.landings()))
    options = {"commitment": "confirmed", "maxSupportedTransactionVersion": 1}
    assert ask(cluster, "getTransaction", landing.signature, options) is None
    cluster.play(until_slot=landing.slot)
    assert ask(cluster, "getTransaction", landing.signature, options)["slot"] == landing.slot
    assert ask(cluster, "getTransaction", landing.signature, {"maxSupportedTransactionVersion": 1}) is None


def test_unknown_methods_are_refused(cluster: Cluster) -> None:
    """A method that the node does not have is answered with -32601, wrong parameters with -32602."""
    assert ask(cluster, "sendEverything")["code"] == -32601
    assert ask(cluster, "getSlot", 1, 2, 3)["code"] == -32602
    assert ask(cluster, "getAccountInfo", PUMP)["value"] is None


def test_the_clock_sets_the_pace(cluster: Cluster) -> None:
    """With a rate the blocks come by the clock: 60 transactions at 120 a second take about half a second."""
    import time

    started = time.monotonic()
    cluster.play(rate=120.0, steps=sum(1 for _ in _until(cluster, 60)))
    assert 0.3 < time.monotonic() - started < 1.5


def _until(cluster: Cluster, transactions: int) -> Iterator[int]:
    for step in range(1, len(cluster.chain.timeline)):
        if transactions <= 0:
            return
        transactions -= max(1, len(cluster.chain.timeline[step].landings))
        yield step
