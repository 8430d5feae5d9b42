"""Who holds a mint, as a node lists it. Replies are hand-made after the programs' published layouts."""

import json

import httpx
import pytest

from megatron.clients.errors import Malformed, TryLater
from megatron.clients.solana_holders import SolanaHolders
from megatron.clients.solana_rpc import SolanaRpc
from megatron.clients.token_accounts import TOKEN, TOKEN_2022
from megatron.core import base58
from tests.clients.recorded import answers
from tests.clients.test_helius_holders import MINT, reply, token_account
from tests.factories import address

OWNER = bytes(range(32))


def holders(*replies: httpx.Response) -> tuple[SolanaHolders, list[httpx.Request]]:
    transport, asked = answers(*replies)
    return SolanaHolders(SolanaRpc("http://node.example", per_second=1000, transport=transport)), asked


def accounts(*items: dict[str, object], slot: int = 100) -> httpx.Response:
    value = [{"pubkey": address(f"account {place}"), "account": item} for place, item in enumerate(items)]
    return reply({"context": {"slot": slot}, "value": value})


def test_accounts_of_both_programs_are_asked_for() -> None:
    """SPL Token accounts are found by their size, Token-2022's by the mint alone; what is no account, is empty or not in use
    is left out."""
    source, asked = holders(
        accounts(token_account(OWNER, 2**64 - 1), token_account(OWNER, 0), token_account(OWNER, 3, state=0)),
        accounts(token_account(OWNER, 5, kind=2), token_account(OWNER, 6, kind=1), token_account(OWNER, 9), slot=99),
    )
    found = source.get_holders(MINT, program=None, most=1, min_slot=90)
    assert [one.raw for one in found.accounts] == [2**64 - 1, 5, 9]
    assert {one.owner for one in found.accounts} == {base58.encode(OWNER)}
    assert (found.slot, found.missing) == (99, "")
    programs = [json.loads(request.content)["params"] for request in asked]
    of_mint = {"memcmp": {"offset": 0, "bytes": MINT}}
    assert [(program, options["filters"]) for program, options in programs] == [
        (TOKEN, [{"dataSize": 165}, of_mint]),
        (TOKEN_2022, [of_mint]),
    ]
    assert {options["minContextSlot"] for _, options in programs} == {90}
    assert programs[0][1]["dataSlice"] == {"offset": 32, "length": 134}


def test_a_known_program_is_asked_alone() -> None:
    """A mint belongs to one program: where it is known, one call is enough. A plain node does not know what changed."""
    source, asked = holders(accounts(token_account(OWNER, 5, kind=2)))
    assert len(source.get_holders(MINT, program=TOKEN_2022, most=9, min_slot=0).accounts) == 1
    assert [json.loads(request.content)["params"][0] for request in asked] == [TOKEN_2022]
    assert source.get_changed(MINT, program=TOKEN_2022, since_slot=1) is None
    assert source.origin == "solana_rpc"


def test_a_node_that_is_behind_is_asked_later() -> None:
    """An answer as of an older slot than was asked for is none."""
    source, _ = holders(accounts(slot=89))
    with pytest.raises(TryLater, match="slot 89, not yet at 90"):
        source.get_holders(MINT, program=TOKEN, most=9, min_slot=90)


@pytest.mark.parametrize("data", [["@", "base64"], ["", "zstd"]])
def test_data_in_another_shape_is_malformed(data: list[str]) -> None:
    """Bytes that cannot be read are an error, not an empty account."""
    source, _ = holders(accounts({"data": data, "owner": TOKEN}), reply([]))
    with pytest.raises(Malformed):
        source.get_holders(MINT, program=TOKEN, most=9, min_slot=0)


def test_a_reply_without_a_slot_is_malformed() -> None:
    """A list that does not say when it holds is no list."""
    source, _ = holders(reply([]))
    with pytest.raises(Malformed, match="not a program's accounts"):
        source.get_holders(MINT, program=TOKEN, most=9, min_slot=0)


@pytest.mark.parametrize("odd", [None, 5, "x", {}, {"pubkey": "a"}, {"pubkey": 5, "account": {"data": ["", "base64"]}}])
def test_truth_13_an_odd_account_harms_only_itself(odd: object) -> None:
    """The others are listed, and the list says that one is missing: it corrects nobody's balance."""
    good = {"pubkey": address("a"), "account": token_account(OWNER, 5)}
    source, _ = holders(reply({"context": {"slot": 100}, "value": [good, odd]}))
    found = source.get_holders(MINT, program=TOKEN, most=9, min_slot=0)
    assert ([one.raw for one in found.accounts], found.missing) == ([5], "1 accounts could not be read")
