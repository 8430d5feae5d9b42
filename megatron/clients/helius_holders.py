"""Helius: who holds a mint, a thousand accounts a page.

Source: Helius, *getTokenAccounts* (DAS API) and *getProgramAccountsV2*, read 2026-11.
"""

from typing import Annotated, Any, Final, TypeVar

import httpx
import msgspec

from megatron.clients import costs, jsonrpc
from megatron.clients.bounds import possible_slot
from megatron.clients.errors import BudgetSpent, Malformed, TryLater
from megatron.clients.http import HttpClient
from megatron.clients.ports import HeldAccount, HolderList
from megatron.clients.token_accounts import (
    ACCOUNT_SLICE,
    TOKEN_PROGRAMS,
    Gathered,
    checked_amount,
    filters_of,
    parse_slice,
)

ADDRESS: Final = "https://mainnet.helius-rpc.com/"
PAGE: Final = 1_000
CHANGED_PAGE: Final = 10_000
MOST_CHANGED_PAGES: Final = 20
"""Who changed so often is listed anew instead."""
PER_SECOND: Final = 2.0
"""What the free plan allows of DAS calls."""

T = TypeVar("T")


class _Account(msgspec.Struct):
    address: str
    owner: str
    amount: Annotated[int, msgspec.Meta(ge=0)]


class _Page(msgspec.Struct):
    token_accounts: list[msgspec.Raw]
    cursor: str | None = None
    last_indexed_slot: int | None = None


class _Data(msgspec.Struct):
    data: tuple[str, str]


class _Changed(msgspec.Struct):
    pubkey: str
    account: _Data


class _ChangedPage(msgspec.Struct, rename="camel"):
    accounts: list[msgspec.Raw]
    pagination_key: str | None = None


class _Context(msgspec.Struct):
    slot: int


class _ChangedReply(msgspec.Struct):
    context: _Context
    value: _ChangedPage


_page = msgspec.json.Decoder(_Page)
_account = msgspec.json.Decoder(_Account)
_changed = msgspec.json.Decoder(_ChangedReply)
_changed_account = msgspec.json.Decoder(_Changed)


class HeliusHolders:
    """A :class:`~megatron.clients.ports.HolderSource` of ``getTokenAccounts``, 10 credits a page (2026-11)."""

    origin = "helius_rpc"

    def __init__(
        self,
        api_key: str,
        *,
        url: str = ADDRESS,
        per_second: float = PER_SECOND,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = HttpClient(
            "helius",
            base_url=f"{url}?api-key={api_key}",
            per_second=per_second,
            secrets=(api_key,),
            most_bytes=64 << 20,
            transport=transport,
        )

    def get_holders(self, mint: str, *, program: str | None, most: int, min_slot: int) -> HolderList:  # noqa: ARG002  # the port asks
        """Return the accounts with a balance, page by page until one is empty or names no next one, or ``most`` are had.

        The index may stand still between pages, or move: the list counts as of the lowest slot that a page names. However
        short the pages are, no more than four times as many are asked for as full ones would be, and none that the caller's
        credits do not pay for. Raises ``Malformed`` for pages that do not go on.
        """
        found = Gathered("getTokenAccounts", most_pages=4 * (-(-most // PAGE) + 1))
        slots: list[int] = []
        cursor = None
        while found.wants_more(most):
            try:
                page = self._page(mint, cursor)
            except BudgetSpent as error:
                found.stop(error)
                break
            slots.append(_slot(page))
            cursor = page.cursor
            if not found.add(page.token_accounts, cursor, _held):
                break
        if min(slots) < min_slot:
            raise TryLater(f"helius: getTokenAccounts: the index stands at slot {min(slots)}, not yet at {min_slot}")
        cost = found.pages * costs.credits_of("helius", "getTokenAccounts")
        accounts = [one for one in found.accounts.values() if one.raw]
        return HolderList(slot=min(slots), accounts=accounts, missing=found.missing, credits=cost)

    def get_changed(self, mint: str, *, program: str | None, since_slot: int) -> HolderList | None:
        """Return the accounts that changed after ``since_slot``, by ``getProgramAccountsV2``."""
        accounts: list[HeldAccount] = []
        slots: list[int] = []
        missing, calls = "", 0
        for asked in [program] if program else TOKEN_PROGRAMS:
            found = Gathered("getProgramAccountsV2", most_pages=MOST_CHANGED_PAGES)
            key = None
            while found.wants_more():
                try:
                    reply = self._changed(asked, mint, since_slot, key)
                except BudgetSpent as error:
                    found.stop(error)
                    break
                slots.append(possible_slot(reply.context.slot, who="helius"))
                key = reply.value.pagination_key
                if not found.add(reply.value.accounts, key, _held_slice):
                    break
            accounts += found.accounts.values()
            missing, calls = missing or found.missing, calls + found.pages
        cost = calls * costs.credits_of("helius", "getProgramAccountsV2")
        return HolderList(slot=min(slots), accounts=accounts, missing=missing, credits=cost)

    def _page(self, mint: str, cursor: str | None) -> _Page:
        asked = {"mint": mint, "limit": PAGE, "options": {"showZeroBalance": False}}
        return _decoded(_page, self._ask("getTokenAccounts", asked | ({"cursor": cursor} if cursor else {})), "holders")

    def _changed(self, program: str, mint: str, since_slot: int, key: str | None) -> _ChangedReply:
        options = {
            "encoding": "base64",
            "commitment": "confirmed",
            "withContext": True,
            "limit": CHANGED_PAGE,
            "changedSinceSlot": since_slot,
            "filters": filters_of(program, mint),
            "dataSlice": ACCOUNT_SLICE,
        }
        asked = [program, options | ({"paginationKey": key} if key else {})]
        return _decoded(_changed, self._ask("getProgramAccountsV2", asked), "changed accounts")

    def _ask(self, method: str, params: Any) -> bytes:
        body = self._http.read("POST", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        told = f"helius: {method}"
        return jsonrpc.result_of(jsonrpc.parse_reply(body, told), body, told)


def _held(item: bytes) -> HeldAccount:
    one = _decoded(_account, item, "a holder")
    return HeldAccount(address=one.address, owner=one.owner, raw=checked_amount(one.amount, "helius"))


def _held_slice(item: bytes) -> HeldAccount | None:
    one = _decoded(_changed_account, item, "a changed account")
    return parse_slice(one.pubkey, one.account.data, "helius")


def _slot(page: _Page) -> int:
    if page.last_indexed_slot is None:
        raise Malformed("helius: getTokenAccounts does not say as of which slot")
    return page.last_indexed_slot


def _decoded(decoder: msgspec.json.Decoder[T], result: bytes, wanted: str) -> T:
    try:
        return decoder.decode(result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"helius: not {wanted}: {error}: {result[:100]!r}") from error
