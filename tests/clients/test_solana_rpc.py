import json
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from megatron.clients.errors import ClientError, Malformed, Refused, TryLater
from megatron.clients.solana_rpc import SolanaRpc, parse_block_time
from tests.clients.recorded import RECORDINGS, NotRecorded, answers, replay

KNOWN = json.loads((RECORDINGS / "solana_rpc" / "transaction.json").read_bytes())
SIGNATURE, SLOT = KNOWN["request"]["params"][0], KNOWN["body"]["result"]["slot"]


@pytest.fixture
def node() -> SolanaRpc:
    return SolanaRpc("https://rpc.example.com/", per_second=1000, transport=replay("solana_rpc"))


def reader(*replies: Any) -> tuple[SolanaRpc, list[httpx.Request]]:
    transport, asked = answers(*replies)
    return SolanaRpc("https://rpc.example.com/v2/secret-key-1234", per_second=1000, transport=transport), asked


def error(code: int, message: str = "x") -> httpx.Response:
    return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": message}})


def test_a_transaction_is_given_as_the_node_sent_it(node: SolanaRpc) -> None:
    """The result's JSON, with slot, block time, meta and transaction."""
    found = node.get_transaction(SIGNATURE)
    assert found is not None
    assert json.loads(found) == KNOWN["body"]["result"]


def test_a_transaction_that_the_node_does_not_know_is_none(node: SolanaRpc) -> None:
    """Not known is not an error: it may come."""
    assert node.get_transaction("1" * 88) is None


def test_the_newest_version_is_asked_for_always() -> None:
    """Without it a node refuses every transaction that is not legacy."""
    caller, asked = reader(httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": None}))
    caller.get_transaction(SIGNATURE)
    options = {"encoding": "json", "commitment": "confirmed", "maxSupportedTransactionVersion": 1}
    assert json.loads(asked[0].content) == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "getTransaction",
        "params": [SIGNATURE, options],
    }


def test_an_overloaded_node_is_asked_again_later(node: SolanaRpc) -> None:
    """A real reply of an overloaded provider."""
    with pytest.raises(TryLater, match="account index service overloaded"):
        node.get_transaction("2" * 88)


def test_the_time_of_a_slot_is_in_utc(node: SolanaRpc) -> None:
    """To the second, as the chain has it; none for a slot without one."""
    assert node.get_block_time(SLOT) == datetime.fromtimestamp(KNOWN["body"]["result"]["blockTime"], UTC)
    assert node.get_block_time(1) is None


def test_a_skipped_slot_has_no_time(node: SolanaRpc) -> None:
    """The node's error for it is an answer."""
    assert node.get_block_time(2) is None


def test_what_a_node_has_thrown_away_is_refused(node: SolanaRpc) -> None:
    """Another node must be asked: repeating does not help."""
    with pytest.raises(Refused, match="-32001 Block 3 cleaned up"):
        node.get_block_time(3)


LATER = [-32603, -32004, -32005, -32014, -32016, -32019, -32029, -32429, 429]
NEVER = [
    -32700,
    -32600,
    -32601,
    -32602,
    -32001,
    -32002,
    -32003,
    -32006,
    -32008,
    -32010,
    -32011,
    -32012,
    -32013,
    -32015,
    -32021,
    12345,
]


@pytest.mark.parametrize(
    ("code", "kind"), [*((code, TryLater) for code in LATER), *((code, Refused) for code in NEVER)]
)
def test_every_error_code_says_what_to_do(code: int, kind: type[ClientError]) -> None:
    """The table of the node's error codes; one that nobody knows is refused."""
    with pytest.raises(kind, match=str(code)):
        reader(error(code))[0].get_transaction(SIGNATURE)


def test_a_rate_limit_under_another_code_is_seen_by_its_words() -> None:
    """Providers are inventive."""
    with pytest.raises(TryLater):
        reader(error(-32097, "Rate limit exceeded for your plan"))[0].get_transaction(SIGNATURE)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'{"error": "no"}', b"\xff\xfe", b'{"error": {"message": "x"}}']
)
def test_what_is_not_json_rpc_is_malformed(body: bytes) -> None:
    """Half a reply, another shape, no JSON."""
    with pytest.raises(Malformed):
        reader(httpx.Response(200, content=body))[0].get_transaction(SIGNATURE)


@pytest.mark.parametrize("result", [b'"x"', b"1.5", b"1e400", b"{}", b"99999999999999999999", b""])
def test_a_time_that_is_none_is_malformed(result: bytes) -> None:
    """Seconds are a whole number within what a calendar holds."""
    with pytest.raises(Malformed):
        parse_block_time(result)


def test_the_key_in_the_address_is_not_told() -> None:
    """Some providers put it into the path."""
    with pytest.raises(Refused) as caught:
        reader(httpx.Response(403))[0].get_transaction(SIGNATURE)
    assert "secret-key-1234" not in str(caught.value)


def test_what_nobody_recorded_fails_and_says_how_to_record_it(node: SolanaRpc) -> None:
    """No test reaches the network by accident."""
    with pytest.raises(NotRecorded, match=r"python -m tests\.clients\.record solana_rpc getBlockTime '\[99\]'"):
        node.get_block_time(99)


def test_a_large_reply_is_not_decoded_twice() -> None:
    """The result is cut out of the reply as bytes: its numbers are never read."""
    raw = b'{"big": 123456789012345678901234567890, "exact": 1.10}'
    caller, _ = reader(httpx.Response(200, content=b'{"jsonrpc":"2.0","id":1,"result":' + raw + b"}"))
    assert caller.get_transaction(SIGNATURE) == raw
    assert msgspec.json.decode(raw)["exact"] == 1.1
