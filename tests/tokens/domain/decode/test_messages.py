"""Every form in which a transaction can arrive says the same."""

import base64
import json
from typing import Any

import msgspec
import pytest

from tests import recordings
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
from tokens.choices import EventKind, Program, RejectionReason
from tokens.domain import programs
from tokens.domain.decode import Outcome, Undecodable, decode_message, encode
from tokens.domain.events import POSITIONLESS, ChainEvent, event_index

ROUTER, MINT, TRADER = key("router"), key("mint"), key("trader")
AT = BLOCK_TIME - 1  # the program's clock, on purpose not the block's time


def _trade(**values: Any) -> bytes:
    values = {"mint": MINT, "user": TRADER, "timestamp": AT, "is_buy": True, "ix_name": "buy", **values}
    amounts = {"sol_amount": 7, "token_amount": 5, "quote_amount": 7}
    state = {"virtual_quote_reserves": 100, "virtual_token_reserves": 90, "real_quote_reserves": 80}
    return payload(Program.PUMPFUN, "TradeEvent", **{**amounts, **state, "real_token_reserves": 70, **values})


def _routed() -> Transaction:
    """A router's transaction: a precompile, two purchases in one instruction, a fee in another."""
    buy = discriminator("buy") + bytes(24)
    token = Call(programs.WRAPPED_SOL, [key("vault")], b"\3")
    return Transaction(
        Call("Ed25519SigVerify111111111111111111111111111", [], b"\1\2"),
        Call(key("compute budget"), [], b"\3"),
        Call(
            ROUTER,
            [TRADER, key("a"), key("b")],
            b"route",
            [
                token,
                Call(programs.PUMP, [MINT, TRADER], buy, ["Instruction: Buy", token, _trade(), _trade(token_amount=6)]),
                "Program log: Program fake invoke [1]",
                Call(key("other router"), [], b"x", [Call(programs.PUMP, [MINT], buy, [_trade(sol_amount=9)])]),
            ],
        ),
        Call(
            programs.PUMP,
            [TRADER],
            discriminator("collect_creator_fee"),
            [payload(Program.PUMPFUN, "CollectCreatorFeeEvent", timestamp=AT, creator=TRADER, creator_fee=3)],
        ),
    )


def _events(message: bytes) -> list[ChainEvent]:
    return [event for one in decode_message(message) for event in one.events]


def _views(events: list[ChainEvent]) -> list[dict[str, Any]]:
    """Return events without what tells the views apart."""
    return [{k: v for k, v in msgspec.to_builtins(event).items() if k != "raw"} for event in events]


@pytest.mark.parametrize(
    "message",
    [
        *(_routed().reply(encoding, version) for encoding in ("json", "jsonParsed") for version in ("legacy", 0, 1)),
        *(_routed().reply(encoding, version) for encoding in ("base64", "base58") for version in ("legacy", 0, 1)),
        *(_routed().reply(encoding, 0, tables=5) for encoding in ("json", "jsonParsed", "base64")),
        json.dumps(_routed().result()).encode(),
        json.dumps([_routed().result()]).encode(),
        json.dumps([_routed().webhook()]).encode(),
        json.dumps(json.loads(_routed().reply()), indent=2).encode(),
        json.dumps({"t_wall": 1.5, "raw": _routed().reply().decode()}).encode(),
        _routed().frame(),
        json.dumps({"t_wall": 1.5, "raw": _routed().frame().decode()}).encode(),
        json.dumps({"signature": SIGNATURE, "err": None, "logs": _routed().lines, "slot": SLOT}).encode(),
    ],
)
def test_forms(message: bytes) -> None:
    """The same transaction in any form gives the same four events, at the places where the programs emitted them."""
    (decoded,) = decode_message(message)
    assert (decoded.outcome, decoded.signature, decoded.slot, decoded.missing) == (Outcome.EVENTS, SIGNATURE, SLOT, ())
    assert [(e.kind, e.event_index, e.quote_amount_raw, e.token_amount_raw) for e in decoded.events] == [
        (EventKind.BUY, event_index(1, 2, 1), 7, 5),
        (EventKind.BUY, event_index(1, 2, 2), 7, 6),
        (EventKind.BUY, event_index(1, 7, 1), 7, 5),
        (EventKind.CREATOR_FEE, event_index(2, 0, 1), 3, None),
    ]
    assert {event.block_time for event in decoded.events} == {AT}
    assert _views(list(decoded.events)) == _views(_events(_routed().reply()))


