"""The tables of fields against the programs' IDLs."""

import base64
import hashlib
from collections import Counter
from typing import Any

import pytest

from tests import recordings
from tests.tokens.domain.decode import building
from tokens.choices import Program
from tokens.domain.decode import Undecodable
from tokens.domain.decode.borsh import Layout
from tokens.domain.decode.emissions import Emission, Header
from tokens.domain.decode.events import EVENTS, INSTRUCTIONS
from tokens.domain.decode.events import read as read_events
from tokens.domain.programs import ZERO_KEY

IDL = recordings.loaded("idl/events.json")
VECTORS = recordings.loaded("vectors/events.json")
_KINDS = {"vec<Shareholder>": "shareholders", "[pubkey;7]": "pubkey*7", "[pubkey;8]": "pubkey*8"}
_ENUMS = {"TradeDirection": "u8", "PoolStatus": "u8", "AmmCreatorFeeOn": "u8"}
_FLAT = {
    "base_mint_param:MintParams": ["decimals:u8", "name:string", "symbol:string", "uri:string"],
    "curve_param:CurveParams": ["curve_param:curve"],
    "vesting_param:VestingParams": ["total_locked_amount:u64", "cliff_period:u64", "unlock_period:u64"],
}

_UNPUBLISHED = {  # values that the published vectors leave out, and the one that is not from the bytes
    "user_base_token_reserves",
    "user_quote_token_reserves",
    "user_base_token_account",
    "user_quote_token_account",
    "protocol_fee_recipient",
    "protocol_fee_recipient_token_account",
    "destination",
}


def _ours(program: str, name: str) -> list[str]:
    tag = hashlib.sha256(f"event:{name}".encode()).digest()[:8]
    layout: Layout = EVENTS[Program(program)][tag][0]
    return [f"{field}:{kind}" for field, kind in layout.fields]


def _expected(fields: list[str]) -> list[str]:
    flat = [part for field in fields for part in _FLAT.get(field, [field])]
    split = (field.split(":", 1) for field in flat)
    return [f"{name}:{_KINDS.get(kind, _ENUMS.get(kind, kind))}" for name, kind in split]


@pytest.mark.parametrize("program", ["pumpfun", "pumpswap", "launchlab"])
def test_idl_fields(program: str) -> None:
    """Every event of the newest published IDL is known, and its fields are the first of ours, in order and type."""
    for name, event in IDL[program].items():
        expected = _expected(event["fields"])
        assert _ours(program, name)[: len(expected)] == expected, name
        assert bytes.fromhex(event["discriminator"]) in EVENTS[Program(program)]


@pytest.mark.parametrize("program", ["pumpfun", "pumpswap"])
def test_documented_fields(program: str) -> None:
    """The events as documented in October 2026 have exactly our fields."""
    for name, event in IDL["documented 2026-10"][program].items():
        assert _ours(program, name) == _expected(event["fields"]), name
        assert bytes.fromhex(event["discriminator"]) in EVENTS[Program(program)]


@pytest.mark.parametrize("program", ["pumpfun", "pumpswap"])
def test_versions(program: str) -> None:
    """Every number of fields that an IDL ever had is accepted: the oldest is not below what we require."""
    for name, counts in IDL["versions"][program].items():
        tag = hashlib.sha256(f"event:{name}".encode()).digest()[:8]
        layout = EVENTS[Program(program)][tag][0]
        assert layout.required <= min(counts), name
        assert max(counts) <= len(layout.fields), name


def test_instruction_names() -> None:
    """Every instruction that we name and the IDL has, has the discriminator of the IDL."""
    for program, names in INSTRUCTIONS.items():
        published = IDL[f"{program.value} instructions"]
        ours = {name: tag.hex() for tag, name in names.items()}
        assert {name: ours[name] for name in ours.keys() & published.keys()} == {
            name: published[name] for name in ours.keys() & published.keys()
        }
        assert {"buy", "buy_exact_in"} & ours.keys() & published.keys()


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["title"] for vector in VECTORS])
def test_vectors(vector: dict[str, Any]) -> None:
    """A recorded event decodes to its last byte, to the published values."""
    program, payload = Program(vector["program"]), base64.b64decode(str(vector["payload"]))
    emission = Emission(program, 1, payload, "log")
    drift: Counter[str] = Counter()
    (event,) = read_events(Header("s", 1, 1), [emission], drift)
    assert drift == {}
    zero = {0, "", ZERO_KEY}
    said = {
        k: v for k, v in event.fields.items() if not isinstance(v, list) and v not in zero and k not in _UNPUBLISHED
    }
    if vector["fields"]:
        assert said == {k: v for k, v in vector["fields"].items() if k not in _UNPUBLISHED}


