"""Token accounts of SPL Token and Token-2022 as bytes, and how to ask a node for those of one mint.

Layout (both programs): mint 0, owner 32, amount u64 64, state 108; 165 bytes. Token-2022 adds a type byte at 165 (2 is an
account) and extensions, so its accounts are 170 bytes and more and no size finds them.
"""

from binascii import Error as BadBase64
from binascii import a2b_base64
from typing import Any, Final

from megatron.clients.errors import Malformed
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
