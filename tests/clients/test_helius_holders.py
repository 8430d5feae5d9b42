"""Who holds a mint, as Helius lists it. Replies are hand-made after the vendor's documentation."""

import json
from base64 import b64encode

import httpx
import pytest

from megatron.clients import meter
from megatron.clients.errors import BudgetSpent, Malformed, Refused, TryLater
from megatron.clients.helius_holders import MOST_CHANGED_PAGES, HeliusHolders
from megatron.clients.ports import HeldAccount, HolderList
from megatron.clients.token_accounts import TOKEN, TOKEN_2022
from megatron.core import base58
from tests.clients.recorded import answers
from tests.factories import address

MINT = address("mint")
KEY = "a1b2c3d4-e5f6-7890"


def reply(result: object) -> httpx.Response:
    return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": result})


def page(names: list[str], *, cursor: str | None, slot: int = 100, amount: int = 5) -> httpx.Response:
    accounts = [
        {"address": address(f"account {name}"), "mint": MINT, "owner": address(name), "amount": amount, "frozen": False}
        for name in names
    ]
    return reply({"total": 2, "limit": 1000, "cursor": cursor, "token_accounts": accounts, "last_indexed_slot": slot})


def token_account(owner: bytes, raw: int, *, kind: int | None = None, state: int = 1) -> dict[str, object]:
    """Return an account as the sliced data of a node has it; ``kind`` is the type byte of Token-2022."""
    content = owner + raw.to_bytes(8, "little") + bytes(36) + bytes([state]) + bytes(56)
    content += b"" if kind is None else bytes([kind])
    return {"data": [b64encode(content).decode(), "base64"], "owner": TOKEN}


def test_pages_are_read_by_cursor_until_there_is_none() -> None:
    """Each page continues where the last one ended; empty accounts are left out, and the list holds at the lowest slot."""
    transport, asked = answers(
        page(["ann", "bob"], cursor="c1", slot=101), page(["cy"], cursor="c2"), page(["dan"], cursor=None, amount=0)
    )
    source = HeliusHolders(KEY, transport=transport)
    found = source.get_holders(MINT, program=None, most=100, min_slot=99)
    assert found.accounts == [
        HeldAccount(address=address(f"account {name}"), owner=address(name), raw=5) for name in ("ann", "bob", "cy")
    ]
    assert (found.slot, found.missing, found.credits) == (100, "", 30)
    params = [json.loads(request.content)["params"] for request in asked]
    assert params[0] == {"mint": MINT, "limit": 1000, "options": {"showZeroBalance": False}}
    assert [one.get("cursor") for one in params] == [None, "c1", "c2"]
    assert source.origin == "helius_rpc"


def test_a_list_that_is_cut_short_says_so() -> None:
    """When enough accounts are had and there are more, the list says that some are missing."""
    transport, asked = answers(page(["ann", "bob"], cursor="c1"))
    found = HeliusHolders(KEY, transport=transport).get_holders(MINT, program=None, most=2, min_slot=0)
    assert (found.missing, len(asked)) == ("Only the first 2 accounts were asked for", 1)


def test_a_list_that_ends_with_a_full_page_is_complete() -> None:
    """Exactly as many accounts as were asked for, and no cursor, is all of them."""
    transport, _ = answers(page(["ann", "bob"], cursor=None))
    assert HeliusHolders(KEY, transport=transport).get_holders(MINT, program=None, most=2, min_slot=0).missing == ""


def test_an_index_that_is_behind_is_asked_later() -> None:
    """What a lagging index says is not taken for the chain's."""
    transport, _ = answers(page(["ann"], cursor=None, slot=99))
    with pytest.raises(TryLater, match="slot 99, not yet at 100"):
        HeliusHolders(KEY, transport=transport).get_holders(MINT, program=None, most=9, min_slot=100)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply({"token_accounts": [], "cursor": None}), Malformed),
        (reply({"token_accounts": [{"address": "a", "owner": "b", "amount": -1}], "last_indexed_slot": 1}), Malformed),
        (reply([1]), Malformed),
        (httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "no"}}), Refused),
    ],
)
def test_what_is_no_list_is_refused(answer: httpx.Response, error: type[Exception]) -> None:
    """A reply without a slot, with a negative amount or of another shape is told apart from an empty list, without the
    key."""
    transport, _ = answers(answer)
    with pytest.raises(error) as caught:
        HeliusHolders(KEY, transport=transport).get_holders(MINT, program=None, most=9, min_slot=0)
    assert KEY not in str(caught.value)


def test_changed_accounts_are_asked_since_a_slot() -> None:
    """Accounts that changed are listed with what they hold now, zero included; both token programs are asked."""
    owner = bytes(range(32))
    first = {"pubkey": address("a"), "account": token_account(owner, 0)}
    second = {"pubkey": address("b"), "account": token_account(owner, 7, kind=2)}
    transport, asked = answers(
        reply({"context": {"slot": 120}, "value": {"accounts": [first], "paginationKey": None}}),
        reply({"context": {"slot": 121}, "value": {"accounts": [second], "paginationKey": "k"}}),
        reply({"context": {"slot": 122}, "value": {"accounts": [], "paginationKey": None}}),
    )
    found = HeliusHolders(KEY, transport=transport).get_changed(MINT, program=None, since_slot=110)
    assert found is not None
    assert [(one.address, one.owner, one.raw) for one in found.accounts] == [
        (address("a"), base58.encode(owner), 0),
        (address("b"), base58.encode(owner), 7),
    ]
    assert (found.slot, found.missing) == (120, "")
    params = [json.loads(request.content)["params"] for request in asked]
    assert [one[0] for one in params] == [TOKEN, TOKEN_2022, TOKEN_2022]
    assert {one[1]["changedSinceSlot"] for one in params} == {110}
    assert params[2][1]["paginationKey"] == "k"


