import json
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from megatron.clients.errors import ClientError, Malformed, Refused, TryLater
from megatron.clients.ports import UNREAD, Account, Landed, Status
from megatron.clients.solana_rpc import (
    SolanaRpc,
    parse_account,
    parse_block_time,
    parse_blocks,
    parse_signatures,
    parse_slot,
    parse_statuses,
)
from tests.clients.recorded import RECORDINGS, NotRecorded, answers, replay

PROGRAM = "6EF8rrecthR5Dkzon8Nwu78hRvfCKubJ14M5uBEwF6P"
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


def test_a_transaction_without_its_outcome_is_not_known_yet() -> None:
    """Meta of null says nothing about success: the transaction is asked for again later."""
    caller, _ = reader(httpx.Response(200, content=b'{"jsonrpc":"2.0","id":1,"result":{"slot":7,"meta":null}}'))
    assert caller.get_transaction(SIGNATURE) is None


def test_a_large_reply_is_not_decoded_twice() -> None:
    """The result is cut out of the reply as bytes: its numbers are never read."""
    raw = b'{"big": 123456789012345678901234567890, "exact": 1.10, "transaction": {}, "meta": {}}'
    caller, _ = reader(httpx.Response(200, content=b'{"jsonrpc":"2.0","id":1,"result":' + raw + b"}"))
    assert caller.get_transaction(SIGNATURE) == raw
    assert msgspec.json.decode(raw)["exact"] == 1.1


def result(value: Any) -> httpx.Response:
    return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": value})


def test_the_newest_slot_depends_on_how_settled_it_must_be(node: SolanaRpc) -> None:
    """Finalized ones are some slots behind the confirmed ones."""
    assert (node.get_slot(finalized=False), node.get_slot(finalized=True)) == (435948490, 435948458)


def test_the_oldest_block_that_a_node_keeps_is_its_own_word() -> None:
    """Asked for by its own method; what is no slot is malformed."""
    caller, asked = reader(result(435_000_000), result(-1))
    assert caller.get_first_slot() == 435_000_000
    assert json.loads(asked[0].content)["method"] == "getFirstAvailableBlock"
    with pytest.raises(Malformed):
        caller.get_first_slot()


def test_signatures_are_listed_newest_first(node: SolanaRpc) -> None:
    """With whether they failed, and the time where the node has it; absent bounds are not sent."""
    found = node.get_signatures(PROGRAM, before=None, until="1" * 88, limit=2, finalized=True, min_slot=435948400)
    assert found == [
        Landed(SIGNATURE, 435948490, failed=False, block_time=datetime(2026, 7, 29, 12, 36, 24, tzinfo=UTC)),
        Landed("3" * 88, 435948489, failed=True, block_time=None),
    ]


def test_a_page_goes_on_before_a_signature() -> None:
    """Both bounds are the node's own."""
    caller, asked = reader(result([]))
    assert caller.get_signatures(PROGRAM, before="a", until="b", limit=1000, finalized=False, min_slot=7) == []
    assert json.loads(asked[0].content)["params"] == [
        PROGRAM,
        {"limit": 1000, "commitment": "confirmed", "minContextSlot": 7, "before": "a", "until": "b"},
    ]


def test_a_node_that_is_behind_lists_nothing(node: SolanaRpc) -> None:
    """Its answer is not taken for the chain's: it is asked again later."""
    with pytest.raises(TryLater, match="-32016"):
        node.get_signatures(PROGRAM, before=None, until=None, limit=2, finalized=False, min_slot=435999999)


def test_a_node_that_says_it_is_behind_is_asked_later() -> None:
    """Under whatever code it says so."""
    with pytest.raises(TryLater):
        reader(error(-32099, "Node is behind by 200 slots"))[0].get_slot(finalized=True)


def test_statuses_come_in_the_order_of_the_question(node: SolanaRpc) -> None:
    """Finalized, failed, confirmed only, and unknown; with the slot as of which that holds."""
    assert node.get_statuses([SIGNATURE, "3" * 88, "4" * 88, "5" * 88]) == (
        435948600,
        [
            Status(435948490, failed=False, finalized=True),
            Status(435948489, failed=True, finalized=True),
            Status(435948599, failed=False, finalized=False),
            None,
        ],
    )


def test_a_status_too_few_is_malformed() -> None:
    """Else one signature's status would be taken for another's."""
    with pytest.raises(Malformed, match="1 statuses of 2 signatures"):
        reader(result({"context": {"slot": 1}, "value": [None]}))[0].get_statuses(["a", "b"])


def test_slots_without_a_block_are_left_out(node: SolanaRpc) -> None:
    """At the end of the range too, if the node is past it."""
    assert node.get_blocks(435948440, 435948445) == [435948440, 435948441, 435948443, 435948444]
    assert node.get_blocks(435948442, 435948442) == []


@pytest.mark.parametrize("listed", [[], [10], [10, 11]])
def test_an_end_that_a_lagging_node_leaves_out_is_not_believed(listed: list[int]) -> None:
    """A node that has not finalized the last slot says nothing of it; that is not the chain's word."""
    caller, asked = reader(result(listed), result(11))
    with pytest.raises(TryLater, match="finalized slot 11, not yet 12"):
        caller.get_blocks(10, 12)
    assert [json.loads(request.content)["method"] for request in asked] == ["getBlocks", "getSlot"]


def test_a_whole_range_is_asked_once() -> None:
    """When the last slot has a block the node is past it."""
    caller, asked = reader(result([10, 12]))
    assert caller.get_blocks(10, 12) == [10, 12]
    assert len(asked) == 1


