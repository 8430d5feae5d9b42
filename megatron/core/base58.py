"""Base58 of any length: instruction data, signatures, addresses. (Where an object is wanted, solders has its own.)"""

from functools import lru_cache
from struct import Struct
from typing import Final

_ALPHABET: Final = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PAIRS: Final = [chr(first) + chr(second) for first in _ALPHABET for second in _ALPHABET]
_STEP: Final = 58**10
_BAD: Final = 0xFF
_DIGITS: Final = bytes(_ALPHABET.find(char) if char in _ALPHABET else _BAD for char in range(256))
_MOST: Final = 20_000  # characters; a transaction has at most 4096 bytes


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


def decode(text: str) -> bytes:
    """Return the bytes that a base58 text of at most 20,000 letters stands for. Raises :class:`ValueError`."""
    digits = text.encode("utf-8", "replace").translate(_DIGITS)
    if _BAD in digits or len(digits) > _MOST:
        raise ValueError(f"not base58: {text[:40]}")
    zeros = len(digits) - len(digits.lstrip(b"\0"))
    digits = bytes(-len(digits) % 8) + digits
    # Eight digits a step, found for all of them at once: neighbouring lanes of one big integer are joined three times.
    by8, by16, by32, lanes = _lanes(len(digits))
    number = int.from_bytes(digits)
    number = (number & by8) + 58 * ((number >> 8) & by8)
    number = (number & by16) + 58**2 * ((number >> 16) & by16)
    number = (number & by32) + 58**4 * ((number >> 32) & by32)
    value = 0
    for lane in lanes.unpack(number.to_bytes(len(digits))):
        value = value * 58**8 + lane
    return bytes(zeros) + value.to_bytes((value.bit_length() + 7) // 8)


@lru_cache(maxsize=512)
def _lanes(length: int) -> tuple[int, int, int, Struct]:
    """Masks that pick every second lane of 8, 16 and 32 bits, and the reader of the resulting 64-bit lanes."""
    return (
        int.from_bytes(b"\0\xff" * (length // 2)),
        int.from_bytes(b"\0\0\xff\xff" * (length // 4)),
        int.from_bytes(b"\0\0\0\0\xff\xff\xff\xff" * (length // 8)),
        Struct(f">{length // 8}Q"),
    )