def test_no_heights() -> None:
    """Where a node gives no stack heights, an event belongs to the program's latest call."""
    routed = _routed()
    routed.heights = False
    assert _views(_events(routed.reply())) == _views(_events(_routed().reply()))


def test_log_speaks_for_a_silent_program() -> None:
    """A program that recorded nothing among the instructions is read from the log."""
    routed = _routed()
    routed.cpi = False
    (decoded,) = decode_message(routed.reply())
    assert [event.raw["origin"] for event in decoded.events] == ["log"] * 4
    assert _views(list(decoded.events)) == _views(_events(_routed().reply()))


def test_cut_log() -> None:
    """A cut log gives what came before the cut, and asks for the transaction; with instructions nothing is lost."""
    routed = _routed()
    cut = routed.lines.index("Program log: Program log: Program fake invoke [1]")
    routed.lines[cut:] = ["Log truncated", f"Program {programs.PUMP} invoke [1]"]
    (from_log,) = decode_message(routed.frame())
    assert (from_log.truncated, from_log.missing, len(from_log.events)) == (True, (RejectionReason.TRUNCATED,), 2)
    (whole,) = decode_message(routed.reply())
    assert (whole.truncated, whole.missing, len(whole.events)) == (False, (), 4)


def test_spoofed_log() -> None:
    """What a foreign program writes into the log as text, or as data, is not an event of ours."""
    fake = base64.b64encode(_trade()).decode()
    text = f"Program {programs.PUMP} invoke [1]\nProgram data: {fake}"
    spoof = Transaction(Call(ROUTER, [], b"", [text, f"Program data: {fake}", _trade()]), Call(programs.PUMP, [], b""))
    assert [(one.outcome, one.events) for one in decode_message(spoof.frame())] == [(Outcome.EVENTS, ())]
    assert [(one.outcome, one.events) for one in decode_message(spoof.reply())] == [(Outcome.EVENTS, ())]


@pytest.mark.parametrize("err", [{"InstructionError": [3, {"Custom": 6005}]}, "AccountNotFound"])
def test_failed(err: Any) -> None:
    """A failed transaction has a log and recorded events, and none of them happened."""
    failed = _routed()
    failed.err = err
    for message in (failed.reply(), failed.reply("base64"), failed.frame(), json.dumps([failed.webhook()]).encode()):
        (decoded,) = decode_message(message)
        assert (decoded.outcome, decoded.events) == (Outcome.FAILED, ())


def test_not_ours() -> None:
    """A transaction in which none of our programs ran is another's, in every form."""
    other = Transaction(Call(ROUTER, [TRADER], b"\1", [Call(key("amm"), [], _trade()), _trade()]))
    for message in (other.reply(), other.reply("base64"), other.frame(), json.dumps([other.webhook()]).encode()):
        assert [one.outcome for one in decode_message(message)] == [Outcome.NOT_OURS]


def _block(**more: Any) -> dict[str, Any]:
    good, foreign, failed = _routed().result(), Transaction(Call(ROUTER, [], b"")).result("base64"), _routed().result()
    failed["meta"]["err"] = "AccountNotFound"
    broken = json.loads(json.dumps(good))
    broken["transaction"]["message"]["instructions"][0]["programIdIndex"] = 99
    elements = [{k: t[k] for k in ("transaction", "meta", "version")} for t in (good, foreign, failed, broken)]
    return {"blockTime": BLOCK_TIME, "parentSlot": SLOT - 1, "transactions": elements, **more}


