"""Yellowstone's feed, from a real gRPC server on this machine."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from typing import Any

import grpc
import pytest
import structlog

from megatron.clients.block_times import MOST_TIMES, BlockTimes
from megatron.clients.errors import Refused
from megatron.clients.ports import Frame, Heard, Lost
from megatron.clients.protocols import yellowstone_pb2 as wire
from megatron.clients.yellowstone import Yellowstone
from megatron.clients.yellowstone_json import to_json
from megatron.core import base58
from tests import recordings
from tests.clients.geyser import bare, endpoint, meta, transaction
from tests.clients.loopback import LIMITS, Pauses, first, kinds, reconnection
from tokens.domain.decode import decode_message

ROOT = Path(__file__).parents[2]
PUMPFUN = "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P"
TOKEN = "a1b2c3d4-e5f6-7890"
TRADES = ["pump-buy-tx-from-gettransaction", "pump-create-tx-from-gettransaction", "pump-pump-jito-sell"]
EXACT = ["wallet-open", "wallet-add", "wallet-reduce"]
SIGNATURES = [bytes([number]) * 64 for number in range(1, 10)]


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = recordings.loaded(f"transactions/{name}.json")
    return found.get("result", found)


def stream(url: str, **options: Any) -> Yellowstone:
    settings = {"limits": LIMITS, "reconnection": reconnection(Pauses()), **options}
    return Yellowstone(url, **settings)


def listen(url: str, *, stop: Event | None = None, **options: Any) -> Iterator[Heard]:
    return stream(url, **options).listen(program=PUMPFUN, stop=stop or Event())


def frames(heard: list[Heard]) -> list[tuple[str, int | None]]:
    """Return the signature and the time of each frame."""
    told = [json.loads(item.payload) for item in heard if isinstance(item, Frame)]
    return [(one["transaction"]["signatures"][0], one["blockTime"]) for one in told]


def until_gone(requests: Iterator[wire.SubscribeRequest]) -> None:
    """Read what the client sends until it hangs up."""
    for _ in requests:
        pass


@pytest.mark.parametrize("name", TRADES)
def test_a_transaction_is_decoded_as_if_a_node_had_given_it(name: str) -> None:
    """The same events, amounts and places, from raw bytes instead of JSON."""
    found = recorded(name)
    payload = to_json(transaction(found).transaction, found["blockTime"])
    decoded = decode_message(payload)
    assert decoded == decode_message(json.dumps({**found, "transactionIndex": 0}).encode())
    assert [one.events for one in decoded] != [()]


def test_truth_05_a_transaction_brings_its_place_in_the_block() -> None:
    """A validator's feed tells it, and so the order inside a slot is known."""
    update = transaction(recorded(TRADES[0])).transaction
    update.transaction.index = 417
    assert [one.transaction_index for one in decode_message(to_json(update, 1))] == [417]


@pytest.mark.parametrize("name", EXACT)
def test_a_transaction_has_the_very_json_of_a_node(name: str) -> None:
    """Every field that we give is the node's, to the last digit of the data."""
    found = recorded(name)
    given = json.loads(to_json(transaction(found).transaction, found["blockTime"]))
    assert given["transaction"] == found["transaction"]
    for balance in found["meta"]["preTokenBalances"] + found["meta"]["postTokenBalances"]:
        balance["uiTokenAmount"].pop("uiAmount", None)  # a float that nobody reads
    kept = {key: value for key, value in found["meta"].items() if key in given["meta"]}
    assert {**given["meta"], **kept} == given["meta"]
    assert (given["slot"], given["blockTime"]) == (found["slot"], found["blockTime"])


def test_a_failed_one_is_failed_and_one_without_a_run_is_not_believed() -> None:
    """Whatever was asked for: what a server sends is looked at."""
    failed = to_json(transaction(recorded("pump-pump-jito-insufficient-lamports")).transaction, 1)
    assert [one.outcome.value for one in decode_message(failed)] == ["failed"]
    update = bare(7, SIGNATURES[0]).transaction
    update.transaction.ClearField("meta")
    assert json.loads(to_json(update, None))["meta"] is None
    empty = bare(7, SIGNATURES[0]).transaction
    empty.transaction.meta.inner_instructions_none = empty.transaction.meta.log_messages_none = True
    told = json.loads(to_json(empty, None))["meta"]
    assert (told["innerInstructions"], told["logMessages"], told["err"]) == (None, None, None)


