"""Token accounts of SPL Token and Token-2022 as bytes, and how to ask a node for those of one mint.

Layout (both programs): mint 0, owner 32, amount u64 64, state 108; 165 bytes. Token-2022 adds a type byte at 165 (2 is an
account) and extensions, so its accounts are 170 bytes and more and no size finds them.
"""

from binascii import Error as BadBase64
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from megatron.clients.errors import BudgetSpent, Malformed
from megatron.clients.ports import HeldAccount
from megatron.core import base58

TOKEN: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # a program's address
TOKEN_2022: Final = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # a program's address
TOKEN_PROGRAMS: Final = (TOKEN, TOKEN_2022)
SIZE: Final = 165
ACCOUNT_SLICE: Final = {"offset": 32, "length": SIZE + 1 - 32}
"""From the owner to the type byte."""
_OWNER, _AMOUNT, _STATE, _TYPE = slice(0, 32), slice(32, 40), 108 - 32, SIZE - 32
_UNINITIALIZED, _ACCOUNT = 0, 2
_MOST: Final = 2**64 - 1
"""Base units that one account can hold."""


def filters_of(program: str, mint: str) -> list[dict[str, Any]]:
    """Return the filters by which ``program``'s accounts of ``mint`` are asked for."""
    of_mint = {"memcmp": {"offset": 0, "bytes": mint}}
    return [{"dataSize": SIZE}, of_mint] if program == TOKEN else [of_mint]


def parse_slice(address: str, data: tuple[str, str], told: str) -> HeldAccount | None:
    """Return the account in a :data:`ACCOUNT_SLICE` in base64; ``None`` for what is no token account in use.

    Raises ``Malformed``, saying ``told``.
    """
    text, encoding = data
    try:
        content = a2b_base64(text, strict_mode=True)
    except BadBase64 as error:
        raise Malformed(f"{told}: an account's data is not base64: {error}") from error
    if encoding != "base64":
        raise Malformed(f"{told}: an account's data is {encoding[:20]!r}, not base64")
    if len(content) < SIZE - 32:  # something else of the same program that begins with the mint's key
        return None
    if len(content) > _TYPE and content[_TYPE] != _ACCOUNT:
        return None
    if content[_STATE] == _UNINITIALIZED:
        return None
    raw = int.from_bytes(content[_AMOUNT], "little")
    return HeldAccount(address=address, owner=base58.encode(content[_OWNER]), raw=raw)


def checked_amount(raw: int, told: str) -> int:
    """Return base units that an account can hold. Raises ``Malformed``, saying ``told``, for others."""
    if not 0 <= raw <= _MOST:
        raise Malformed(f"{told}: {raw} is no balance")
    return raw


class Gathered:
    """Token accounts of a list that comes in pages, one an address; what cannot be read harms only itself.

    ``missing`` says in words why the list may not be whole, and is empty where it is.
    """

    def __init__(self, method: str, *, most_pages: int) -> None:
        self.accounts: dict[str, HeldAccount] = {}
        self.pages = 0
        self.missing = ""
        self._method, self._most_pages = method, most_pages
        self._cursors: set[str] = set()
        self._unread = 0

    def wants_more(self, most: int | None = None) -> bool:
        """Say whether another page is to be asked for: not once ``most`` accounts with a balance are had, nor for ever."""
        had = sum(1 for one in self.accounts.values() if one.raw)
        if self.pages and most is not None and had >= most:
            self.missing = self.missing or f"Only the first {had} accounts were asked for"
        elif self.pages >= self._most_pages:
            self.missing = self.missing or f"Only the first {self.pages} pages were asked for, with {had} accounts"
        else:
            return True
        return False

    def add(
        self, items: Sequence[msgspec.Raw], cursor: str | None, read: Callable[[bytes], HeldAccount | None]
    ) -> bool:
        """Take a page; return whether another follows. ``read`` returns ``None`` for what is no account in use.

        Raises ``Malformed`` for a page of which nothing can be read, that brings nothing new, or that asks for a page which
        was asked for before.
        """
        self.pages += 1
        found, unread = [], 0
        for item in items:
            try:
                found.append(read(bytes(item)))
            except Malformed:
                unread += 1
        if items and unread == len(items):
            raise Malformed(f"{self._method}: none of {unread} accounts can be read: {bytes(items[0])[:100]!r}")
        if unread:
            self._unread += unread
            self.missing = f"{self._unread} accounts could not be read"
        held = [one for one in found if one is not None]
        if held and all(one.address in self.accounts for one in held):
            raise Malformed(f"{self._method}: page {self.pages} names only accounts that were named before")
        self.accounts |= {one.address: one for one in held}
        if not items or not cursor:
            return False
        if cursor in self._cursors:
            raise Malformed(f"{self._method}: page {self.pages} leads back to a page that was read")
        self._cursors.add(cursor)
        return True

    def stop(self, reason: BudgetSpent) -> None:
        """Note that the next page was not paid for. Raises ``reason`` where no page was read at all."""
        if not self.pages:
            raise reason
        self.missing = f"{len(self.accounts)} accounts were read: {reason}"
