"""One transaction, in any encoding that RPC nodes and webhooks use, brought into one shape and read."""

from binascii import a2b_base64
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import msgspec
from solders.transaction import VersionedTransaction

from megatron.core import base58
from tokens.choices import Program, RejectionReason
from tokens.domain import programs
from tokens.domain.decode import events, facts, instructions, logs
from tokens.domain.decode.emissions import Emission, Header
from tokens.domain.decode.instructions import NULL, Group, Instruction, WireInstruction
from tokens.domain.decode.results import Decoded, Outcome, Undecodable
from tokens.domain.decode.sanity import checked
from tokens.domain.events import ChainEvent, call_place


class _Key(msgspec.Struct):
    pubkey: str


class _Message(msgspec.Struct, rename="camel"):
    account_keys: list[str | _Key]
    instructions: list[Instruction]


class _Transaction(msgspec.Struct):
    signatures: list[str]
    message: _Message | None = None


class _Inner(msgspec.Struct):
    index: int
    instructions: list[Instruction]


class _Loaded(msgspec.Struct):
    writable: list[str] = []
    readonly: list[str] = []


class Meta(msgspec.Struct, rename="camel"):
    """What a node reports about a transaction's run."""

    err: msgspec.Raw = NULL
    fee: int | None = None
    inner_instructions: list[_Inner] | None = None
    log_messages: msgspec.Raw = NULL
    loaded_addresses: _Loaded | None = None


class Run(NamedTuple):
    """A transaction that ran: ``groups`` is ``None`` where only its log is at hand, ``log()`` where it is not.

    ``is_recorded`` says whether the source recorded all that its instructions called.
    """

    header: Header
    groups: Sequence[Group] | None
    log: Callable[[], list[str] | None]
    failed: bool = False
    transaction_fee: int | None = None
    keys: Sequence[str] = ()
    is_recorded: bool = True
    position: int | None = None
    """Place in the block, where the source tells."""
    fee_payer: str | None = None


_meta = msgspec.json.Decoder(Meta)
_transaction = msgspec.json.Decoder(_Transaction)
_strings = msgspec.json.Decoder(list[str])
_encoded = msgspec.json.Decoder(str | tuple[str, str])


def lines(raw: msgspec.Raw) -> list[str] | None:
    """Return the lines of a log in JSON, ``None`` if there is no log."""
    return None if raw == NULL else _strings.decode(raw)


def run(transaction: msgspec.Raw, meta_json: msgspec.Raw, *, slot: int | None, block_time: int | None) -> Run:
    """Return a node's transaction in one shape. Raises :class:`Undecodable` and msgspec's validation errors."""
    if meta_json == NULL:
        raise Undecodable("bad_transaction", "has no meta: whether it succeeded is not known")
    meta = _meta.decode(meta_json)
    if bytes(transaction)[:1] == b"{":
        shape = _transaction.decode(transaction)
        if not shape.signatures:
            raise Undecodable("bad_transaction", "has no signature")
        signature, groups, keys = shape.signatures[0], *_from_json(shape.message, meta)
    else:
        signature, groups, keys = _from_wire(_wire(transaction), meta)
    return Run(
        Header(signature, slot, block_time),
        groups,
        partial(lines, meta.log_messages),
        meta.err != NULL,
        meta.fee,
        keys,
        is_recorded=meta.inner_instructions is not None and bool(groups),
        fee_payer=keys[0] if keys else None,
    )


def _from_json(message: _Message | None, meta: Meta) -> tuple[Sequence[Group] | None, Sequence[str]]:
    if message is None:  # asked for with transactionDetails=accounts
        return None, ()
    keys = [key if isinstance(key, str) else key.pubkey for key in message.account_keys]
    if message.account_keys and isinstance(message.account_keys[0], str):
        keys += _loaded(meta)
    return _grouped(message.instructions, meta), keys


def _loaded(meta: Meta) -> list[str]:
    return [] if meta.loaded_addresses is None else meta.loaded_addresses.writable + meta.loaded_addresses.readonly


def _grouped(tops: Sequence[Instruction | WireInstruction], meta: Meta) -> Sequence[Group]:
    called: dict[int, list[Instruction]] = {}
    for inner in meta.inner_instructions or ():
        if not 0 <= inner.index < len(tops):
            raise Undecodable("bad_transaction", f"calls from instruction {inner.index} of {len(tops)}")
        called[inner.index] = inner.instructions
    return [(top, called.get(i, ())) for i, top in enumerate(tops)]


def _wire(transaction: msgspec.Raw) -> bytes:
    encoded = _encoded.decode(transaction)
    data, encoding = (encoded, "base58") if isinstance(encoded, str) else encoded
    try:
        return base58.decode(data) if encoding == "base58" else a2b_base64(data, strict_mode=True)
    except ValueError as refusal:
        raise Undecodable("bad_transaction", f"{encoding}: {refusal}") from None