def test_block_subscribe() -> None:
    """A block's frame gives each transaction its slot and time; a broken one does not take the others with it."""
    value = {"slot": SLOT, "err": None, "block": _block()}
    params = {"subscription": 1, "result": {"context": {"slot": SLOT}, "value": value}}
    decoded = decode_message(json.dumps({"method": "blockNotification", "params": params}).encode())
    assert [one.outcome for one in decoded] == [
        Outcome.EVENTS,
        Outcome.NOT_OURS,
        Outcome.FAILED,
        Outcome.UNDECODABLE,
    ]
    assert (decoded[0].slot, decoded[0].block_time, len(decoded[0].events)) == (SLOT, BLOCK_TIME, 4)
    assert (decoded[3].reason, decoded[3].detail) == ("bad_transaction", "points at account 99 of 13")


def test_get_block() -> None:
    """The reply of getBlock does not name its slot: the events say that they wait for it."""
    decoded = decode_message(json.dumps({"jsonrpc": "2.0", "id": 1, "result": _block()}).encode())
    assert [len(one.events) for one in decoded] == [4, 0, 0, 0]
    assert decoded[0].missing == (RejectionReason.NO_SLOT,)


def test_truth_05_a_transactions_place_in_its_block_is_read_where_it_is_told() -> None:
    """A whole block tells it by its list, a transaction by its number; a block from which others were left out, a log and a
    number that is none do not."""

    def places(message: Any) -> list[int | None]:
        return [one.transaction_index for one in decode_message(json.dumps(message).encode())]

    block = _block()
    assert places({"result": block})[:3] == [0, 1, 2]
    assert places({"slot": SLOT, **block})[:3] == [0, 1, 2]
    value = {"slot": SLOT, "err": None, "block": block}
    params = {"subscription": 1, "result": {"context": {"slot": SLOT}, "value": value}}
    assert places({"method": "blockNotification", "params": params})[:3] == [None] * 3
    one = _routed().result()
    assert places(one) == places({"jsonrpc": "2.0", "result": one}) == [None]
    for told, place in ((17, 17), (0, 0), (None, None), (-1, None), (1 << 31, None)):
        named = {**one, "transactionIndex": told}
        assert places(named) == places({"jsonrpc": "2.0", "id": 1, "result": named}) == [place]
    assert [found.transaction_index for found in decode_message(_routed().frame())] == [None]


def test_transaction_subscribe() -> None:
    """A Helius frame wraps the transaction twice and names slot and signature outside."""
    full = _routed().result("base64", 1)
    inner = {k: full[k] for k in ("transaction", "meta", "version")}
    result = {"transaction": inner, "signature": SIGNATURE, "slot": SLOT, "transactionIndex": 3}
    frame = {"method": "transactionNotification", "params": {"subscription": 1, "result": result}}
    (decoded,) = decode_message(json.dumps(frame).encode())
    assert (decoded.slot, decoded.block_time, len(decoded.events), decoded.missing) == (SLOT, None, 4, ())
    assert decoded.transaction_index == 3


