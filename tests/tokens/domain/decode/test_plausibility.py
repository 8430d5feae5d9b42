"""Events whose fields contradict each other are refused, and whatever programs really write passes."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from megatron.clients import captures
from megatron.core import chain
from tests import recordings
from tests.recordings import HERE
from tests.tokens.domain.decode.building import (
    BLOCK_TIME,
    SIGNATURE,
    SLOT,
    Call,
    Transaction,
    discriminator,
    key,
    payload,
)
from tokens.choices import EventKind, Program
from tokens.domain import programs
from tokens.domain.decode import Decoded, Outcome, Undecodable, decode_message, plausibility
from tokens.domain.events import ChainEvent

MINT, USER = key("mint"), key("user")
NOW = datetime.fromtimestamp(BLOCK_TIME, UTC) + timedelta(hours=1)
REFUSED_CASES = {"trade_shifted_tail.jsonl": 1, "long_signature.jsonl": 1}
_TRADES = (EventKind.BUY, EventKind.SELL)


def pump_trade(**changes: Any) -> bytes:
    """Return the bytes of a buy of 0.1 SOL on a new curve, with all of its fields."""
    values = {
        "mint": MINT,
        "sol_amount": 10**8,
        "token_amount": 3_564_784_053_156,
        "is_buy": True,
        "user": USER,
        "timestamp": BLOCK_TIME,
        "virtual_sol_reserves": 30_100_000_000,
        "virtual_token_reserves": 1_069_435_215_946_844,
        "real_sol_reserves": 10**8,
        "real_token_reserves": 789_535_215_946_844,
        "fee": 950_000,
        "creator_fee": 300_000,
        "ix_name": "buy",
        "quote_amount": 10**8,
        "virtual_quote_reserves": 30_100_000_000,
        "real_quote_reserves": 10**8,
    }
    return payload(Program.PUMPFUN, "TradeEvent", **(values | changes))


def said(event: bytes, program: str = programs.PUMP, accounts: list[str] | None = None) -> list[ChainEvent]:
    """Return what is read of one event of a transaction."""
    name = "buy" if program != programs.LAUNCHLAB else "buy_exact_in"
    call = Call(program, accounts or [key(str(number)) for number in range(20)], discriminator(name), [event])
    return [found for one in decode_message(Transaction(call).reply()) for found in one.events]


def test_truth_04_a_trade_that_agrees_with_itself_is_read() -> None:
    """The same trade without a contradiction."""
    (event,) = said(pump_trade())
    assert (event.quote_amount_raw, event.reserves.after.virtual_quote) == (10**8, 30_100_000_000)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "changes",
    [
        {"quote_amount": 0},
        {"quote_amount": 10**9},
        {"sol_amount": 0},
        {"virtual_quote_reserves": 60_200_000_000},
        {"real_quote_reserves": 10**10},
        {"quote_mint": programs.USDC},  # then nothing is said in SOL
        {"fee": 10**8 + 11},
        {"fee": 6 * 10**7, "creator_fee": 6 * 10**7},
        {"creator_fee": 2**63},
        {"cashback": 10**9},
        {"buyback_fee": 10**9},
        {"holder_rewards": 2**60},
        {"token_amount": 1},
        {"token_amount": 10**15},
        {"virtual_token_reserves": 1},
        {"sol_amount": 2 * 10**18, "quote_amount": 2 * 10**18},
        {"virtual_sol_reserves": 0, "virtual_quote_reserves": 0},
        {"virtual_token_reserves": 0, "real_token_reserves": 0},
        {"real_sol_reserves": 30_100_000_001, "real_quote_reserves": 30_100_000_001},
        {"real_token_reserves": 1_069_435_215_946_845},
        {"fee_basis_points": 95 << 8},
        {"creator_fee_basis_points": 30 << 8},
        {"sol_amount": 3 * 10**8, "quote_amount": 3 * 10**8, "real_sol_reserves": 10**9, "real_quote_reserves": 10**9},
    ],
    ids=str,
)
def test_truth_04_fields_that_contradict_each_other_are_refused(changes: dict[str, Any]) -> None:
    """SOL against quote, fees against the amount, the price against the reserves: with and without surplus bytes."""
    for more in (b"", bytes(16)):
        with pytest.raises(Undecodable, match="bad_event"):
            said(pump_trade(**changes) + more)


@pytest.mark.parametrize("quote", [programs.USDC, key("another coin")])
def test_truth_04_bytes_that_end_before_the_quote_are_no_trade_of_nothing(quote: str) -> None:
    """A coin in another quote has zeros in SOL: cut anywhere, it is refused or read as it is, never as a trade in SOL."""
    whole = pump_trade(sol_amount=0, virtual_sol_reserves=0, real_sol_reserves=0, quote_mint=quote)
    for length in range(9, len(whole)):
        try:
            events = said(whole[:length])
        except Undecodable:
            continue
        assert [(event.quote_mint, event.quote_amount_raw) for event in events] == [(quote, 10**8)], length


def _swap(name: str, **changes: Any) -> bytes:
    """Return the bytes of a PumpSwap trade of about 1 SOL in a pool that a boost made a fifth dearer."""
    pool = {"pool_base_token_reserves": 2 * 10**14, "pool_quote_token_reserves": 90 * 10**9, "pool": key("pool")}
    fees = {"lp_fee_basis_points": 20, "lp_fee": 2 * 10**6, "protocol_fee_basis_points": 5, "protocol_fee": 5 * 10**5}
    who = {"timestamp": BLOCK_TIME, "user": USER, "protocol_fee_recipient": key("recipient"), "coin_creator": key("c")}
    if name == "BuyEvent":
        moved = {"quote_amount_in": 10**9, "base_amount_out": 1_851_851_851_851}
        moved["quote_amount_in_with_lp_fee"] = 1_002_000_000
    else:
        moved = {"quote_amount_out": 10**9, "base_amount_in": 1_886_792_452_830}
        moved["quote_amount_out_without_lp_fee"] = 998_000_000
    boost = {"virtual_quote_reserves": 17 * 10**9, "base_supply": 10**15}
    return payload(Program.PUMPSWAP, name, **(pool | fees | who | moved | boost | changes))


@pytest.mark.parametrize(("name", "amount"), [("BuyEvent", "quote_amount_in"), ("SellEvent", "quote_amount_out")])
def test_truth_04_a_swap_agrees_with_its_reserves_and_with_what_is_left_of_it(name: str, amount: str) -> None:
    """What is paid, with and without the pool's fee, and what the reserves ask are one; a tail shifted by a byte is not."""
    (event,) = said(_swap(name), programs.PUMPSWAP)
    assert event.quote_amount_raw == 10**9
    told = amount + ("_with_lp_fee" if name == "BuyEvent" else "_without_lp_fee")
    for changes in (
        {told: 0},
        {told: 10**9 << 8},
        {amount: 3 * 10**9, told: 3 * 10**9 + (2 * 10**6 if name == "BuyEvent" else -2 * 10**6)},
        {"virtual_quote_reserves": 17 * 10**9 << 8},
        {"lp_fee": 5 * 10**8},
    ):
        with pytest.raises(Undecodable, match="bad_event"):
            said(_swap(name, **changes), programs.PUMPSWAP)


