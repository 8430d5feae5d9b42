"""How many events a second one core decodes, beside the ordinary way on the same bytes. Seconds are the processor's."""

import json
from collections.abc import Callable, Sequence
from time import process_time

from benchmarks import anchor_style
from benchmarks.results import Result
from benchmarks.sizes import size
from tests import recordings
from tokens.domain.decode import decode_message

_SECONDS = size(1_000, 20) / 1_000
_ROUNDS = size(5, 1)


def run() -> list[Result]:
    """Return the decoding figures."""
    return [decode_logs(), decode_transactions()]


def decode_logs() -> Result:
    """Measure live log frames of July 2026, those of transactions that succeeded."""
    frames = [json.loads(line)["raw"].encode() for line in recordings.lines("frames/logs-subscribe.jsonl")]
    return _compare("decode_logs", [raw for raw in frames if b'"err":null' in raw], anchor_style.from_frame)


def decode_transactions() -> Result:
    """Measure full ``getTransaction`` replies of 2024 to 2026, encoded as json and as jsonParsed."""
    recorded = recordings.transactions().items()
    replies = [raw for name, raw in recorded if name.startswith(("pump", "wallet")) and b'"meta"' in raw and _ours(raw)]
    return _compare("decode_transactions", replies, anchor_style.from_transaction)


def _ours(raw: bytes) -> int:
    """Return how many events a message holds."""
    return sum(len(one.events) for one in decode_message(raw))


def _compare(name: str, messages: Sequence[bytes], baseline: Callable[[bytes], int]) -> Result:
    """Alternate both over the same bytes and keep the best round of each: what disturbs one would disturb the other."""
    if sum(map(_ours, messages)) != sum(map(baseline, messages)):
        raise AssertionError("Both must find the same events")
    rates = [(_rate(_ours, messages), _rate(baseline, messages)) for _ in range(_ROUNDS)]
    value, other = (max(column) for column in zip(*rates, strict=True))
    return Result(name, round(value), "events/s", round(other), round(value / other, 2))


def _rate(decode: Callable[[bytes], int], messages: Sequence[bytes]) -> float:
    events, start = 0, process_time()
    while (passed := process_time() - start) < _SECONDS / 2:
        for message in messages:
            events += decode(message)
    return events / passed