@pytest.mark.parametrize(
    "message",
    [
        b'{"jsonrpc":"2.0","id":1,"result":13117691}',
        b'{"jsonrpc":"2.0","id":1,"result":null}',
        b'{"jsonrpc":"2.0","id":1,"result":"ok"}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":-32015,"message":"Transaction version (1) is not supported"}}',
        b'{"jsonrpc":"2.0","method":"slotNotification","params":{"result":{"slot":1}}}',
        b'{"message":"Successfully subscribed to token creation events."}',
        b'{"t_wall":1.0,"raw":"{\\"jsonrpc\\":\\"2.0\\",\\"id\\":1,\\"result\\":7}"}',
        b"ping",
    ],
)
def test_control(message: bytes) -> None:
    """Acknowledgements, empty replies, errors of a node and other subscriptions are not transactions and no error."""
    assert [one.outcome for one in decode_message(message)] == [Outcome.CONTROL]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "not_json"),
        (b"garbage", "not_json"),
        (b"\x00\xff\xfe", "not_json"),
        (b'{"jsonrpc": "2.0", "result": {"slot": 1, "tran', "not_json"),
        (b'{"mint": NaN}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b"{}", "unknown_form"),
        (b"[1, 2]", "not_json"),
        (b'{"result": {"context": {"slot": 1}, "value": {"lamports": 1, "data": ["", "base64"]}}}', "unknown_form"),
        (b'{"transaction": ["AAAA", "base64"], "meta": null}', "bad_transaction"),
        (b'{"transaction": ["AAAA", "base64"], "meta": {"err": null}}', "bad_transaction"),
        (b'{"transaction": ["%", "base64"], "meta": {"err": null}}', "bad_transaction"),
        (b'{"transaction": "0OIl", "meta": {"err": null}}', "bad_transaction"),
        (b'{"signature": "s", "err": null, "logs": [], "slot": 9223372036854775808}', "bad_transaction"),
        (b'{"signature": "s", "err": null, "logs": [], "slot": -1}', "bad_transaction"),
        (b'{"signature": 5, "err": null, "logs": []}', "unknown_form"),
        (b'{"result": {"result": {"result": {"result": {"result": {"result": {"result": {}}}}}}}}', "unknown_form"),
        (b'{"program": "pumpfun", "kind": "buy", "event_index": "x", "signature": "s"}', "unknown_form"),
    ],
)
def test_undecodable(message: bytes, reason: str) -> None:
    """What no source sends is refused with a reason."""
    with pytest.raises(Undecodable) as refusal:
        decode_message(message)
    assert refusal.value.reason == reason
    assert refusal.value.detail


def test_empty_list() -> None:
    """An empty list of messages holds none."""
    assert decode_message(b" [] ") == []


RECORDED = recordings.transactions()


@pytest.mark.parametrize(
    "name", [name for name, raw in RECORDED.items() if b"Program data: " in raw and b"6EF8" in raw]
)
def test_recorded_log_and_instructions_agree(name: str) -> None:
    """A recorded transaction says the same by its log as by its instructions."""
    (whole,) = decode_message(RECORDED[name])
    document = json.loads(RECORDED[name])
    result = document.get("result", document)
    logs = result["meta"]["logMessages"]
    value = {"signature": whole.signature, "err": None, "logs": logs, "slot": whole.slot}
    (by_log,) = decode_message(json.dumps(value).encode())
    assert _views(list(by_log.events)) == _views(list(whole.events))
    assert whole.events
    assert {event.raw["origin"] for event in whole.events} == {"cpi"}
    assert {event.raw["origin"] for event in by_log.events} == {"log"}