def _from_wire(wire: bytes, meta: Meta) -> tuple[str, Sequence[Group], Sequence[str]]:
    try:
        transaction = VersionedTransaction.from_bytes(wire)
        signature = str(transaction.signatures[0])
    except (ValueError, IndexError) as refusal:
        raise Undecodable("bad_transaction", f"not a transaction: {refusal}") from None
    message = transaction.message
    keys = [programs.address(bytes(key)) for key in message.account_keys] + _loaded(meta)
    tops = [WireInstruction(ix.program_id_index, ix.accounts, ix.data) for ix in message.instructions]
    return signature, _grouped(tops, meta), keys


def decode(transaction: Run) -> Decoded:
    """Return what a transaction says. Raises :class:`Undecodable`.

    The instructions are believed first; the log speaks for a program that recorded nothing among them.
    """
    if transaction.failed:
        return _decoded(transaction, Outcome.FAILED)
    if transaction.groups is None:
        return _from_log(transaction)
    view = instructions.read(transaction.groups, transaction.keys)
    if not view.calls:
        if transaction.is_recorded or not programs.PROGRAMS.keys() & set(transaction.keys):
            return _decoded(transaction, Outcome.NOT_OURS)
        if (
            transaction.log() is None
        ):  # a program can be called only by an account of the transaction, and one of ours is
            raise Undecodable("bad_transaction", "names a program of ours, and has neither its calls nor a log")
        return _from_log(transaction)
    emissions, truncated = view.emissions, False
    silent = {call.program for call in view.calls.values()} - view.spoke
    if silent and (log := transaction.log()) is not None:
        logged = logs.read(log)
        emissions = emissions + [_placed(e, view) for e in logged.emissions if e.program in silent]
        truncated = logged.truncated
    told = {call_place(emission.place) for emission in emissions}
    stated = checked(facts.read(transaction.header, view.calls, told))
    if silent and not stated and not transaction.is_recorded and transaction.log() is None:
        raise Undecodable("bad_transaction", "calls a program of ours, and has neither what it called nor a log")
    if not stated and all(call.name == instructions.TO_RAYDIUM for call in view.calls.values()):
        return _decoded(transaction, Outcome.NOT_OURS)
    return _decoded(transaction, Outcome.EVENTS, emissions, stated, truncated=truncated)


def _placed(emission: Emission, view: instructions.InstructionView) -> Emission:
    """Give an event of the log the accounts of the instruction that emitted it."""
    call = view.calls.get(call_place(emission.place))
    if call is None or call.program is not emission.program:
        return emission
    return emission._replace(accounts=call.accounts(), instruction=call.name)


def _from_log(transaction: Run) -> Decoded:
    log = transaction.log()
    if log is None:
        raise Undecodable("bad_transaction", "has neither instructions nor a log")
    view = logs.read(log)
    if not view.ours and not view.truncated:
        return _decoded(transaction, Outcome.NOT_OURS)
    missing = [RejectionReason.TRUNCATED] if view.truncated else []
    if view.partly or any(emission.program is Program.LAUNCHLAB for emission in view.emissions):
        missing.append(RejectionReason.NEEDS_TRANSACTION)
    return _decoded(transaction, Outcome.EVENTS, view.emissions, truncated=view.truncated, missing=missing)


def _decoded(
    transaction: Run,
    outcome: Outcome,
    emissions: Sequence[Emission] = (),
    stated: Sequence[ChainEvent] = (),
    *,
    truncated: bool = False,
    missing: Sequence[RejectionReason] = (),
) -> Decoded:
    drift: Counter[str] = Counter()
    found = events.read(transaction.header, emissions, drift)
    if stated:
        found = sorted((*found, *stated), key=lambda event: event.event_index)
    if transaction.fee_payer is not None:
        for event in found:
            if event.user not in (None, transaction.fee_payer):
                event.raw["fee_payer"] = transaction.fee_payer  # the network's fee is not the trader's
    return Decoded(
        outcome=outcome,
        signature=transaction.header.signature,
        slot=transaction.header.slot,
        block_time=transaction.header.block_time,
        transaction_fee=transaction.transaction_fee,
        transaction_index=transaction.position,
        events=tuple(found),
        drift=dict(drift),
        truncated=truncated,
        missing=(*missing, *lacks(found)),
    )


def lacks(found: Sequence[ChainEvent]) -> tuple[RejectionReason, ...]:
    """Return what the events need and do not have: slot, time."""
    slotless = timeless = False
    for event in found:
        slotless = slotless or event.slot is None
        timeless = timeless or event.block_time is None
    if not (slotless or timeless):
        return ()
    return (RejectionReason.NO_SLOT,) * slotless + (RejectionReason.NO_BLOCK_TIME,) * timeless