@pytest.mark.parametrize("listed", [[12, 11], [11, 11], [9, 10], [11, 13], ["10"], None, {}, 5])
def test_a_list_of_other_slots_is_malformed(listed: Any) -> None:
    """Slots ascend, within what was asked."""
    with pytest.raises(Malformed):
        reader(result(listed))[0].get_blocks(10, 12)


def test_a_block_is_given_as_the_node_sent_it(node: SolanaRpc) -> None:
    """With its time and its transactions; none for a slot that was skipped."""
    found = node.get_block(435948440, finalized=True)
    assert found is not None
    assert json.loads(found)["blockTime"] == 1785328570
    assert node.get_block(435948442, finalized=True) is None


@pytest.mark.parametrize("slot", [435948499, 435948498])
def test_a_block_that_is_not_final_yet_is_asked_for_later(node: SolanaRpc, slot: int) -> None:
    """Not there yet is not the same as none: the node's error, and the null that some say instead."""
    with pytest.raises(TryLater):
        node.get_block(slot, finalized=True)


def test_a_block_may_be_long() -> None:
    """Longer than any other reply: 64 MiB."""
    raw = b'{"transactions":["' + b"x" * (20 << 20) + b'"]}'
    caller, _ = reader(httpx.Response(200, content=b'{"jsonrpc":"2.0","id":1,"result":' + raw + b"}"))
    assert caller.get_block(1, finalized=True) == raw


def test_an_account_is_its_bytes(node: SolanaRpc) -> None:
    """With the slot as of which they are; none for an address without one."""
    assert node.get_account(PROGRAM) == Account(
        435948458, "BPFLoaderUpgradeab1e11111111111111111111111", bytes.fromhex("02000000b4df4641")
    )
    assert node.get_account("1" * 32) is None


@pytest.mark.parametrize(
    ("parse", "raw"),
    [
        (parse_slot, b"null"),
        (parse_slot, b"-1"),
        (parse_slot, b'"1"'),
        (parse_slot, b"<html>"),
        (parse_signatures, b"null"),
        (parse_signatures, b'[{"slot":1}]'),
        (parse_signatures, b'[{"signature":"a","slot":1,"blockTime":99999999999999}]'),
        (parse_signatures, b'[{"signature":"a","slot":-1}]'),
        (parse_statuses, b"null"),
        (parse_statuses, b'{"context":{"slot":1},"value":null}'),
        (parse_statuses, b'{"value":[null]}'),
        (parse_blocks, b"null"),
        (parse_account, b"null"),
        (parse_account, b'{"value":null}'),
        (parse_account, b'{"context":{"slot":1},"value":{"owner":"a","data":["?","base64"]}}'),
        (parse_account, b'{"context":{"slot":1},"value":{"owner":"a","data":["aa","base58"]}}'),
        (parse_account, b'{"context":{"slot":1},"value":{"owner":"a","data":{"parsed":{}}}}'),
    ],
)
def test_a_result_of_another_shape_is_malformed(parse: Any, raw: bytes) -> None:
    """Null where it means nothing, a negative slot, another encoding than was asked for."""
    with pytest.raises(Malformed):
        parse(raw)


def test_a_skipped_slot_is_an_answer_only_where_a_slot_was_asked() -> None:
    """Elsewhere the code makes no sense, and is refused."""
    with pytest.raises(Refused, match="-32007"):
        reader(error(-32007))[0].get_account(PROGRAM)


def test_balances_are_lamports_in_the_order_of_the_addresses() -> None:
    """None for who has no account."""
    value = [{"lamports": 5, "data": ["", "base64"], "owner": "1" * 32}, None]
    caller, asked = reader(httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": {"value": value}}))
    assert caller.get_balances(["a", "b"]) == [5, None]
    assert json.loads(asked[0].content)["params"][1]["dataSlice"] == {"offset": 0, "length": 0}


@pytest.mark.parametrize("odd", [{"lamports": -1}, {"lamports": "1"}, {}, "x", 5, [None]])
def test_truth_13_a_balance_that_cannot_be_read_harms_only_itself(odd: Any) -> None:
    """It is neither nothing nor no account; the others count."""
    reply = httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": {"value": [{"lamports": 5}, odd, None]}})
    assert reader(reply)[0].get_balances(["a", "b", "c"]) == [5, UNREAD, None]


@pytest.mark.parametrize("value", [[None], None])
def test_balances_of_another_shape_are_malformed(value: Any) -> None:
    """One too few, and nothing."""
    reply = httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": {"value": value}})
    with pytest.raises(Malformed):
        reader(reply)[0].get_balances(["a", "b"])


_SIGNED = "5" * 88


@pytest.mark.parametrize(
    ("parse", "raw"),
    [
        (parse_slot, b"9223372036854775807"),
        (parse_slot, b"9007199254740992"),
        (parse_block_time, b"4102444799"),
        (parse_block_time, b"0"),
        (parse_signatures, f'[{{"signature":"{_SIGNED}","slot":9223372036854775807}}]'.encode()),
        (parse_signatures, f'[{{"signature":"{_SIGNED}","slot":1,"blockTime":4102444799}}]'.encode()),
        (parse_signatures, f'[{{"signature":"{_SIGNED}5","slot":1}}]'.encode()),
        (parse_signatures, f'[{{"signature":"\\u0000{_SIGNED[1:]}","slot":1}}]'.encode()),
        (parse_statuses, b'{"context":{"slot":9223372036854775807},"value":[]}'),
        (parse_account, b'{"context":{"slot":9223372036854775807},"value":{"owner":"a","data":["","base64"]}}'),
    ],
)
def test_truth_04_a_slot_a_time_or_a_signature_that_cannot_be_is_malformed(parse: Any, raw: bytes) -> None:
    """No cursor, settled slot or snapshot moves to where the chain cannot be."""
    with pytest.raises(Malformed):
        parse(raw)