COUNTS = {
    "pump-account-bonding-curve": "unknown_form",
    "pump-buy-tx-from-gettransaction": ["buy"],
    "pump-create-tx-from-blocksubscribe": ["create", "buy"],
    "pump-create-tx-from-gettransaction": ["create", "other", "buy"],
    "pump-old-create-tx-from-getTransaction": ["create", "buy"],
    "pump-provider-owner-not-allowed": "failed",
    "pump-pump-buy-tx-with-jito-acc-fee": ["buy"],
    "pump-pump-jito-buy": ["buy"],
    "pump-pump-jito-insufficient-lamports": "failed",
    "pump-pump-jito-sell": ["sell"],
    "pump-pump-sell-tx-not-enough-tokens-to-sell": "failed",
    "pump-pump-sell-tx-with-jito": ["sell"],
    "pump-pump-slippage-insufficient-sol": "failed",
    "wallet-add": "not_ours",
    "wallet-close": "not_ours",
    "wallet-error": "failed",
    "wallet-fail": ["sell"],
    "wallet-fail1": ["buy"],
    "wallet-fail2": "not_ours",
    "wallet-open": ["buy"],
    "wallet-open1": ["buy"],
    "wallet-open2": ["buy"],
    "wallet-open3": "not_ours",
    "wallet-open4": ["buy"],
    "wallet-reduce": "not_ours",
    "wallet-reduce1": "not_ours",
    "wallet-transfer": "not_ours",
    "helius-migration-0": ["migrate"],
    "helius-raydium-pools-0": "not_ours",
    "helius-raydium-pools-1": ["migrate"],
    "helius-raydium-pools-2": ["migrate"],
    "helius-raydium-pools-3": "not_ours",
    "helius-raydium-pool-0": "not_ours",
    **{f"helius-raydium-swaps-{number}": "not_ours" for number in range(4)},
    # Another parser's instruction trees; 19 and 20 call pump.fun and lack their signature.
    **{f"foreign-{number:02}": "not_ours" for number in (0, 1, 2, 3, 4, 6, 7, 10, 14, 16, 18, 21, 22)},
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded(name: str) -> None:
    """Each recorded transaction is told for what it is; what is no transaction is refused."""
    expected = COUNTS.get(name, "unknown_form")
    if expected == "unknown_form":
        with pytest.raises(Undecodable, match="unknown_form"):
            decode_message(RECORDED[name])
        return
    (decoded,) = decode_message(RECORDED[name])
    kinds = [event.kind.value for event in decoded.events]
    assert (kinds or decoded.outcome.value) == expected
    assert decoded.drift == {}


def test_recorded_log_frames() -> None:
    """Of 73 live frames of July 2026, 46 failed; the others hold one creation, 17 purchases and 11 sales."""
    outcomes: list[str] = []
    kinds: list[str] = []
    for line in recordings.lines("frames/logs-subscribe.jsonl"):
        for one in decode_message(line):
            outcomes.append(one.outcome.value)
            kinds += [event.kind.value for event in one.events]
            assert (one.drift, one.missing) == ({}, ())
    assert {o: outcomes.count(o) for o in set(outcomes)} == {"control": 1, "failed": 46, "events": 26}
    assert {k: kinds.count(k) for k in set(kinds)} == {"create": 1, "buy": 17, "sell": 11}


@pytest.mark.parametrize("name", recordings.messages())
def test_export_is_the_identity(name: str) -> None:
    """An event printed and read again is the same event."""
    try:
        events = _events(recordings.messages()[name])
    except Undecodable:
        events = []
    for event in events:
        assert _events(encode(event)) == [event]


def test_rows() -> None:
    """A row of the trades table is a trade whose index depends on its content alone."""
    row = recordings.messages()["row"]
    (decoded,) = decode_message(row)
    (event,) = decoded.events
    assert (decoded.missing, event.kind, event.slot, event.block_time) == ((), EventKind.BUY, 366586929, 1757782395)
    assert (event.quote_amount_raw, event.token_amount_raw) == (380000069, 13421332211323)
    assert (event.fees.protocol, event.fees.creator) == (3610001, 1140001)
    assert event.reserves.before is not None
    assert (event.reserves.before.virtual_quote, event.reserves.before.real_token) == (30_000_000_000, 793100000000000)
    assert event.event_index == 1986543179
    assert event.event_index >= POSITIONLESS
    assert event.pool == programs.bonding_curve("FCuk4XWLR6fAJFTcQoMrm3KeywSt2X6wK4Ufh4Xjpump")
    with pytest.raises(Undecodable, match="bad_row"):
        decode_message(row.replace(b'"380000069"', b'"much"', 1))


def test_pumpportal() -> None:
    """A creation's frame is a creation and its first purchase; floats become whole units; the rest is unknown."""
    frames = recordings.lines("frames/pumpportal.jsonl")
    decoded = [one for frame in frames for one in decode_message(frame)]
    kinds = [event.kind.value for one in decoded for event in one.events]
    assert {k: kinds.count(k) for k in set(kinds)} == {"create": 96, "buy": 77, "migrate": 5}
    create, buy = decoded[4].events
    assert (create.kind, create.mint, create.fields["symbol"]) == (
        EventKind.CREATE,
        "g5nAdAoNfmoemZrnzHKZV3HMUofXM2fPsQ8vLBqqd2H",
        "t1",
    )
    assert (buy.quote_amount_raw, buy.token_amount_raw, buy.quote_mint) == (4938271603, 151660777334045, None)
    assert buy.reserves.before is not None
    assert (buy.reserves.before.virtual_quote, buy.reserves.before.virtual_token) == (30 * 10**9, 1073 * 10**12)
    assert decoded[4].missing == (RejectionReason.NO_SLOT, RejectionReason.NO_BLOCK_TIME)
    assert decoded[3].events[0].fields == {"destination": "pumpswap"}


def test_pumpportal_with_a_quote_for_a_mint() -> None:
    """A frame that gives USDC as the new coin's mint tells only the curve."""
    (decoded,) = decode_message(recordings.lines("frames/pumpportal.jsonl")[2])
    (event,) = decoded.events
    assert (event.mint, event.pool) == (None, "BXASjpmw24T7oPwWztENXJ9ojVp3iP1vbiCtVbquJRdZ")
    assert decoded.missing[0] == RejectionReason.NEEDS_TRANSACTION


def test_truth_06_a_log_that_ends_inside_a_call_is_cut() -> None:
    """Whatever a node left out after the last line: what was said until then stands, and the message is kept as cut."""
    transaction = _routed()
    whole = len(decode_message(transaction.frame())[0].events)
    lines = list(transaction.lines)
    for length in range(1, len(lines)):
        transaction.lines = lines[:length]
        (decoded,) = decode_message(transaction.frame())
        opened = sum("invoke [" in line and line.startswith("Program ") for line in transaction.lines[:length])
        closed = sum(line.endswith(" success") for line in transaction.lines[:length])
        spoofed = sum(line.startswith("Program log:") and "invoke [" in line for line in transaction.lines[:length])
        is_cut = opened - spoofed > closed
        assert decoded.truncated is is_cut, length
        assert (RejectionReason.TRUNCATED in decoded.missing) is is_cut
        assert len(decoded.events) <= whole


def test_truth_06_a_failed_call_inside_a_log_is_not_a_cut() -> None:
    """A call that failed and was caught has ended."""
    transaction = _routed()
    lines = list(transaction.lines)
    last = next(place for place, line in enumerate(lines) if line.endswith(" success"))
    lines[last] = lines[last].replace(" success", " failed: custom program error: 0x1")
    transaction.lines = lines
    assert decode_message(transaction.frame())[0].truncated is False


BARE: dict[str, Any] = {
    "signature": SIGNATURE,
    "slot": SLOT,
    "timestamp": BLOCK_TIME,
    "type": "SWAP",
    "source": "JUPITER",
}
CURVE = programs.bonding_curve(MINT)


@pytest.mark.parametrize(
    "shows",
    [
        {"source": "PUMP_FUN"},
        {"source": "PUMP_AMM", "instructions": []},
        {"events": {"swap": {"innerSwaps": [{"programInfo": {"source": "X", "account": programs.PUMPSWAP}}]}}},
        {"accountData": [{"account": programs.LAUNCHLAB, "nativeBalanceChange": 0, "tokenBalanceChanges": []}]},
        {"accountData": [{"account": CURVE, "tokenBalanceChanges": [{"mint": MINT, "userAccount": TRADER}]}]},
        {"tokenTransfers": [{"mint": MINT, "fromUserAccount": CURVE, "toUserAccount": TRADER}], "instructions": None},
        {"tokenTransfers": [{"mint": MINT, "toUserAccount": programs.graduated_pool(MINT, programs.WRAPPED_SOL)}]},
        {"tokenTransfers": [{"mint": MINT, "fromUserAccount": "WLHv2UAZm6z4KyaaELi5pjdbJh6RESMva1Rnn8pJVVh"}]},
        {"tokenTransfers": [], "logs": None, "logMessages": [f"Program {programs.PUMP} invoke [1]"]},
        {"instructions": [{"programId": ROUTER, "accounts": [CURVE], "data": "3"}], "source": "PUMP_FUN"},
    ],
)
def test_truth_06_an_enhanced_body_without_instructions_is_kept(shows: dict[str, Any]) -> None:
    """Whatever shows that one of our programs took part, the body is not decodable, never "not ours"."""
    body = {key: value for key, value in {**BARE, **shows}.items() if key != "logs"}
    (decoded,) = decode_message(json.dumps(body).encode())
    assert (decoded.outcome, decoded.signature, decoded.slot) == (Outcome.UNDECODABLE, SIGNATURE, SLOT)
    assert "instructions" in decoded.detail
    with pytest.raises(Undecodable, match="instructions"):
        decode_message(json.dumps([body]).encode())


@pytest.mark.parametrize(
    "shows",
    [
        {"instructions": []},
        {"source": "RAYDIUM", "tokenTransfers": [{"mint": MINT, "fromUserAccount": TRADER, "toUserAccount": ROUTER}]},
        {"source": "PUMP_FUN", "instructions": [{"programId": ROUTER, "data": "3", "innerInstructions": []}]},
    ],
)
def test_truth_06_an_enhanced_body_of_others_stays_theirs(shows: dict[str, Any]) -> None:
    """Without a sign of ours, or with all instructions and none of ours, a body is not ours."""
    (decoded,) = decode_message(json.dumps({**BARE, **shows}).encode())
    assert decoded.outcome is Outcome.NOT_OURS


def test_truth_06_a_raw_body_without_instructions_is_read_from_its_log() -> None:
    """The log says what the missing instructions did; without a log the body is not decodable."""
    transaction = _routed()
    told = [(event.kind, event.event_index) for event in decode_message(transaction.frame())[0].events]
    for lacks in ("top", "inner"):
        result = transaction.result()
        result["meta"]["innerInstructions"] = None
        if lacks == "top":
            result["transaction"]["message"]["instructions"] = []
        else:
            del result["transaction"]["message"]["instructions"][3:]  # only the router's
        (decoded,) = decode_message(json.dumps(result).encode())
        assert [(event.kind, event.event_index) for event in decoded.events] == told
        result["meta"]["logMessages"] = None
        with pytest.raises(Undecodable, match="neither its calls nor a log"):
            decode_message(json.dumps(result).encode())


def test_truth_06_a_call_of_ours_without_what_it_emitted_is_kept() -> None:
    """A purchase whose event is nowhere, because neither its own calls nor the log were recorded, is not decodable."""
    transaction = Transaction(Call(programs.PUMP, [MINT, TRADER], discriminator("buy") + bytes(24), [_trade()]))
    result = transaction.result()
    result["meta"] |= {"innerInstructions": None, "logMessages": None}
    body = transaction.webhook()
    for top in body["instructions"]:
        del top["innerInstructions"]
    for message in (result, body):
        with pytest.raises(Undecodable, match="neither what it called nor a log") as refusal:
            decode_message(json.dumps(message).encode())
        assert (refusal.value.signature, refusal.value.slot) == (SIGNATURE, SLOT)
    result["meta"]["innerInstructions"] = []  # recorded: it emitted nothing
    assert decode_message(json.dumps(result).encode())[0].outcome is Outcome.EVENTS


@pytest.mark.parametrize(
    "message",
    [
        {"foo": 1},
        {"method": "somethingElse", "params": {}},
        {"method": "blocksNotification", "params": {"result": {}}},
        {"message": "hello", "trades": [{"mint": MINT}]},
        {"message": {"from": "me"}},
        {"error": None, "data": {"mint": MINT}},
        {"result": 5, "mint": MINT},
        {"instructions": [], "mint": MINT},
    ],
)
def test_truth_06_an_object_of_an_unknown_form_says_so(message: dict[str, Any]) -> None:
    """What has a word in common with a server's answer, and something else in it, is not taken for one."""
    for raw in (json.dumps(message), json.dumps(message, indent=1), json.dumps([message])):
        with pytest.raises(Undecodable) as refusal:
            decode_message(raw.encode())
        assert refusal.value.reason == "unknown_form"


@pytest.mark.parametrize("mint", sorted(programs.QUOTES))
def test_truth_14_a_frame_with_any_quote_for_a_mint_tells_only_the_curve(mint: str) -> None:
    """What prices know as a quote, PumpPortal's frames know too: none of them is ever taken for the new coin."""
    frame = msgspec.json.decode(recordings.lines("frames/pumpportal.jsonl")[2])
    (decoded,) = decode_message(msgspec.json.encode({**frame, "mint": mint}))
    assert {event.mint for event in decoded.events} == {None}
    assert decoded.missing[0] == RejectionReason.NEEDS_TRANSACTION
