"""Recognises what a message is by its structure, and hands its transactions to the readers."""

import re
from collections.abc import Callable
from itertools import count, repeat
from typing import Final

import msgspec

from megatron.core import chain
from tokens.domain import programs
from tokens.domain.decode import export, pumpportal, rows, transactions, trees, webhooks
from tokens.domain.decode.emissions import Header
from tokens.domain.decode.instructions import NULL
from tokens.domain.decode.results import Decoded, Outcome, Undecodable
from tokens.domain.decode.transactions import Run

_ABSENT: Final = msgspec.Raw(b"")
_DEEPEST: Final = 6  # envelopes in envelopes: a recorder's line with a frame with a block is three
_MOST_IN_BLOCK: Final = 1 << 31
_CONTROL: Final = Decoded(outcome=Outcome.CONTROL)
_CONTROLS: Final = re.compile(
    r"(account|program|root|signature|slot|slotsUpdates|vote)Notification|(get|send)\w+|ping|pong"
)
"""Methods of messages that tell of no transaction: other subscriptions, and what we ask a server ourselves."""
_SUBSCRIBES: Final = ("subscribe", "Subscribe", "Unsubscribe")
"""Words in the names of such methods too."""
_ANSWER: Final = frozenset(
    {
        "jsonrpc",
        "id",
        "result",
        "error",
        "errors",
        "message",
        "status",
        "statusCode",
        "code",
        "type",
        "success",
        "subscription",
    }
)
"""Members of a server's answer that tells of no transaction."""


_NAMES: Final = {
    "block_time": "blockTime",
    "tx_type": "txType",
    "transfers": "tokenTransfers",
    "account_data": "accountData",
    "transaction_index": "transactionIndex",
}


class _Parts(msgspec.Struct, rename=_NAMES.get):
    """The members by which any of the known messages can be told; what they hold is read later."""

    t_wall: msgspec.Raw = _ABSENT
    raw: msgspec.Raw = _ABSENT
    method: msgspec.Raw = _ABSENT
    params: msgspec.Raw = _ABSENT
    result: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
    context: msgspec.Raw = _ABSENT
    value: msgspec.Raw = _ABSENT
    block: msgspec.Raw = _ABSENT
    transactions: msgspec.Raw = _ABSENT
    transaction: msgspec.Raw = _ABSENT
    meta: msgspec.Raw = _ABSENT
    signature: msgspec.Raw = _ABSENT
    logs: msgspec.Raw = _ABSENT
    err: msgspec.Raw = _ABSENT
    instructions: msgspec.Raw = _ABSENT
    slot: msgspec.Raw = _ABSENT
    block_time: msgspec.Raw = _ABSENT
    tx_type: msgspec.Raw = _ABSENT
    message: msgspec.Raw = _ABSENT
    event_index: msgspec.Raw = _ABSENT
    transaction_signature: msgspec.Raw = _ABSENT
    program: msgspec.Raw = _ABSENT
    source: msgspec.Raw = _ABSENT
    events: msgspec.Raw = _ABSENT
    transfers: msgspec.Raw = _ABSENT
    account_data: msgspec.Raw = _ABSENT
    transaction_index: msgspec.Raw = _ABSENT


class _Context(msgspec.Struct):
    slot: int


class _LogValue(msgspec.Struct):
    signature: str
    err: msgspec.Raw
    logs: list[str]


class _LogResult(msgspec.Struct):
    context: _Context
    value: _LogValue


class _LogParams(msgspec.Struct):
    result: _LogResult


class _LogFrame(msgspec.Struct):
    params: _LogParams


class _Found(msgspec.Struct, rename={"block_time": "blockTime", "transaction_index": "transactionIndex"}):
    transaction: msgspec.Raw
    meta: msgspec.Raw
    slot: int
    block_time: int | None = None
    transaction_index: int | None = None


class _FoundReply(msgspec.Struct):
    result: _Found


_found = msgspec.json.Decoder(_FoundReply)
_parts = msgspec.json.Decoder(_Parts)
_log_frame = msgspec.json.Decoder(_LogFrame)
_items = msgspec.json.Decoder(list[msgspec.Raw])
_text = msgspec.json.Decoder(str)
_number = msgspec.json.Decoder(int | None)


