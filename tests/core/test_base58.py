"""Base58 of any length, both ways."""

import pytest

from megatron.core import base58
from tests.tokens.domain.decode.building import base58 as plain


@pytest.mark.parametrize("length", [0, 1, 3, 7, 8, 9, 31, 32, 64, 380, 1232])
@pytest.mark.parametrize("zeros", [0, 1, 3, 32])
def test_both_ways(length: int, zeros: int) -> None:
    """It writes what the plain algorithm writes and reads it back, zeros in front included."""
    content = bytes(zeros) + bytes((7 * i + 1) % 256 for i in range(length))
    assert base58.encode(content) == base58.encode_address(content) == plain(content)
    assert base58.decode(plain(content)) == content


def test_known_text() -> None:
    """One text whose base58 is known from elsewhere."""
    assert base58.encode(b"hello") == "Cn8eVZg"


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "a b", "é", "1" * 30_000])
def test_not_base58(text: str) -> None:
    """Letters that base58 leaves out, and absurd lengths, are refused."""
    with pytest.raises(ValueError, match="not base58"):
        base58.decode(text)