def test_truth_04_a_shifted_tail_is_refused() -> None:
    """The recorded case: seven fields of 32-bit shifts, and a trade of quote 0 if it were believed."""
    (line,) = recordings.lines("cases/trade_shifted_tail.jsonl")
    with pytest.raises(Undecodable) as refused:
        decode_message(line)
    assert (refused.value.program, refused.value.event) == (Program.PUMPFUN, "TradeEvent")


@pytest.mark.parametrize(
    "changes",
    [
        {"sol_amount": 0, "virtual_sol_reserves": 0, "real_sol_reserves": 0, "quote_mint": programs.USDC},
        {"sol_amount": 0, "virtual_sol_reserves": 0, "real_sol_reserves": 0, "quote_mint": key("another coin")},
        {"fee": 0, "creator_fee": 0},
        {"quote_mint": programs.WRAPPED_SOL},
        # One base unit for one lamport: both fees are rounded up to one.
        {"sol_amount": 1, "quote_amount": 1, "token_amount": 1, "fee": 1, "creator_fee": 1},
        {"sol_amount": 0, "quote_amount": 0, "token_amount": 1, "is_buy": False, "fee": 0, "creator_fee": 0},
    ],
    ids=str,
)
def test_truth_04_what_programs_do_write_passes(changes: dict[str, Any]) -> None:
    """Other quotes, no fees, dust of which the fees are rounded up."""
    (event,) = said(pump_trade(**changes))
    assert plausibility.impossible(event, NOW) == ""


@pytest.mark.parametrize(
    "quote",
    [MINT, programs.bonding_curve(MINT), programs.PUMP, "SysvarRent111111111111111111111111111111111",
     "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA", "ComputeBudget111111111111111111111111111111"],
)  # fmt: skip
def test_truth_04_a_quote_is_a_mint(quote: str) -> None:
    """Not the coin itself, its pool, a program or a sysvar."""
    (event,) = said(pump_trade(sol_amount=0, virtual_sol_reserves=0, real_sol_reserves=0, quote_mint=quote))
    assert plausibility.impossible(event, NOW) or plausibility.noise(event)


