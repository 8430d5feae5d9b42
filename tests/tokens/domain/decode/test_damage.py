"""Whatever is done to a message, decoding answers or refuses; it never breaks."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import recordings
from tests.tokens.domain.decode.building import SIGNATURE, Call, Transaction, discriminator, key
from tokens.choices import Program
from tokens.domain import programs
from tokens.domain.decode import Decoded, Undecodable, decode_message, encode
from tokens.domain.decode.events import EVENTS

MESSAGES = list(recordings.messages().values())
_BUILT = Transaction(Call(programs.PUMP, [key("a")], b"x", [Call(programs.PUMPSWAP, [key("b")], b"y")]))
WIRES = [_BUILT.result("base64", version) for version in ("legacy", 0, 1)]
MESSAGES += [json.dumps(result).encode() for result in WIRES]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = sorted(
    set(re.findall(rb'"(\w{2,30})":', b"".join(MESSAGES)))  # every member's name that any source uses
)


def _answers(message: bytes) -> list[Decoded]:
    """Decode, allow the one refusal, and show that what came out can be printed."""
    try:
        decoded = decode_message(message)
    except Undecodable:
        return []
    for one in decoded:
        for event in one.events:
            assert encode(event)
    return decoded


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(MESSAGES), st.data())
def test_flipped_bytes(message: bytes, data: st.DataObject) -> None:
    """Bytes are changed anywhere."""
    damaged = bytearray(message)
    for place in data.draw(st.lists(st.integers(0, len(message) - 1), min_size=1, max_size=8)):
        damaged[place] = data.draw(st.integers(0, 255))
    _answers(bytes(damaged))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MESSAGES), st.floats(0, 1))
def test_truncated(message: bytes, share: float) -> None:
    """The message ends anywhere; what is no longer JSON gives nothing."""
    cut = message[: int(share * (len(message.rstrip()) - 1))]
    assert _answers(cut) == []


def replaced(document: Any, path: list[int], value: Any) -> Any:
    """Return the document with one of its values replaced, found by a walk."""
    if isinstance(document, dict) and document and path:
        name = sorted(document)[path[0] % len(document)]
        return {**document, name: replaced(document[name], path[1:], value)}
    if isinstance(document, list) and document and path:
        place = path[0] % len(document)
        return [*document[:place], replaced(document[place], path[1:], value), *document[place + 1 :]]
    return value


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(MESSAGES), st.lists(st.integers(0, 50), min_size=1, max_size=9), JSON)
def test_wrong_types(message: bytes, path: list[int], value: Any) -> None:
    """A value anywhere in the message is something else: of another type, huge, negative, nested."""
    try:
        document = json.loads(message)
    except ValueError:
        document = {}
    _answers(json.dumps(replaced(document, path, value)).encode())


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(MEMBERS).map(bytes.decode), JSON, max_size=8))
def test_any_json_with_known_names(document: dict[str, Any]) -> None:
    """Any JSON under the names that sources use."""
    _answers(json.dumps(document).encode())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_bytes(message: bytes) -> None:
    """Any bytes."""
    _answers(message)


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from([(program, tag) for program, table in EVENTS.items() for tag in table]),
    st.binary(max_size=600),
    st.booleans(),
)
def test_any_event_bytes(which: tuple[Program, bytes], body: bytes, as_log: bool) -> None:
    """Any bytes under the discriminator of any event, in the log or among the instructions."""
    program, tag = which
    address = next(address for address, ours in programs.PROGRAMS.items() if ours is program)
    accounts = [key(str(number)) for number in range(26)]
    name = {Program.LAUNCHLAB: "buy_exact_in"}.get(program, "buy")
    transaction = Transaction(Call(address, accounts, discriminator(name), [tag + body]))
    _answers(transaction.frame() if as_log else transaction.reply())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WIRES), st.data())
def test_damaged_wire(result: dict[str, Any], data: st.DataObject) -> None:
    """A transaction's own bytes are changed or cut."""
    wire = bytearray(base64.b64decode(result["transaction"][0]))
    for place in data.draw(st.lists(st.integers(0, len(wire) - 1), max_size=5)):
        wire[place] = data.draw(st.integers(0, 255))
    cut = bytes(wire[: data.draw(st.integers(0, len(wire)))])
    encoded = [base64.b64encode(cut).decode(), "base64"]
    _answers(json.dumps({**result, "transaction": encoded}).encode())


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                f"Program {programs.PUMP} invoke [1]",
                f"Program {programs.PUMP} invoke [2]",
                f"Program {programs.PUMP} invoke [64]",
                f"Program {programs.LAUNCHLAB} invoke [3]",
                f"Program {programs.PUMP} invoke [99999999999999999999]",
                f"Program {programs.PUMP} success",
                f"Program {programs.PUMP} failed: x",
                "Program data: AAAA",
                "Program data: ?",
                "Program data: ",
                "Program data: vdt/007mYe4=",
                "Program log: Instruction: Withdraw",
                "Log truncated",
                "",
            ]
        ),
        max_size=250,
    )
)
def test_any_log(lines: list[str]) -> None:
    """Lines of a log in any order."""
    _answers(json.dumps({"signature": "s", "err": None, "logs": lines}).encode())


@pytest.mark.parametrize("depth", [100, 10_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"result":', b"}"), (b'{"raw":"', b'"}')])
def test_deep(opening: bytes, closing: bytes, depth: int) -> None:
    """Nesting of any depth is refused, not followed."""
    with pytest.raises(Undecodable):
        decode_message(opening * depth + b"1" + closing * depth)


@pytest.mark.parametrize(
    "number", ["1e400", "9" * 400, "-" + "9" * 30, "18446744073709551616", "1e5", "NaN", "Infinity"]
)
def test_numbers(number: str) -> None:
    """Numbers that are too large, broken, or no numbers are refused or taken for what they are."""
    signed = f'"signature":"{SIGNATURE}"'
    frame = f'{{"txType":"buy",{signed},"mint":"{key("m")}","solAmount":{number},"tokenAmount":1,"pool":"pump"}}'
    slot = f'{{"signature":"s","err":null,"logs":[],"slot":{number}}}'
    for message in (frame, slot, f'{{"txType":"buy","x":{number}}}'):
        _answers(message.encode())
    events = [event for one in _answers(frame.encode()) for event in one.events]
    assert [event.quote_amount_raw for event in events] == ([10**14] if number == "1e5" else [])
