"""What files and third parties say is checked before it is believed."""

import json
from typing import Any

import pytest

from tests import recordings
from tokens.domain.decode import Undecodable, decode_message, encode


def exported(**changes: Any) -> bytes:
    """Return a line of our own export that somebody has edited."""
    (decoded,) = decode_message(recordings.transactions()["pump-pump-jito-buy"])
    return json.dumps(json.loads(encode(decoded.events[0])) | changes).encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mint", "bad"),
        ("pool", "a\tb"),
        ("user", "a\nb"),
        ("quote_mint", "So1"),
        ("signature", "a\\N"),
        ("slot", -1),
        ("slot", 1 << 63),
        ("block_time", -1),
        ("block_time", 1 << 33),
        ("event_index", -1),
        ("event_index", 1 << 31),
        ("quote_amount_raw", -1),
        ("token_amount_raw", 1 << 128),
        ("reserves", {"after": {"virtual_quote": -1, "virtual_token": 1}}),
    ],
)
def test_an_edited_export_line_is_refused(name: str, value: Any) -> None:
    """A line that holds what no chain could is undecodable, and never reaches a row."""
    with pytest.raises(Undecodable, match="bad_event"):
        decode_message(exported(**{name: value}))


def test_an_unedited_export_line_is_believed() -> None:
    """The same line as it was printed gives its event back."""
    (decoded,) = decode_message(exported())
    assert [event.kind.value for event in decoded.events] == ["buy"]


@pytest.mark.parametrize(
    ("column", "value"), [("transaction_signature", "a\tb"), ("block_num", "-1"), ("block_time", "-5")]
)
def test_an_edited_row_is_refused(column: str, value: str) -> None:
    """A row of the trades table with an impossible signature, slot or time is undecodable."""
    row = json.loads(recordings.messages()["row"]) | {column: value}
    with pytest.raises(Undecodable):
        decode_message(json.dumps(row).encode())
