"""Base58 for what comes as bytes and is read as text: addresses, signatures, instruction data."""

from functools import lru_cache
from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PAIRS: Final = [first + second for first in _ALPHABET for second in _ALPHABET]
_STEP: Final = 58**10


def encode(content: bytes) -> str:
    """Return ``content`` in base58; each leading zero byte is a ``1``."""
    zeros = len(content) - len(content.lstrip(b"\0"))
    number, pairs = int.from_bytes(content), []
    while number:  # ten digits a step: few divisions of the long number, the others are of short ones
        number, digits = divmod(number, _STEP)
        for _ in range(5):
            digits, pair = divmod(digits, 58 * 58)
            pairs.append(_PAIRS[pair])
    return "1" * zeros + "".join(reversed(pairs)).lstrip("1")


@lru_cache(maxsize=8192)
def encode_address(content: bytes) -> str:
    """Return an address in base58, quickly for those that are seen again and again."""
    return encode(content)