def test_the_program_is_asked_for_and_the_token_shown() -> None:
    """Its transactions that took effect, and the times of blocks; then a ping, so that an answer comes at once."""
    asked: list[wire.SubscribeRequest] = []
    shown: list[Any] = []

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        shown.extend(value for key, value in context.invocation_metadata() if key == "x-token")
        asked.extend(islice(requests, 2))
        yield wire.SubscribeUpdate(pong=wire.Ping(id=1))
        until_gone(requests)

    with endpoint(script) as url:
        live = stream(url, token=TOKEN, commitment=0)
        assert kinds(first(live.listen(program=PUMPFUN, stop=Event()), 1)) == ["Opened"]
    assert (live.source, live.commitment, live.complete) == ("yellowstone", 0, True)
    assert shown == [TOKEN]
    request = asked[0]
    assert request.transactions["program"] == wire.TransactionFilter(
        vote=False, failed=False, account_include=[PUMPFUN]
    )
    assert list(request.blocks_meta) == ["times"]
    assert request.HasField("commitment")
    assert request.commitment == wire.PROCESSED
    assert asked[1] == wire.SubscribeRequest(ping=wire.Ping(id=1))


def test_a_transaction_waits_for_the_time_of_its_block() -> None:
    """In its order; the slot's later ones have it at once, and a block may have none."""
    one, two, three, four = (base58.encode(signature) for signature in SIGNATURES[:4])

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        yield from (bare(7, SIGNATURES[0]), bare(7, SIGNATURES[1]), bare(8, SIGNATURES[2]))
        yield from (meta(7, 1700000000), bare(7, SIGNATURES[3]), meta(8, None))
        until_gone(requests)

    with endpoint(script) as url:
        heard = first(listen(url), 5)
    assert kinds(heard) == ["Opened", "Frame", "Frame", "Frame", "Frame"]
    assert frames(heard) == [(one, 1700000000), (two, 1700000000), (four, 1700000000), (three, None)]


def test_what_has_come_is_not_lost_with_the_line() -> None:
    """It goes without the time for which it waited, before the loss is told."""

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        yield bare(7, SIGNATURES[0])
        if number:
            until_gone(requests)

    with endpoint(script) as url:
        heard = first(listen(url), 4)
    assert kinds(heard) == ["Opened", "Frame", "Lost", "Opened"]
    assert frames(heard) == [(base58.encode(SIGNATURES[0]), None)]
    assert isinstance(heard[2], Lost)
    assert heard[2].reason == "yellowstone: the stream has ended"


def test_a_time_that_does_not_come_is_not_waited_for_long() -> None:
    """Two seconds, or so many others; then whoever needs it asks the chain."""
    seconds = [0.0]
    times: BlockTimes[str] = BlockTimes(most=3, now=lambda: seconds[0])
    assert list(times.add(1, "a")) == []
    assert list(times.add(1, "b")) == []
    seconds[0] = 1.5
    assert list(times.add(2, "c")) == []
    assert list(times.overdue()) == []
    assert list(times.add(3, "d")) == [("a", None), ("b", None)]
    seconds[0] = 3.5
    assert list(times.overdue()) == [("c", None), ("d", None)]
    assert list(times.rest()) == []


def test_only_the_newest_times_are_remembered() -> None:
    """Slots are ever more."""
    times: BlockTimes[str] = BlockTimes()
    for slot in range(MOST_TIMES + 1):
        assert list(times.know(slot, slot)) == []
    assert list(times.add(0, "a")) == []
    assert list(times.add(1, "b")) == [("b", 1)]
    assert list(times.rest()) == [("a", None)]


def test_a_ping_is_answered() -> None:
    """Else servers hang up."""
    answered = Event()

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        list(islice(requests, 2))
        yield wire.SubscribeUpdate(ping=wire.Nothing())
        assert next(requests) == wire.SubscribeRequest(ping=wire.Ping(id=1))
        answered.set()
        yield bare(7, SIGNATURES[0])
        yield meta(7, 1)
        until_gone(requests)

    with endpoint(script) as url:
        heard = first(listen(url), 2)
    assert answered.is_set()
    assert kinds(heard) == ["Opened", "Frame"]


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED]
)
def test_what_will_never_stand_is_refused(status: grpc.StatusCode) -> None:
    """A wrong token, a plan without it; the token is not told."""

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        context.abort(status, f"no: {TOKEN}")
        yield meta(1, 1)

    with endpoint(script) as url, pytest.raises(Refused, match=rf"{status.name}: no: \[hidden\]"):
        list(listen(url, token=TOKEN))