def decode_message(raw: bytes) -> list[Decoded]:
    """Return what a message says, one item a transaction, in the message's order.

    Known are: replies of ``getTransaction`` and ``getBlock`` in every encoding, frames of ``logsSubscribe``,
    ``blockSubscribe`` and Helius ``transactionSubscribe`` (as sent, or as a recorder wrapped them), Helius webhook
    bodies (enhanced and raw), PumpPortal frames, rows of the trades table as JSON, lines of ``manage.py decode``, and
    arrays of these. Raises :class:`Undecodable` for anything else; among several transactions a bad one becomes an item
    with the outcome ``undecodable`` and the others stand.
    """
    try:
        return _message(raw, 0)
    except RecursionError:
        raise Undecodable("not_json", "nested too deeply") from None
    except msgspec.ValidationError as refusal:
        raise Undecodable("unknown_form", str(refusal)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as refusal:
        raise Undecodable("not_json", str(refusal)) from None


def _message(raw: bytes, depth: int) -> list[Decoded]:
    if depth > _DEEPEST:
        raise Undecodable("unknown_form", "envelopes in envelopes")
    if b'"logsNotification"' in raw[:200]:
        return [_logs_frame(raw)]
    raw = raw.removeprefix(b"\xef\xbb\xbf").strip()
    if raw.startswith(b'{"jsonrpc"') and (found := _found_transaction(raw)) is not None:
        return [found]
    if raw[:1] == b"{":
        return _object(_parts.decode(raw), raw, depth)
    if raw[:1] == b"[":
        return _each(_items.decode(raw), lambda item: _message(bytes(item), depth + 1))
    if raw[:1] == b'"':
        return _message(_text.decode(raw).encode(), depth + 1)
    if raw in (b"ping", b"pong"):
        return [_CONTROL]
    raise Undecodable("not_json", "empty" if not raw else f"starts with {raw[:20]!r}")


def _found_transaction(raw: bytes) -> Decoded | None:
    """Read a reply of ``getTransaction`` without looking twice at its envelope; ``None`` if it is something else."""
    if b'"transactions"' in raw:
        return None
    try:
        found = _found.decode(raw).result
    except msgspec.ValidationError:
        return None
    run = transactions.run(found.transaction, found.meta, slot=found.slot, block_time=found.block_time)
    return _one(run._replace(position=_index(found.transaction_index)))


def _object(  # noqa: C901, PLR0911, PLR0912  # one list of all forms reads better than several
    parts: _Parts, raw: bytes, depth: int, *, slot: int | None = None, whole: bool = True
) -> list[Decoded]:
    """Read a JSON object that may be an envelope. ``slot`` is what an outer envelope said; a block that is not ``whole`` may
    leave transactions out, so that their places in it are not those on the chain."""
    if depth > _DEEPEST:
        raise Undecodable("unknown_form", "envelopes in envelopes")
    if _has(parts.tx_type):
        return [_possible(pumpportal.decode(raw))]
    if _has(parts.event_index):
        return [_possible(export.decode(raw))]
    if _has(parts.raw):
        return _message(_text.decode(parts.raw).encode(), depth + 1)
    if _has(parts.method):
        return _notification(_text.decode(parts.method), parts, raw, depth)
    if _has(parts.result):
        return _reply(parts.result, raw, depth)
    if _has(parts.transaction):
        return [_transaction(parts, slot)]
    if _has(parts.transactions):
        return _block(parts, slot, whole=whole)
    if _has(parts.block):
        inner = bytes(parts.block)
        return (
            [_CONTROL]
            if parts.block == NULL
            else _object(_parts.decode(inner), inner, depth + 1, slot=_slot(parts, slot), whole=False)
        )
    if _has(parts.context) and bytes(parts.value)[:1] == b"{":
        context, value = msgspec.json.decode(parts.context, type=_Context), bytes(parts.value)
        return _object(_parts.decode(value), value, depth + 1, slot=context.slot)
    if _has(parts.signature) and _has(parts.logs):
        return [_log(msgspec.json.decode(raw, type=_LogValue), _slot(parts, slot))]
    if _has(parts.signature) and any(
        map(_has, (parts.instructions, parts.transfers, parts.account_data, parts.source, parts.events))
    ):
        return [_webhook(raw)]
    if _has(parts.transaction_signature):
        return [_possible(rows.decode(raw))]
    if _has(parts.instructions) or _has(parts.program):
        return [trees.decode(raw)]
    if (_has(parts.error) or _has(parts.message)) and _is_answer(raw):
        return [_CONTROL]
    raise _unknown(raw)


def _unknown(raw: bytes) -> Undecodable:
    return Undecodable("unknown_form", f"no transaction, log, frame or row: {raw[:80].decode('utf-8', 'replace')}")


def _is_answer(raw: bytes) -> bool:
    """Say whether an object is a refusal or a greeting of a server and holds nothing else."""
    members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return members.keys() <= _ANSWER and bytes(members.get("message", NULL))[:1] in (b'"', b"n")


def _webhook(raw: bytes) -> Decoded:
    """Read an enhanced body. One that lacks instructions and yet shows a program of ours at work is kept, not passed over."""
    body = webhooks.read(raw)
    decoded = _one(webhooks.run(raw, body))
    if decoded.outcome is Outcome.NOT_OURS and body.lacks_instructions and (shown := webhooks.shows_ours(raw, body)):
        refusal = Undecodable("bad_transaction", f"{shown}, and lacks the instructions that say how")
        refusal.signature, refusal.slot = body.signature, body.slot
        return refusal.decoded()
    return decoded


def _has(member: msgspec.Raw) -> bool:
    return member is not _ABSENT


def _slot(parts: _Parts, outer: int | None) -> int | None:
    return _number.decode(parts.slot) if _has(parts.slot) else outer


def _notification(method: str, parts: _Parts, raw: bytes, depth: int) -> list[Decoded]:
    if method == "logsNotification":
        return [_logs_frame(raw)]
    if method not in ("transactionNotification", "blockNotification"):
        subscribes = method.isidentifier() and any(word in method for word in _SUBSCRIBES)
        if not subscribes and _CONTROLS.fullmatch(method) is None:
            raise Undecodable("unknown_form", f"a message of the method {method[:80]!r}")
        return [_CONTROL]
    result = bytes(_parts.decode(parts.params).result)
    return _object(_parts.decode(result), result, depth + 1)


def _reply(result: msgspec.Raw, raw: bytes, depth: int) -> list[Decoded]:
    inner = bytes(result)
    if inner[:1] == b"{":
        return _object(_parts.decode(inner), inner, depth + 1)
    if inner[:1] == b"[":
        return _message(inner, depth + 1)
    if not _is_answer(raw):
        raise _unknown(raw)
    return [_CONTROL]  # a subscription's number, "ok", or null: not found yet


def _logs_frame(raw: bytes) -> Decoded:
    result = _log_frame.decode(raw).params.result
    return _log(result.value, result.context.slot)


def _log(value: _LogValue, slot: int | None) -> Decoded:
    return _one(Run(Header(value.signature, slot), None, lambda: value.logs, value.err != NULL))


def _transaction(parts: _Parts, slot: int | None, block_time: int | None = None, index: int | None = None) -> Decoded:
    slot = _slot(parts, slot)
    block_time = _number.decode(parts.block_time) if _has(parts.block_time) else block_time
    index = _index(_number.decode(parts.transaction_index)) if _has(parts.transaction_index) else index
    if not _has(parts.meta):
        if bytes(parts.transaction)[:1] != b"{":
            raise Undecodable("bad_transaction", "has no meta: whether it succeeded is not known")
        inner = _parts.decode(parts.transaction)
        if not _has(inner.transaction):
            raise Undecodable("bad_transaction", "has no meta: whether it succeeded is not known")
        return _transaction(inner, slot, block_time, index)
    run = transactions.run(parts.transaction, parts.meta, slot=slot, block_time=block_time)
    return _one(run._replace(position=index))


def _index(told: int | None) -> int | None:
    """Return a transaction's place in its block as told, ``None`` for what is no place."""
    return told if told is not None and 0 <= told < _MOST_IN_BLOCK else None


def _block(parts: _Parts, slot: int | None, *, whole: bool) -> list[Decoded]:
    slot = _slot(parts, slot)
    block_time = _number.decode(parts.block_time) if _has(parts.block_time) else None
    places = count() if whole else repeat(None)
    return _each(
        _items.decode(parts.transactions),
        lambda item: _in_block(item, slot=slot, block_time=block_time, index=next(places)),
    )


def _in_block(item: msgspec.Raw, *, slot: int | None, block_time: int | None, index: int | None) -> list[Decoded]:
    parts = _parts.decode(item)
    if not _has(parts.transaction):
        raise Undecodable("bad_transaction", "an element of the block holds no transaction")
    return [_transaction(parts, slot, block_time, index)]


def _one(transaction: Run) -> Decoded:
    _check(transaction.header.signature, transaction.header.slot)
    try:
        return transactions.decode(transaction)
    except Undecodable as refusal:
        if refusal.signature is None:
            refusal.signature, refusal.slot = transaction.header.signature, transaction.header.slot
        raise
    except programs.NotAnAddress as refusal:
        raise Undecodable("bad_transaction", str(refusal)) from None


def _possible(decoded: Decoded) -> Decoded:
    """Return what a message says, whoever it tells of. Raises :class:`Undecodable`."""
    _check(decoded.signature, decoded.slot)
    return decoded


def _check(signature: str | None, slot: int | None) -> None:
    """Raise :class:`Undecodable` for a signature or a slot that cannot be: one fits no column, and a cursor that believed the
    other would never move again. (Times, and slots of the future, are known for what they are when they are stored.)"""
    if signature is not None and not chain.is_signature(signature):
        raise Undecodable("bad_transaction", f"no signature: {signature[:100]!r}")
    if doubt := chain.doubt(slot=slot):
        raise Undecodable("bad_transaction", doubt)


def _each(items: list[msgspec.Raw], read: Callable[[msgspec.Raw], list[Decoded]]) -> list[Decoded]:
    """Read each item on its own; raise only if there is nothing but refusals."""
    decoded: list[Decoded] = []
    for item in items:
        try:
            decoded += read(item)
        except Undecodable as refusal:
            decoded.append(refusal.decoded())
        except (msgspec.DecodeError, UnicodeDecodeError) as refusal:
            decoded.append(Decoded(outcome=Outcome.UNDECODABLE, reason="bad_transaction", detail=str(refusal)[:300]))
    if decoded and all(one.outcome is Outcome.UNDECODABLE for one in decoded):
        first = decoded[0]
        if first.refused_by is not None:  # the message is whole: a program changed what it says
            return decoded
        raise Undecodable(first.reason, f"all {len(decoded)} items: {first.detail}")
    return decoded
