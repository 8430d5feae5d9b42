"""Lists of holders in files: ``[{"address": …, "amount": …}, …]``, as explorers and scripts save them."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from megatron.core import base58

_KEY_BYTES = 32
_U64 = 2**64


class ListMalformed(ValueError):
    """A file is no list of holders; the message says which item is wrong, and how."""


class Listed(NamedTuple):
    """One item: the account, whose it is (itself, where the file names no ``owner``), and base units."""

    address: str
    owner: str
    raw: int


def parse(content: bytes) -> Sequence[Listed]:
    """Return the items of a file, in its order. Amounts are base units: whole numbers, or such numbers as text.

    A reply of ``getTokenAccounts`` (an object with ``token_accounts``) is read, too. Raises :class:`ListMalformed`.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ListMalformed(f"The file is not JSON: {error}.") from error
    if isinstance(found, dict):
        found = found.get("result", found)
        found = found.get("token_accounts") if isinstance(found, dict) else None
    if not isinstance(found, list):
        raise ListMalformed('The file is no list of holders: expected [{"address": …, "amount": …}, …].')
    items = [_item(number, item) for number, item in enumerate(found, 1)]
    seen: dict[str, int] = {}
    for number, item in enumerate(items, 1):
        if item.address in seen:
            raise ListMalformed(f"Item {number} names {item.address} again, which item {seen[item.address]} has.")
        seen[item.address] = number
    if sum(item.raw for item in items) >= _U64:
        raise ListMalformed("The amounts add up to more than one mint can have (2⁶⁴ base units or more).")
    return items


def _item(number: int, item: Any) -> Listed:
    if not isinstance(item, dict):
        raise ListMalformed(f"Item {number} is no object with address and amount.")
    address = _address(number, "address", item.get("address"))
    owner = _address(number, "owner", item["owner"]) if item.get("owner") is not None else address
    return Listed(address, owner, _amount(number, item.get("amount")))


def _address(number: int, name: str, text: Any) -> str:
    if not isinstance(text, str):
        raise ListMalformed(f"Item {number} has no {name}.")
    try:
        size = len(base58.decode(text))
    except ValueError:
        size = 0
    if size != _KEY_BYTES:
        raise ListMalformed(f"Item {number}: {text[:50]!r} is no {name}: expected 32 bytes in base58.")
    return text


def _amount(number: int, amount: Any) -> int:
    if isinstance(amount, str) and amount.isascii() and amount.isdigit():
        amount = int(amount[:40])
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise ListMalformed(f"Item {number}: the amount {str(amount)[:50]!r} is not a whole number of base units.")
    if not 0 <= amount < _U64:
        raise ListMalformed(f"Item {number}: the amount {amount} is not between 0 and 2⁶⁴ - 1.")
    return amount