def test_launchlab_vectors() -> None:
    """LaunchLab's two layouts give the amounts that were read from the chain."""
    routed, cpi, old = (
        read_events(Header("s"), [Emission(Program.LAUNCHLAB, 1, base64.b64decode(v["payload"]), "log")], Counter())[0]
        for v in VECTORS
        if v["program"] == "launchlab"
    )
    assert (routed.kind, routed.token_amount_raw, routed.quote_amount_raw) == ("sell", 1619386466406, 11966748)
    assert (routed.fees.protocol, routed.fees.platform, routed.fees.creator, routed.fees.share) == (
        29918,
        119667,
        5983,
        0,
    )
    assert (cpi.kind, cpi.token_amount_raw, cpi.quote_amount_raw) == ("buy", 5004973052, 1449606)
    assert (cpi.fields["amount_in"], cpi.fields["exact_in"], cpi.raw["layout"]) == (1468700, True, "TradeEvent/17")
    assert (old.kind, old.token_amount_raw, old.quote_amount_raw) == ("buy", 2809720, 987)
    assert (old.fees.creator, old.raw["layout"]) == (None, "TradeEvent/15")


def _trade(size: int) -> bytes:
    longest = max((base64.b64decode(v["payload"]) for v in VECTORS if "35 fields" in v["title"]), key=len)
    return longest[:size]


@pytest.mark.parametrize(
    ("size", "fields"),
    [(129, 10), (225, 16), (258, 21), (265, 22), (266, 23), (282, 25), (358, 32), (374, 34), (382, 35)],
)
def test_every_age_of_trade(size: int, fields: int) -> None:
    """A trade event cut where an older version ended is that version; ``ix_name`` is "buy" here, three bytes."""
    (event,) = read_events(Header("s"), [Emission(Program.PUMPFUN, 1, _trade(size), "log")], Counter())
    assert event.raw["layout"] == f"TradeEvent/{fields}"


@pytest.mark.parametrize("size", [8, 40, 128, 130, 260, 263, 381])
def test_cut_inside_a_field(size: int) -> None:
    """Bytes that end inside a field, or before the oldest version's end, are refused."""
    with pytest.raises(Undecodable, match="TradeEvent of"):
        read_events(Header("s"), [Emission(Program.PUMPFUN, 1, _trade(size), "log")], Counter())


def test_unknown_bytes() -> None:
    """Bytes after the last known field are counted, and the event stands."""
    drift: Counter[str] = Counter()
    (event,) = read_events(Header("s"), [Emission(Program.PUMPFUN, 1, _trade(382) + bytes(8), "log")], drift)
    assert (drift, event.raw["unknown_bytes"]) == ({"pumpfun.TradeEvent.unknown_bytes": 8}, 8)


def test_unknown_event() -> None:
    """An event that no table has is counted by its discriminator, and nothing is made of it."""
    drift: Counter[str] = Counter()
    assert read_events(Header("s"), [Emission(Program.PUMPSWAP, 1, bytes(range(40)), "log")], drift) == []
    assert drift == {"pumpswap.0001020304050607.unknown_event": 1}


@pytest.mark.parametrize(
    ("program", "name", "tag", "fields"),
    [
        (Program.PUMPFUN, "RemoveQuoteControlMintEvent", "2e21568600d5d130", 4),
        (Program.PUMPFUN, "SetQuoteControlAdminEvent", "4af88d45ca511ef7", 5),
        (Program.PUMPFUN, "SetQuoteControlReservesAdminEvent", None, 5),
        (Program.PUMPSWAP, "SetBoostAuthorityEvent", "5980f08d5bca4769", 4),
        (Program.PUMPSWAP, "UpdateCreatorFeeConfigEvent", "98c67c7c6af67fbf", 4),
        (Program.PUMPSWAP, "AdminSetCoinCreatorFeeEditableEvent", None, 4),
        (Program.PUMPSWAP, "SetCoinCreatorFeeBpsEvent", None, 6),
    ],
)
def test_truth_06_administrative_events_are_known(program: Program, name: str, tag: str | None, fields: int) -> None:
    """The administrative events of the current SDKs are read to their last byte and are no drift."""
    data = building.payload(program, name, timestamp=5)
    assert tag in (None, data[:8].hex())
    drift: Counter[str] = Counter()
    (event,) = read_events(Header("s", 1, 1), [Emission(program, 1, data, "log")], drift)
    assert (event.raw["layout"], event.block_time, drift) == (f"{name}/{fields}", 5, {})