def test_what_passes_is_tried_again() -> None:
    """A busy server, and one that is not there."""

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        if number == 0:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many")
        yield meta(1, 1)
        until_gone(requests)

    pauses = Pauses()
    with endpoint(script) as url, structlog.testing.capture_logs() as lines:
        assert kinds(first(listen(url, reconnection=reconnection(pauses)), 1)) == ["Opened"]
    assert pauses.seconds == [0.25]
    assert lines[0]["reason"] == "yellowstone: RESOURCE_EXHAUSTED: too many"
    pauses = Pauses(most=2)
    assert list(listen(url, reconnection=reconnection(pauses))) == []
    assert pauses.seconds == [0.25, 0.5]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"acknowledge_seconds": 0.3}, "not acknowledged"),
        ({"ping_seconds": 0.2, "pong_seconds": 0.2}, "no sign of life"),
    ],
)
def test_silence_ends_a_connection(limits: dict[str, float], told: str) -> None:
    """Before it stood and after: times of blocks come several times a second."""

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        if told == "no sign of life":
            yield meta(1, 1)
        until_gone(requests)

    with endpoint(script) as url, structlog.testing.capture_logs() as lines:
        list(listen(url, limits=replace(LIMITS, **limits), reconnection=reconnection(Pauses(most=1))))
    assert told in lines[0]["reason"]


def test_a_feed_without_trades_has_stalled() -> None:
    """Times of blocks go on, but the program is never quiet."""

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        over = Event()
        context.add_callback(over.set)
        slot = 0
        while not over.wait(0.05):
            slot += 1
            yield meta(slot, slot)

    limits = replace(LIMITS, stall_seconds=0.5)
    with endpoint(script) as url:
        heard = list(listen(url, limits=limits, reconnection=reconnection(Pauses(most=1))))
    assert kinds(heard)[0] == "Opened"
    assert isinstance(heard[-1], Lost)
    assert "stalled" in heard[-1].reason


def test_stop_ends_a_waiting_reader() -> None:
    """The call is cancelled, the loss told."""

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        yield meta(1, 1)
        until_gone(requests)

    stop = Event()
    heard: list[Heard] = []
    with endpoint(script) as url:
        live = listen(url, stop=stop)
        heard.append(next(live))
        reader = Thread(target=lambda: heard.extend(live))
        reader.start()
        stop.set()
        reader.join(30)
        assert not reader.is_alive()
    assert isinstance(heard[-1], Lost)
    assert heard[-1].reason == "stopped"


def test_a_slow_reader_holds_the_sender_back() -> None:
    """Little is read ahead, nothing is lost, and the order stays."""
    count, sent = 600, []

    def script(requests: Any, context: Any, number: int) -> Iterator[wire.SubscribeUpdate]:
        yield meta(7, 1700000000)
        for at in range(count):
            update = bare(7, at.to_bytes(64))
            update.transaction.transaction.meta.log_messages.append("x" * 50_000)
            sent.append(at)
            yield update
        until_gone(requests)

    with endpoint(script) as url:
        live = listen(url, limits=replace(LIMITS, most_waiting=4))
        heard = [next(live), next(live)]
        before = -1
        while before != (now := len(sent)):
            before = now
            Event().wait(0.5)
        assert now < count  # the rest waits over there
        heard += islice(live, count - 1)
        live.close()  # type: ignore[attr-defined]  # a generator
    assert [signature for signature, _ in frames(heard)] == [base58.encode(at.to_bytes(64)) for at in range(count)]


def test_the_python_is_what_the_protocol_says(tmp_path: Path) -> None:
    """What ``make protocols`` writes is committed."""
    folder = "megatron/clients/protocols"
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", "-I."),
            *(f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", f"{folder}/yellowstone.proto"),
        ],
        cwd=ROOT,
        check=True,
    )
    for name in ("yellowstone_pb2.py", "yellowstone_pb2.pyi"):
        assert (tmp_path / folder / name).read_text() == (ROOT / folder / name).read_text()