def holders(transport: httpx.MockTransport, *, most: int = 10_000) -> HolderList:
    source = HeliusHolders(KEY, transport=transport)
    source._http._budget._pause = 0  # the budget of calls is tested by itself
    return source.get_holders(MINT, program=None, most=most, min_slot=0)


def test_truth_10_a_short_page_of_holders_is_not_the_last() -> None:
    """Pages of one account each, and an empty one: that is the end, though it names a next one."""
    transport, asked = answers(*[page([f"w{n}"], cursor=f"c{n}") for n in range(5)], page([], cursor="more"))
    found = holders(transport)
    assert ([one.owner for one in found.accounts], found.missing) == ([address(f"w{n}") for n in range(5)], "")
    assert (len(asked), found.credits) == (6, 60)


@pytest.mark.parametrize(
    "pages",
    [
        [page(["a"], cursor="c")],
        [page(["a"], cursor="c"), page(["b"], cursor="c"), page(["d"], cursor="c")],
        [page(["a"], cursor="c1"), page(["b"], cursor="c2"), page(["d"], cursor="c1"), page(["e"], cursor="c9")],
        [page(["a"], cursor="c1", amount=0), page(["a"], cursor="c2", amount=0), page(["a"], cursor="c3", amount=0)],
    ],
    ids=["the same page", "the same cursor", "a cycle of cursors", "nothing new under new cursors"],
)
def test_truth_12_pages_of_holders_that_do_not_go_on_are_a_fault(pages: list[httpx.Response]) -> None:
    """Told with the third call at the latest, ten credits each: never asked for until somebody notices."""
    transport, asked = answers(*pages)
    with pytest.raises(Malformed):
        holders(transport)
    assert len(asked) <= 3


def test_truth_12_pages_of_holders_have_a_ceiling() -> None:
    """A source that makes up one empty account a page, for ever, is asked for no more than four times the pages that full
    ones would be; the list says that it is not whole."""
    asked = 0

    def answer(_request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return page([f"w{asked}"], cursor=f"c{asked}", amount=asked % 2)

    found = holders(httpx.MockTransport(answer), most=1_000)
    assert (asked, found.credits, found.missing) == (8, 80, "Only the first 8 pages were asked for, with 4 accounts")


def test_truth_12_pages_of_holders_look_at_the_credits() -> None:
    """With 25 credits two pages are paid for: what they hold is the list, and it is not whole."""
    transport, asked = answers(*[page([f"w{n}"], cursor=f"c{n}") for n in range(9)])
    with meter.tally(most=25):
        found = holders(transport)
    assert (len(asked), len(found.accounts), found.credits) == (2, 2, 20)
    assert "25 credits" in found.missing
    with meter.tally(most=9), pytest.raises(BudgetSpent):
        holders(transport)


def test_truth_12_changed_accounts_have_a_ceiling() -> None:
    """The key that leads back, and keys without end."""
    first = {"pubkey": address("a"), "account": token_account(bytes(32), 1)}
    source_page = {"context": {"slot": 9}, "value": {"accounts": [first], "paginationKey": "k"}}
    transport, asked = answers(reply(source_page))
    source = HeliusHolders(KEY, transport=transport)
    source._http._budget._pause = 0
    with pytest.raises(Malformed):
        source.get_changed(MINT, program=TOKEN, since_slot=1)
    assert len(asked) == 2
    calls = 0

    def endless(_request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        one = {"pubkey": address(f"a{calls}"), "account": token_account(bytes(32), 1)}
        return reply({"context": {"slot": 9}, "value": {"accounts": [one], "paginationKey": f"k{calls}"}})

    source = HeliusHolders(KEY, transport=httpx.MockTransport(endless))
    source._http._budget._pause = 0
    found = source.get_changed(MINT, program=TOKEN, since_slot=1)
    assert found is not None
    assert (calls, found.missing != "") == (MOST_CHANGED_PAGES, True)


@pytest.mark.parametrize(
    "odd",
    [None, "x", {}, {"address": "a", "owner": "b", "amount": -1}, {"address": "a", "owner": "b", "amount": 2**64}],
)
def test_truth_13_an_odd_holder_harms_only_itself(odd: object) -> None:
    """The others are listed, and the list is not whole."""
    good = {"address": address("x"), "owner": address("ann"), "amount": 5}
    transport, _ = answers(reply({"token_accounts": [good, odd], "cursor": None, "last_indexed_slot": 7}))
    found = holders(transport)
    assert ([one.owner for one in found.accounts], found.missing) == ([address("ann")], "1 accounts could not be read")