@pytest.mark.parametrize(
    "changes", [{"timestamp": 0}, {"timestamp": 2**40}, {"timestamp": -1}, {"timestamp": 4_102_444_800}], ids=str
)
def test_truth_04_a_time_that_cannot_be_is_not_stored(changes: dict[str, Any]) -> None:
    """Whatever the clock of the event says, it lies between the chain's launch and now."""
    for event in said(pump_trade(**changes)):
        assert plausibility.impossible(event, NOW).startswith("names the time")


def test_truth_04_not_one_recorded_event_is_refused() -> None:
    """Every recording and every case is read as before, but for the two that are there to be refused."""
    refused: dict[str, int] = {}
    for path in sorted(HERE.rglob("*.json*")):
        if path.parent.name in ("idl", "vectors", "holders"):
            continue
        for item in captures.read([path]):
            assert isinstance(item, captures.Message)
            try:
                found = decode_message(item.payload)
            except Undecodable as refusal:
                if refusal.reason in ("bad_event", "bad_transaction"):
                    refused[path.name] = refused.get(path.name, 0) + 1
                continue
            assert all(one.outcome is not Outcome.UNDECODABLE for one in found), path
    assert {name: refused[name] for name in REFUSED_CASES} == REFUSED_CASES
    assert refused.keys() <= REFUSED_CASES.keys() | {"postcomplete.jsonl"}


# -- whatever is done to what programs wrote

_TAGS = {
    discriminator(layout, "event"): program
    for program, layout in (
        (Program.PUMPFUN, "TradeEvent"),
        (Program.PUMPSWAP, "BuyEvent"),
        (Program.PUMPSWAP, "SellEvent"),
    )
}
_LOGGED = re.compile(rb"Program data: ([A-Za-z0-9+/=]{12,})")
_BODIES = {base64.b64decode(text) for message in recordings.messages().values() for text in _LOGGED.findall(message)}
_EVENTS = sorted((_TAGS[body[:8]], body) for body in _BODIES if body[:8] in _TAGS)


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(_EVENTS), st.data())
def test_truth_04_no_mutation_is_believed_that_breaks_the_bounds(
    which: tuple[Program, bytes], data: st.DataObject
) -> None:
    """Bytes of real trades are changed, put in and taken out: what is read keeps every bound, or is refused by name."""
    program, body = which
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(8, len(damaged) - 1))
        what = data.draw(st.sampled_from(["change", "insert", "drop", "fill"]))
        if what == "change":
            damaged[at] = data.draw(st.integers(0, 255))
        elif what == "insert":
            damaged[at:at] = bytes(data.draw(st.integers(1, 9)))
        elif what == "drop":
            del damaged[at : at + data.draw(st.integers(1, 9))]
        else:
            damaged[at : at + 8] = b"\xff" * len(damaged[at : at + 8])
        assume(len(damaged) > 9)
    address = programs.ADDRESSES[program]
    call = Call(address, [key(str(number)) for number in range(20)], b"x" * 8, [bytes(damaged)])
    try:
        found: list[Decoded] = decode_message(Transaction(call).frame())
    except Undecodable:
        return
    for event in (event for one in found for event in one.events if event.kind in _TRADES):
        paid = event.quote_amount_raw or 0
        charged = [getattr(event.fees, name) or 0 for name in ("protocol", "creator", "lp", "platform", "share")]
        assert sum(charged) <= paid + 10
        if event.quote_mint in programs.QUOTE_MINTS:
            assert paid <= 10**18
        if "quote_amount" in event.fields and event.quote_mint == programs.WRAPPED_SOL:
            assert abs(event.fields["sol_amount"] - paid) <= 1_000
            assert (event.fields["sol_amount"] == 0) is (paid == 0)
        assert plausibility.doubt(program, event, event.fields) == ""
        assert chain.is_signature(event.signature)


@pytest.mark.parametrize(
    "signature", [SIGNATURE + "11", SIGNATURE[:-1], "5" * 101, "s", "", "\0" * 88, SIGNATURE.replace(SIGNATURE[0], "0")]
)
def test_truth_15_a_signature_that_is_none_is_refused_in_every_form(signature: str) -> None:
    """In a log, a whole transaction, a row, a third party's frame and our own export; of transactions of others, too."""
    log = {"signature": signature, "err": None, "logs": [], "slot": SLOT}
    row = json.loads(recordings.messages()["row"]) | {"transaction_signature": signature}
    frame = {"txType": "buy", "signature": signature, "mint": MINT, "solAmount": 1, "tokenAmount": 1, "pool": "pump"}
    whole = json.loads(Transaction(Call(key("other"), [], b"x")).reply())
    whole["result"]["transaction"]["signatures"][0] = signature
    for message in (log, row, row | {"trade_type": "other"}, frame, whole):
        with pytest.raises(Undecodable):
            decode_message(json.dumps(message).encode())
